//! Other programs that send UDP: sockperf and iperf3, where they are installed.

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use super::Bench;
use super::process::{Ended, Process};

/// Bytes of each datagram that the senders are compared with.
pub const PAYLOAD: usize = 64;

/// What a sender did.
#[derive(Clone, Copy)]
pub struct Speed {
    /// Datagrams.
    pub packets: f64,
    /// Seconds of its processor time.
    pub cpu: f64,
    /// Seconds that passed.
    pub wall: f64,
}

/// The first line about its version, if a program is there.
pub fn version(program: &str) -> Option<String> {
    let output = std::process::Command::new(program).arg("--version").output().ok()?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    text.split_whitespace()
        .map(|word| word.trim_matches(','))
        .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
}

/// A port that is free for TCP and UDP.
fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let port = udp.local_addr()?.port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free")
}

fn start(cpu: usize, program: &str, args: &str) -> anyhow::Result<Process> {
    Process::start(cpu, Path::new(program), args.split_whitespace().map(str::to_owned))
}

/// What sockperf sends to a port; to its own server if none is given.
pub fn sockperf(bench: &Bench, port: Option<u16>) -> anyhow::Result<Speed> {
    let (port, _server) = sockperf_server(bench, port)?;
    let seconds = bench.duration.as_secs();
    let args = format!("throughput -i 127.0.0.1 -p {port} -m {PAYLOAD} -t {seconds} --dontwarmup");
    let ended = start(bench.host.generator_cpu, "sockperf", &args)?.finish()?;
    // "sockperf: Total of 557497 messages sent in 2.001 sec"
    let line = ended.out.lines().find_map(|line| line.split_once("Total of ")).context("sockperf's total")?;
    let mut numbers = line.1.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
    let (packets, wall) = (numbers.next().context("messages")?, numbers.next().context("seconds")?);
    Ok(Speed { packets, cpu: ended.cpu.as_secs_f64(), wall })
}

fn sockperf_server(bench: &Bench, port: Option<u16>) -> anyhow::Result<(u16, Option<Process>)> {
    if let Some(port) = port {
        return Ok((port, None));
    }
    let port = free_port()?;
    let server = start(bench.host.relay_cpu, "sockperf", &format!("server -i 127.0.0.1 -p {port}"))?;
    std::thread::sleep(Duration::from_millis(500));
    Ok((port, Some(server)))
}

/// When sockperf sent what it was to send at a rate, in seconds: of each hundredth packet.
pub fn sockperf_times(bench: &Bench, rate: u32) -> anyhow::Result<Vec<f64>> {
    let (port, _server) = sockperf_server(bench, None)?;
    let log = bench.binaries.folder.join("sockperf.csv");
    let seconds = bench.duration.as_secs() + 1;
    let args = format!(
        "under-load -i 127.0.0.1 -p {port} -m {PAYLOAD} -t {seconds} --mps {rate} --reply-every 100 --full-log {}",
        log.display()
    );
    start(bench.host.generator_cpu, "sockperf", &args)?.finish()?;
    // "packet, txTime(sec), rxTime(sec), latency(usec)" and then numbers.
    let text = std::fs::read_to_string(&log)?;
    let after = text.lines().skip_while(|line| !line.starts_with("packet,")).skip(1);
    Ok(after.filter_map(|line| line.split(',').nth(1)?.trim().parse().ok()).collect())
}

#[derive(Deserialize)]
struct Iperf {
    end: IperfEnd,
}

#[derive(Deserialize)]
struct IperfEnd {
    sum: IperfSum,
}

#[derive(Deserialize)]
struct IperfSum {
    packets: f64,
    seconds: f64,
}

/// What iperf3 sends to its own server.
pub fn iperf(bench: &Bench) -> anyhow::Result<Speed> {
    let port = free_port()?;
    let server =
        start(bench.host.relay_cpu, "iperf3", &format!("-s -1 -B 127.0.0.1 -p {port} --forceflush"))?;
    server.out.recv_timeout(Duration::from_secs(5)).context("iperf3 does not serve")?;
    std::thread::sleep(Duration::from_millis(300));
    let seconds = bench.duration.as_secs();
    let args = format!("-c 127.0.0.1 -p {port} -u -b 0 -l {PAYLOAD} -t {seconds} -J");
    let Ended { out, cpu, .. } = start(bench.host.generator_cpu, "iperf3", &args)?.finish()?;
    let IperfSum { packets, seconds } =
        serde_json::from_str::<Iperf>(&out).context("iperf3's report")?.end.sum;
    Ok(Speed { packets, cpu: cpu.as_secs_f64(), wall: seconds })
}
