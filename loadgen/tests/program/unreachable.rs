//! There is no relay: one line says so, before anything else is said.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use crate::common::program::Program;

#[test]
fn nobody_listens() {
    // Bound to know a port that nobody else has, and closed again.
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = Program::new(&format!("run --target {address}")).end();
    ended.failed(1, &[&address.to_string(), "nothing listens", "connection refused", "--target"]);
}

#[test]
fn somebody_listens_and_says_nothing() {
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    let ended = Program::new(&format!("run --target {address}")).end();
    ended.failed(1, &[&address.to_string(), "no answer", "is the relay running"]);
}

#[test]
fn somebody_answers_nonsense() {
    let strange = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = strange.local_addr().unwrap();
    strange.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (_, from) = strange.recv_from(&mut [0; 100]).unwrap();
            strange.send_to(b"220 mail.example ESMTP", from).unwrap();
        });
        let ended = Program::new(&format!("run --target {address}")).end();
        ended.failed(1, &[&address.to_string(), "no relay of this protocol"]);
    });
}

#[test]
fn nobody_knows_the_name() {
    let ended = Program::new("run --target no-such-host.invalid:5000").end();
    ended.failed(2, &["no-such-host.invalid:5000", "HOST:PORT"]);
}

#[test]
fn no_worker_is_there() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = Program::new(&format!("run --workers {address}")).end();
    ended.failed(1, &["worker", &address.to_string(), "refused"]);
}
