//! A worker, and whoever connects to it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::program::{Program, Running};
use crate::common::relay::{LossyRelay, Options};
use crate::common::{PATIENCE, eventually};

/// A worker, and where it listens.
fn worker(words: &str) -> (Running, String) {
    let running = Program::new(&format!("worker --listen 127.0.0.1:0 {words}")).start();
    let line = running.wait_for("waits for plans");
    let address = line.rsplit(' ').next().unwrap().to_owned();
    (running, address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What it answers, until it closes.
fn answer(stream: &TcpStream) -> String {
    BufReader::new(stream).lines().map_while(Result::ok).collect()
}

#[test]
fn an_empty_token_is_none() {
    let ended = Program::new("worker --listen 0.0.0.0:0 --token").word("").end();
    ended.failed(2, &["--listen 0.0.0.0:0", "--token"]);
}

#[test]
fn what_is_no_hello_is_answered() {
    let (worker, address) = worker("");
    for (said, answered) in [("GET / HTTP/1.0\n", "another form"), ("{}\n", "another form")] {
        let mut stream = connect(&address);
        stream.write_all(said.as_bytes()).unwrap();
        let line = answer(&stream);
        assert!(line.contains("failed") && line.contains(answered), "{said}: {line}");
    }
    worker.kill();
}

/// Not even whoever sends a byte now and then.
#[test]
fn nobody_holds_a_place_without_a_hello() {
    let (worker, address) = worker("");
    let mut slow: Vec<TcpStream> = (0..8).map(|_| connect(&address)).collect();
    let start = Instant::now();
    eventually("a ninth is sent away", || answer(&connect(&address)).is_empty().then_some(()));
    assert!(start.elapsed() < Duration::from_secs(4), "at once, not when its time is over");
    let loris = &mut slow[0];
    // A second apart: what is tested is that each does not begin the time anew.
    while start.elapsed() < Duration::from_secs(20) && loris.write_all(b"{").is_ok() {
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(slow[1..].iter().all(|stream| answer(stream).contains("no whole hello")));
    worker.kill();
}

#[test]
fn once_means_a_plan_that_was_done() {
    let relay = LossyRelay::start(Options::default());
    let (mut worker, address) = worker("--once --token word");
    connect(&address).write_all(b"nonsense\n").unwrap();
    drop(connect(&address));
    let run = |token: &str| {
        let load = "--clients 4 --groups 2 --ramp 0 --duration 200ms --json -";
        Program::run(relay.address(), &format!("{load} --workers {address} --token {token}")).end()
    };
    run("other").failed(1, &["--token"]);
    assert!(worker.is_running());
    assert_eq!(run("word").report().members(), 4);
    assert_eq!(worker.end().code, Some(0));
}

#[test]
fn the_clients_of_workers_leave_when_joining_is_interrupted() {
    let relay = LossyRelay::start(Options::default());
    let (worker, address) = worker("");
    let load = format!("--clients 1000 --group-size 5 --ramp 20s --json - --workers {address}");
    let running = Program::run(relay.address(), &load).start();
    eventually("many join", || (relay.members() > 50).then_some(()));
    running.signal(Signal::SIGINT);
    running.end().failed(1, &["nothing was measured"]);
    eventually("everybody has left", || (relay.members() == 0).then_some(()));
    worker.kill();
}

/// The connection ends, and nobody has said why.
#[test]
fn the_clients_of_workers_leave_when_nobody_asks_for_them_any_more() {
    let relay = LossyRelay::start(Options::default());
    let (worker, address) = worker("");
    let load = format!("--clients 100 --group-size 5 --ramp 0 --duration 1h --workers {address}");
    let running = Program::run(relay.address(), &load).start();
    eventually("all join", || (relay.members() == 100).then_some(()));
    running.kill();
    eventually("everybody has left", || (relay.members() == 0).then_some(()));
    worker.kill();
}

/// A plan to an address in IPv6 form of IPv4.
#[test]
fn a_mapped_target_is_what_it_maps() {
    let relay = LossyRelay::start(Options::default());
    let (worker, address) = worker("");
    let target = format!("[::ffff:127.0.0.1]:{}", relay.address().port());
    let load = "--clients 4 --groups 2 --ramp 0 --duration 200ms --relay-metrics off";
    let run = Program::new(&format!("run --target {target} --workers {address} {load}"));
    assert_eq!(run.report().members(), 4);
    worker.kill();
}
