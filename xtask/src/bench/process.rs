//! Programs that run on one core and end with this one.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Between two looks at a program.
const LOOK: Duration = Duration::from_millis(100);

/// A program that is killed when it is dropped.
pub struct Process {
    child: Child,
    name: String,
    /// What it writes to standard output, line by line.
    pub out: Receiver<String>,
    /// And to standard error.
    pub err: Receiver<String>,
}

/// What a program did, once it has ended.
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// Processor time of all its threads.
    pub cpu: Duration,
}

impl Process {
    /// Starts it on one core.
    pub fn start(
        cpu: usize,
        program: impl AsRef<Path>,
        args: impl IntoIterator<Item = String>,
    ) -> anyhow::Result<Process> {
        Process::start_on(&cpu.to_string(), program, args)
    }

    /// Starts it on some cores. The kernel kills it when this process ends, even if that is killed itself.
    pub fn start_on(
        cpus: &str,
        program: impl AsRef<Path>,
        args: impl IntoIterator<Item = String>,
    ) -> anyhow::Result<Process> {
        let program = program.as_ref();
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "taskset", "--cpu-list", cpus])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("setpriv and taskset are in Debian's package util-linux")?;
        let out = child.stdout.take().map(lines::<ChildStdout>).context("a pipe")?;
        let err = child.stderr.take().map(lines::<ChildStderr>).context("a pipe")?;
        Ok(Process { child, name, out, err })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended, looking at it now and then.
    pub fn wait(mut self, mut look: impl FnMut(u32)) -> anyhow::Result<Ended> {
        let before = children_cpu()?;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            look(self.id());
            thread::sleep(LOOK);
        };
        let cpu = children_cpu()?.saturating_sub(before);
        let text =
            |lines: &Receiver<String>| lines.iter().fold(String::new(), |all, line| all + &line + "\n");
        Ok(Ended { status, out: text(&self.out), err: text(&self.err), cpu })
    }

    /// Runs it to its end, which must be a good one.
    pub fn finish(self) -> anyhow::Result<Ended> {
        let name = self.name.clone();
        let ended = self.wait(|_| {})?;
        if !ended.status.success() {
            anyhow::bail!("{name} ended with {}: {}{}", ended.status, ended.out.trim(), ended.err.trim());
        }
        Ok(ended)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines<T: Read + Send + 'static>(stream: T) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody listens to the end of everything, but the pipe must not fill.
            let _ = tell.send(line);
        }
    });
    told
}

/// Processor time of all programs that were started and have ended.
fn children_cpu() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// A thread of a program.
pub struct Thread {
    /// Its number.
    pub id: u32,
    /// What it calls itself.
    pub name: String,
    /// It ran for so long.
    pub ran: Duration,
    /// It wanted to and could not for so long.
    pub waited: Duration,
}

/// The threads that a program has.
pub fn threads(id: u32) -> Vec<Thread> {
    let folders = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    // A thread may end between two looks.
    folders.filter_map(|folder| thread_of(&folder.path())).collect()
}

fn thread_of(folder: &Path) -> Option<Thread> {
    let text = fs::read_to_string(folder.join("schedstat")).ok()?;
    let mut fields = text.split_whitespace().map(|field| field.parse().map(Duration::from_nanos));
    let name = fs::read_to_string(folder.join("comm")).ok()?.trim().to_owned();
    let id = folder.file_name()?.to_str()?.parse().ok()?;
    Some(Thread { id, name, ran: fields.next()?.ok()?, waited: fields.next()?.ok()? })
}

/// The part of the time that a program's threads wanted to run in which they could not, since it started.
pub fn waited(id: u32) -> Option<f64> {
    let threads = threads(id);
    let waited: Duration = threads.iter().map(|thread| thread.waited).sum();
    let all = waited + cpu(&threads);
    (!all.is_zero()).then(|| waited.as_secs_f64() / all.as_secs_f64())
}

/// Processor time of threads.
pub fn cpu(threads: &[Thread]) -> Duration {
    threads.iter().map(|thread| thread.ran).sum()
}

/// A size in kilobytes of /proc/ID/status, as bytes.
pub fn memory(id: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_found_by_its_name() {
        let (tell, told) = mpsc::channel::<()>();
        let own = thread::Builder::new().name("worker-7".to_owned()).spawn(move || told.recv()).unwrap();
        // Its name is its own work, so it may lack it at first.
        let seen = loop {
            let seen = threads(std::process::id());
            if seen.iter().any(|thread| thread.name == "worker-7") {
                break seen;
            }
        };
        assert!(seen.len() > 1 && cpu(&seen) > Duration::ZERO);
        assert!(waited(std::process::id()).is_some_and(|part| (0.0..1.0).contains(&part)));
        tell.send(()).unwrap();
        own.join().unwrap().unwrap();
        assert!(threads(u32::MAX).is_empty());
    }
}
