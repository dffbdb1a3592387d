//! A client that joins and leaves, one request after the other, and times each answer.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Between two requests, so that they meet the relay at any moment of its work.
pub const PAUSE: Duration = Duration::from_micros(500);

/// Whoever waits longer has lost a datagram.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nanoseconds from a request to its answer.
#[derive(Clone)]
pub struct Times {
    /// Of JOIN.
    pub joins: Histogram<u64>,
    /// Of LEAVE.
    pub leaves: Histogram<u64>,
    /// Requests without an answer.
    pub lost: u32,
}

impl Times {
    /// None yet.
    pub fn new() -> anyhow::Result<Times> {
        Ok(Times { joins: Histogram::new(3)?, leaves: Histogram::new(3)?, lost: 0 })
    }

    /// With others.
    pub fn add(&mut self, others: &Times) -> anyhow::Result<()> {
        self.joins.add(&others.joins)?;
        self.leaves.add(&others.leaves)?;
        self.lost += others.lost;
        Ok(())
    }
}

/// Joins and leaves these groups in turn, on one core, for so long.
pub fn run(address: &str, cpu: usize, groups: &[&str], duration: Duration) -> anyhow::Result<Vec<Times>> {
    let mut own = CpuSet::new();
    own.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &own)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    let mut all: Vec<Times> = groups.iter().map(|_| Times::new()).collect::<Result<_, _>>()?;
    let start = Instant::now();
    while start.elapsed() < duration {
        for (group, times) in groups.iter().zip(&mut all) {
            let join = ask(&socket, &format!("!JOIN {group}"), &format!("OK JOINED {group}"))?;
            let leave = ask(&socket, &format!("!LEAVE {group}"), &format!("OK LEFT {group}"))?;
            for (histogram, time) in [(&mut times.joins, join), (&mut times.leaves, leave)] {
                match time {
                    Some(time) => histogram.record(time.as_nanos() as u64)?,
                    None => times.lost += 1,
                }
            }
        }
    }
    Ok(all)
}

/// How long the answer took; none if it was lost.
fn ask(socket: &UdpSocket, request: &str, expected: &str) -> anyhow::Result<Option<Duration>> {
    std::thread::sleep(PAUSE);
    let mut buffer = [0; 2048];
    let start = Instant::now();
    socket.send(request.as_bytes())?;
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        let len = match socket.recv(&mut buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("the relay has ended"),
        };
        match &buffer[..len] {
            answer if answer == expected.as_bytes() => return Ok(Some(start.elapsed())),
            answer if answer.starts_with(b"ERR ") => {
                bail!("{request} is answered {}", String::from_utf8_lossy(answer));
            }
            // A payload of the others.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_between_request_and_answer_are_passed_over() {
        let (relay, client) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        client.connect(relay.local_addr().unwrap()).unwrap();
        relay.connect(client.local_addr().unwrap()).unwrap();
        relay.send(b"....").unwrap();
        relay.send(b"OK JOINED G").unwrap();
        assert!(ask(&client, "!JOIN G", "OK JOINED G").unwrap().is_some());
        relay.send(b"ERR GROUP_FULL G").unwrap();
        assert!(ask(&client, "!JOIN G", "OK JOINED G").is_err());
    }
}
