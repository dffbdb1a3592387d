//! What the TCP side costs: it echoes what a thousand connections of the same machine say, and counts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use net::tcp::limits::HEADER;
use net::tcp::{Bounds, Event, Figures, Frame, Kind, Streams, Tenacity, listen};

/// Prints messages per second, the processor time of each, and the system calls of each.
#[derive(Parser)]
struct Options {
    /// Connections.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Messages of each that are on their way.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Bytes of each message.
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// Each message goes to so many connections, not only back to its sender.
    #[arg(long, default_value_t = 1)]
    fan_out: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

fn main() -> ExitCode {
    match measure(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("streams: {error}");
            ExitCode::FAILURE
        }
    }
}

static OVER: AtomicBool = AtomicBool::new(false);

fn measure(options: &Options) -> io::Result<()> {
    net::raise_descriptor_limit()?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = listen(&[any], &Tenacity::default()).map_err(io::Error::other)?;
    let address = listeners[0].address();
    let bounds =
        Bounds { per_address: options.connections, per_prefix: options.connections, ..Bounds::default() };
    let mut streams = Streams::new(listeners, bounds)?;
    let waker = streams.waker();
    thread::scope(|scope| {
        let serving = scope.spawn(move || serve(&mut streams, options.fan_out));
        let talking = talk(address, options);
        OVER.store(true, Ordering::Relaxed);
        waker.wake();
        let served = serving.join().unwrap_or_else(|_| Err(io::Error::other("the server has failed")));
        talking.and(served)
    })
}

/// Echoes, and prints what was done once every second.
fn serve(streams: &mut Streams, fan_out: usize) -> io::Result<()> {
    let (mut events, mut members, mut turns) = (Vec::new(), Vec::new(), 0_u64);
    let mut last = (Instant::now(), net::thread_cpu_time(), Figures::default(), 0);
    while !OVER.load(Ordering::Relaxed) {
        streams.exchange(&mut events, None)?;
        turns += 1;
        for event in &events {
            match event {
                Event::Opened { connection, .. } => members.push(*connection),
                Event::Message { connection, message } => {
                    let frame = Frame::new(&[streams.bytes(message)]).map_err(io::Error::other)?;
                    streams.send(*connection, Kind::Payload, &frame);
                    for other in members.iter().filter(|other| *other != connection).take(fan_out - 1) {
                        streams.send(*other, Kind::Payload, &frame);
                    }
                }
                Event::TooLarge { .. } | Event::Closed { .. } => {}
            }
        }
        if last.0.elapsed() >= Duration::from_secs(1) {
            let now = (Instant::now(), net::thread_cpu_time(), streams.figures(), turns);
            report(last, now);
            last = now;
        }
    }
    Ok(())
}

type Sample = (Instant, Duration, Figures, u64);

fn report(from: Sample, to: Sample) {
    let messages = (to.2.messages_out - from.2.messages_out) as f64;
    let seconds = (to.0 - from.0).as_secs_f64();
    println!(
        "{:>9.0} messages/s out, {:>5.2} us of processor and {:.3} calls each, {:>6.1} a turn, {} dropped",
        messages / seconds,
        (to.1 - from.1).as_secs_f64() * 1e6 / messages,
        (to.2.calls - from.2.calls) as f64 / messages,
        messages / (to.3 - from.3) as f64,
        to.2.payloads_dropped - from.2.payloads_dropped,
    );
}

/// One that says as much as it hears.
struct Talker {
    stream: TcpStream,
    /// Bytes that are to be said.
    debt: usize,
    /// Where in a message it is.
    at: usize,
}

fn talk(address: SocketAddr, options: &Options) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut talkers = Vec::new();
    let period = HEADER + options.size;
    for at in 0..options.connections {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(at), both)?;
        talkers.push(Talker { stream, debt: options.in_flight * period * options.fan_out, at: 0 });
    }
    let message = [&(options.size as u16).to_be_bytes()[..], &vec![b'x'; options.size]].concat();
    let text = message.repeat(1 + (64 << 10) / period);
    let mut buffer = vec![0; 256 << 10];
    let mut named = Events::with_capacity(1024);
    let end = Instant::now() + Duration::from_secs(options.seconds + 1);
    while Instant::now() < end {
        poll.poll(&mut named, Some(Duration::from_millis(100)))?;
        for event in &named {
            talkers[event.token().0].turn(&mut buffer, &text, period, options.fan_out)?;
        }
    }
    Ok(())
}

impl Talker {
    fn turn(&mut self, buffer: &mut [u8], text: &[u8], period: usize, fan_out: usize) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.debt += count;
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        // What others say is heard, too; only a part of it is answered.
        while self.debt >= period * fan_out {
            let most = (self.debt / fan_out).min(text.len() - self.at);
            match self.stream.write(&text[self.at..self.at + most]) {
                Ok(count) => {
                    self.debt -= count * fan_out;
                    self.at = (self.at + count) % period;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
