//! What one core can send at all: the denominator of every ratio in docs/performance.md.
//!
//! One pinned thread sends the same payload round robin to many sockets, each message one datagram
//! (`sendmmsg`) or several (`UDP_SEGMENT`); another pinned thread drains them. Each run is a line of JSON.

// It talks to the kernel without the library, which it is the measure of.
#![allow(unsafe_code)]

#[path = "ceiling/drain.rs"]
mod drain;
#[path = "ceiling/sender.rs"]
mod sender;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::drain::Drain;
use crate::sender::{Sender, Sent};

/// Measures how many datagrams a second one core can send to sockets of this machine.
#[derive(Parser)]
struct Options {
    /// Bytes of each datagram.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..=65_507))]
    payload: u16,
    /// Sockets that are sent to in turn.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    destinations: u16,
    /// Seconds of each run.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Datagrams of each message: 1 is a plain send.
    #[arg(long, value_delimiter = ',', default_value = "1,8", value_parser = clap::value_parser!(u16).range(1..=64))]
    segments: Vec<u16>,
    /// The receivers let the kernel coalesce (UDP_GRO).
    #[arg(long)]
    gro: bool,
    /// Runs of each kind, in turn.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Messages of each system call.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Datagrams on their way to each destination at most; 0: as many as it takes.
    #[arg(long, default_value_t = 256)]
    window: u64,
    /// The sender's core.
    #[arg(long, default_value_t = 0)]
    tx_cpu: usize,
    /// The receivers' core.
    #[arg(long, default_value_t = 1)]
    rx_cpu: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ceiling: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> io::Result<()> {
    if options.segments.iter().any(|count| u32::from(*count) * u32::from(options.payload) > 65_507) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message has 65,507 bytes at most"));
    }
    net::raise_descriptor_limit()?;
    net::pin_current_thread(options.tx_cpu)?;
    for _ in 0..options.runs {
        for segments in &options.segments {
            println!("{}", run(options, *segments)?);
        }
    }
    Ok(())
}

/// One run, as a line of JSON.
fn run(options: &Options, segments: u16) -> io::Result<String> {
    let socket_options = net::SocketOptions {
        receive_buffer: 4 << 20,
        send_buffer: 4 << 20,
        coalesce_receives: options.gro,
        ..net::SocketOptions::default()
    };
    let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let sockets = net::bind_clients(home, options.destinations.into(), None, socket_options)
        .map_err(io::Error::other)?;
    let mut sender = Sender::new(&sockets, options.payload, segments, options.batch)?;
    let drain = Drain::start(sockets, options.payload, options.gro, options.rx_cpu)?;
    // Never so few that the sender waits for its own batch.
    let least = 2 * u64::from(options.batch) * u64::from(segments);
    let window = (options.window > 0).then(|| (options.window * u64::from(options.destinations)).max(least));
    let sent = sender.run(Duration::from_secs_f64(options.seconds), window, &drain.received)?;
    let drained = drain.finish(sent.datagrams)?;
    Ok(line(options, segments, &sent, &drained))
}

fn line(options: &Options, segments: u16, sent: &Sent, drained: &drain::Drained) -> String {
    let received = drained.datagrams as f64;
    format!(
        concat!(
            r#"{{"payload":{},"destinations":{},"segments":{},"gro":{},"sent":{},"received":{},"refused":{},"#,
            r#""deliveries_per_second":{:.0},"deliveries_per_cpu_second":{:.0},"#,
            r#""waited_share":{:.3},"tx_cpu_share":{:.3},"rx_cpu_share":{:.3}}}"#
        ),
        options.payload,
        options.destinations,
        segments,
        options.gro,
        sent.datagrams,
        drained.datagrams,
        sent.refused,
        received / sent.wall.as_secs_f64(),
        received / sent.working().as_secs_f64(),
        sent.waited.as_secs_f64() / sent.wall.as_secs_f64(),
        sent.cpu.as_secs_f64() / sent.wall.as_secs_f64(),
        drained.cpu.as_secs_f64() / drained.wall.as_secs_f64(),
    )
}
