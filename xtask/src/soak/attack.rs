//! What a relay on the open internet gets besides its load: groups that nobody joins, members that never speak, guesses,
//! and junk, each from an address of its own.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Between two datagrams: 200 a second, a fraction of what the relay takes, so that its latency is not theirs.
const PAUSE: Duration = Duration::from_millis(5);

/// A member of a group that exists joins it under so many addresses before the next group is made.
const CROWD: u64 = 300;

const WORDS: [&str; 8] =
    ["!PING", "!WHO", "OK JOINED X", "ERR", "!", "!JOIN", "!LEAVE NOBODY99", "a payload"];

/// Attacks until it is done; gives how many datagrams that were.
pub fn go_on(relay: &str, done: &AtomicBool) -> anyhow::Result<u64> {
    let mut random = StdRng::seed_from_u64(9);
    let (begun, mut sent, mut group) = (Instant::now(), 0, String::from("NOBODY99"));
    while !done.load(Ordering::Relaxed) {
        if sent % CROWD == 0 {
            group = created(relay)?.unwrap_or(group);
        }
        // Trusted addresses end where these begin.
        let own =
            Ipv4Addr::new(127, random.random_range(128..255), random.random(), random.random_range(1..255));
        let socket = UdpSocket::bind((own, 0))?;
        let datagram = match random.random_range(0..4) {
            0 => "!CREATE".to_owned(),
            1 => format!("!JOIN {group}"),
            2 => format!("!JOIN {}", guess(&mut random)),
            _ => junk(&mut random),
        };
        socket.send_to(datagram.as_bytes(), relay)?;
        sent += 1;
        thread::sleep((PAUSE * sent as u32).saturating_sub(begun.elapsed()));
    }
    Ok(sent)
}

/// A group of an honest client of the same network, if the relay answers it.
fn created(relay: &str) -> anyhow::Result<Option<String>> {
    let socket = UdpSocket::bind("127.255.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    socket.send_to(b"!CREATE", relay)?;
    let mut answer = [0; 64];
    let Ok(len) = socket.recv(&mut answer) else { return Ok(None) };
    Ok(String::from_utf8_lossy(&answer[..len]).strip_prefix("OK CREATED ").map(str::to_owned))
}

fn guess(random: &mut StdRng) -> String {
    (0..8).map(|_| char::from(random.random_range(b'A'..=b'Z'))).collect()
}

fn junk(random: &mut StdRng) -> String {
    match random.random_range(0..3) {
        0 => "x".repeat(random.random_range(0..5000)),
        _ => WORDS[random.random_range(0..WORDS.len())].to_owned(),
    }
}
