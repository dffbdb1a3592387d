//! Looks at the relay's own metrics before and after a measurement, where they can be had.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::relay_view::{Reading, default_url, read};
use crate::report::RelayView;

/// The relay publishes its counters every 50 ms (`PUBLISH_EVERY` in its limits); as much again for a busy machine.
const PUBLISHED: Duration = Duration::from_millis(100);

/// A command that no client sends.
const SIGN: &[u8] = b"!LOADGEN";

/// So many of them, and at random up to as many again, are sent to find out whether the metrics are the target's.
const SIGNS: u64 = 17;

/// Unknown commands of others that may come between.
const OTHERS: u64 = 3;

/// Tries, where others send unknown commands as well.
const ATTEMPTS: u32 = 5;

/// Where the relay's metrics are, if anywhere.
#[derive(Clone, Debug)]
pub struct Observer {
    url: Result<String, String>,
}

impl Observer {
    /// Finds the metrics: `auto` (the default port of the target), `off`, or a URL.
    ///
    /// They are believed only if they count what is sent to the target.
    pub fn find(wanted: &str, target: SocketAddr) -> Self {
        let url = match wanted {
            "off" => Err("the relay's metrics were not asked for".to_owned()),
            "auto" => verified(default_url(target), target),
            url => verified(url.to_owned(), target),
        };
        Observer { url }
    }

    /// Reads the metrics, when all that was counted so far has been published.
    pub fn look(&self) -> Option<Reading> {
        let url = self.url.as_ref().ok()?;
        thread::sleep(PUBLISHED);
        read(url).ok()
    }

    /// What the relay did between two readings, with traffic for so long, or why that cannot be said.
    ///
    /// # Errors
    /// A sentence.
    pub fn view(
        &self,
        before: Option<&Reading>,
        after: Option<&Reading>,
        traffic: Duration,
    ) -> Result<RelayView, String> {
        self.url.as_ref().map_err(Clone::clone)?;
        let gone = || "the relay's metrics could not be read any more".to_owned();
        let (before, after) = (before.ok_or_else(gone)?, after.ok_or_else(gone)?);
        after.since(before, traffic).map_err(|error| error.to_string())
    }
}

fn verified(url: String, target: SocketAddr) -> Result<String, String> {
    for _ in 0..ATTEMPTS {
        match counted(&url, target)? {
            Counted::Exactly => return Ok(url),
            Counted::Less => {
                return Err(format!(
                    "the metrics at {url} do not count what is sent to {target}: they are another relay's"
                ));
            }
            // Another loadgen may be doing the same; they will not meet again and again.
            Counted::More => thread::sleep(PUBLISHED * rand::random_range(0..ATTEMPTS)),
        }
    }
    Err(format!("the metrics at {url} count so much else that they cannot be told from another relay's"))
}

/// What the metrics made of the bursts.
enum Counted {
    Exactly,
    Less,
    More,
}

fn counted(url: &str, target: SocketAddr) -> Result<Counted, String> {
    let socket = socket(target).map_err(|error| error.to_string())?;
    let mut before = refused(url)?;
    for burst in bursts() {
        speak(&socket, target, burst).map_err(|error| error.to_string())?;
        thread::sleep(PUBLISHED);
        let after = refused(url)?;
        let grown = after.saturating_sub(before);
        if grown < burst {
            return Ok(Counted::Less);
        }
        if grown > burst + OTHERS {
            return Ok(Counted::More);
        }
        before = after;
    }
    Ok(Counted::Exactly)
}

/// Two numbers so different that nothing else grows evenly by both.
fn bursts() -> [u64; 2] {
    let more = rand::random_range(0..=SIGNS);
    let other = (more + rand::random_range(OTHERS + 1..SIGNS - OTHERS)) % (SIGNS + 1);
    [SIGNS + more, SIGNS + other]
}

fn refused(url: &str) -> Result<u64, String> {
    read(url).map(|reading| reading.unknown_commands()).map_err(|error| error.to_string())
}

fn socket(target: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = if target.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    UdpSocket::bind(any)
}

/// Sends commands that the relay counts and refuses.
fn speak(socket: &UdpSocket, target: SocketAddr, times: u64) -> std::io::Result<()> {
    (0..times).try_for_each(|_| socket.send_to(SIGN, target).map(drop))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// The metrics of a relay that refused as many unknown commands as this counts.
    fn metrics(refused: impl Fn() -> u64 + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let refused = refused();
                let text = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nrelay_build_info 1\n\
                     relay_commands_total{{command=\"who\"}} {refused}\n\
                     relay_requests_refused_total{{reason=\"bad_cmd\"}} {refused}\n"
                );
                let _ = stream.write_all(text.as_bytes());
            }
        });
        url
    }

    /// A target, and how much it heard.
    fn target() -> (SocketAddr, Arc<AtomicU64>) {
        let (socket, heard) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Arc::new(AtomicU64::new(0)));
        let (address, count) = (socket.local_addr().unwrap(), Arc::clone(&heard));
        thread::spawn(move || {
            while socket.recv(&mut [0; 64]).is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        (address, heard)
    }

    #[test]
    fn bursts_differ() {
        for _ in 0..1000 {
            let [one, other] = bursts();
            assert!(one >= SIGNS && other >= SIGNS && one.abs_diff(other) > OTHERS, "{one} {other}");
        }
    }

    #[test]
    fn only_the_targets_own_metrics_are_believed() {
        let (address, heard) = target();
        let own = metrics(move || heard.load(Ordering::Relaxed));
        assert_eq!(verified(own.clone(), address), Ok(own));
        // Another relay on which a little, a lot or nothing goes on meanwhile.
        for step in [0, 5, 20, 25, 34, 1000] {
            let count = AtomicU64::new(0);
            let other = metrics(move || count.fetch_add(step, Ordering::Relaxed));
            let error = verified(other, address).unwrap_err();
            assert!(error.contains("another relay's"), "{step}: {error}");
        }
    }
}
