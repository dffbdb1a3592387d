//! Whoever speaks while the relay starts.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Backend, PATIENCE, RelayOptions, alone};

/// They are set up one after the other: the first is there long before the last, and before the store.
const SHARDS: usize = 32;

/// Comes as soon as anything answers; what it is told when it asks for a name.
fn come(relay: SocketAddr, name: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let (begun, mut say, mut buffer) = (Instant::now(), "!HELLO 2".to_owned(), [0; 128]);
    while begun.elapsed() < PATIENCE {
        socket.send_to(say.as_bytes(), relay).unwrap();
        let len = match socket.recv(&mut buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        };
        let told = String::from_utf8(buffer[..len].to_vec()).unwrap();
        match told.split_once(' ').unwrap() {
            ("!RETRY", cookie) => say = format!("!HELLO 2 {cookie} FROM"),
            ("!OK", hello) if hello.starts_with("HELLO ") => say = format!("!REG {name}"),
            _ => return told,
        }
    }
    panic!("{name} is told nothing")
}

#[test]
fn who_comes_while_the_relay_starts_has_its_name() {
    alone(|| {
        let relay = SocketAddr::from(([127, 0, 0, 1], 5000));
        // So many rings would lock more memory than a user may, with those of other stories.
        let options = RelayOptions::new(Backend::Mmsg).env("RELAY_PORT", "5000");
        thread::scope(|scope| {
            let come = |number| scope.spawn(move || come(relay, &format!("name{number}")));
            let people: Vec<_> = (0..SHARDS).map(come).collect();
            let _relay = options.env("RELAY_SHARDS", &SHARDS.to_string()).start();
            for (number, person) in people.into_iter().enumerate() {
                let told = person.join().unwrap();
                assert!(told.starts_with(&format!("!OK REG name{number} ")), "{told}");
            }
        });
    });
}
