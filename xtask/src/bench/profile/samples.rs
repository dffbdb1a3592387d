//! Samples of one thread with `perf`, and where they were taken.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, ensure};

use super::place::{Frame, Place};
use crate::bench::Bench;
use crate::bench::process::Process;

/// Samples per second: odd, so that they keep step with nothing.
const FREQUENCY: u32 = 4999;

/// Addresses from here on are the kernel's.
const KERNEL: u64 = 1 << 63;

/// How many samples were taken at each kind of work.
pub type Counts = HashMap<Place, u32>;

/// Looks at a thread for as long as the other measurements take.
pub fn record(bench: &Bench, thread: u32) -> anyhow::Result<()> {
    let (file, seconds) = (data(bench), bench.duration.as_secs_f64());
    let args = format!("record -q -e cpu-clock -F {FREQUENCY} -g -t {thread} -o {file} -- sleep {seconds}");
    let args = args.split(' ').map(str::to_owned);
    Process::start(bench.host.generator_cpu, "perf", args)?.finish()?;
    Ok(())
}

fn data(bench: &Bench) -> String {
    bench.binaries.folder.join("perf.data").display().to_string()
}

/// Sorts what was recorded, while the program still lives: its mapping is needed.
pub fn counts(bench: &Bench, process: u32) -> anyhow::Result<Counts> {
    let script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "ip,sym,dso", "-i", &data(bench)])
        .stderr(Stdio::null())
        .output()?;
    ensure!(script.status.success(), "perf script failed");
    let samples = samples(&String::from_utf8_lossy(&script.stdout));
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mapping =
        Mapping::find(&maps, &bench.binaries.relay.canonicalize()?).context("the relay's mapping")?;
    let mut own: Vec<u64> = samples.iter().filter_map(|sample| mapping.address(sample)).collect();
    own.sort_unstable();
    own.dedup();
    let places = places(&bench.binaries.relay, &own)?;
    let mut counts = Counts::new();
    for sample in &samples {
        *counts.entry(mapping.place(sample, &places)).or_default() += 1;
    }
    Ok(counts)
}

/// A chain of functions, the innermost first: never empty.
struct Sample(Vec<Function>);

struct Function {
    /// Of the kernel where it is, of anybody else in its file.
    address: u64,
    name: String,
    file: String,
}

/// Blocks of lines: `ADDRESS NAME (FILE)`.
fn samples(script: &str) -> Vec<Sample> {
    let function = |line: &str| {
        let (address, rest) = line.trim().split_once(' ')?;
        let (name, file) = rest.rsplit_once(" (")?;
        let address = u64::from_str_radix(address, 16).ok()?;
        Some(Function { address, name: name.to_owned(), file: file.trim_end_matches(')').to_owned() })
    };
    let chains = script.split("\n\n").map(|block| block.lines().filter_map(function).collect::<Vec<_>>());
    chains.filter(|chain| !chain.is_empty()).map(Sample).collect()
}

/// Where a program's code is.
struct Mapping {
    file: String,
    /// Of its first byte.
    base: u64,
    /// From places in the file to the addresses that its debug information has.
    shift: u64,
}

impl Mapping {
    /// From the lines of /proc/ID/maps: `START-END RIGHTS OFFSET DEVICE INODE FILE`.
    fn find(maps: &str, program: &Path) -> Option<Mapping> {
        let file = program.to_str()?.to_owned();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let own = maps.lines().filter(|line| line.ends_with(&file)).filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (start, rights) = (number(fields.next()?.split_once('-')?.0)?, fields.next()?);
            Some((start, rights.contains('x'), number(fields.next()?)?))
        });
        let own: Vec<(u64, bool, u64)> = own.collect();
        let base = own.first()?.0;
        let (start, _, offset) = own.iter().find(|(_, is_code, _)| *is_code)?;
        Some(Mapping { file, base, shift: start - base - offset })
    }

    /// What the debug information calls the innermost function's address, if that is the program's own.
    fn address(&self, Sample(chain): &Sample) -> Option<u64> {
        let innermost = &chain[0];
        // Some versions of perf tell places in the file, others addresses in memory.
        let address = innermost.address.checked_sub(self.base).unwrap_or(innermost.address + self.shift);
        (innermost.address < KERNEL && innermost.file == self.file).then_some(address)
    }

    fn place(&self, sample: &Sample, places: &HashMap<u64, Place>) -> Place {
        let Sample(chain) = sample;
        if chain[0].address >= KERNEL {
            let kernel = chain.iter().take_while(|function| function.address >= KERNEL);
            return Place::of_kernel(&kernel.map(|function| function.name.as_str()).collect::<Vec<_>>());
        }
        self.address(sample).and_then(|address| places.get(&address)).copied().unwrap_or(Place::Rest)
    }
}

/// What the relay's debug information says about addresses.
fn places(program: &Path, addresses: &[u64]) -> anyhow::Result<HashMap<u64, Place>> {
    let mut child = Command::new("addr2line")
        .args(["-a", "-f", "-i", "-C", "-e"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("addr2line is in binutils")?;
    let mut input = child.stdin.take().context("a pipe")?;
    let mut text = String::new();
    addresses.iter().try_for_each(|address| writeln!(text, "{address:#x}"))?;
    // It answers while it reads, and either pipe may be full.
    let feeder = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    feeder.join().ok().context("addr2line was not fed")??;
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// An address, then two lines for each function at it, the innermost first.
fn parse(text: &str) -> HashMap<u64, Place> {
    let mut found: HashMap<u64, Vec<Frame>> = HashMap::new();
    let (mut at, mut function) = (0, None);
    for line in text.lines() {
        let address = line.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        if let (Some(address), None) = (address, &function) {
            at = address;
        } else if let Some(function) = function.take() {
            found.entry(at).or_default().push(Frame { function, file: line.to_owned() });
        } else {
            function = Some(line.to_owned());
        }
    }
    found.into_iter().map(|(address, frames)| (address, Place::of_frames(&frames))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_chain() {
        let script = "\t    4d0 a::b (c) (/x/relay)\n\t  55 d ([unknown])\n\n\tffffffff81000c82 e ([kernel.kallsyms])\n\t\
                      ffffffff81000c90 udp_recvmsg ([kernel.kallsyms])\n\t  4d0 f (/lib/c)\n\n\t 4d0 g (/lib/c)\n\n\n";
        let maps = "7000-7200 r--p 00000000 fe:00 1 /x/relay\n7300-7900 r-xp 00000200 fe:00 1 /x/relay\n";
        let mapping = Mapping::find(maps, Path::new("/x/relay")).unwrap();
        let samples = samples(script);
        assert_eq!(samples.iter().filter_map(|sample| mapping.address(sample)).collect::<Vec<_>>(), [0x5d0]);
        let places = HashMap::from([(0x5d0, Place::Planning)]);
        let found: Vec<Place> = samples.iter().map(|sample| mapping.place(sample, &places)).collect();
        assert_eq!(found, [Place::Planning, Place::KernelReceive, Place::Rest]);
    }

    #[test]
    fn inlined_functions_are_lines_of_one_address() {
        let text = "0x00000000000005d0\ncopy\n/rustc/core.rs:1\nplan\n/x/relay/src/plan.rs:9\n0x00000000000006d0\n??\n??:0\n";
        let places = parse(text);
        assert_eq!(places[&0x5d0], Place::Planning);
        assert_eq!(places[&0x6d0], Place::Rest);
    }
}
