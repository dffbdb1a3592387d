//! The HTTP server when somebody wants to wear it out.

use std::io::Read;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::support::{Backend, Relay, RelayOptions, eventually};

use super::tools::main_job;

/// Connections that say nothing.
fn idlers(relay: &Relay, count: usize) -> Vec<TcpStream> {
    let address = relay.metrics_address();
    (0..count).filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()).collect()
}

#[test]
fn idle_connections_are_cut_off_and_keep_nobody_out() {
    let relay = Relay::start(Backend::Mmsg);
    let mut idlers = idlers(&relay, 40);
    assert_eq!(relay.http("/livez").0, 200, "a place becomes free within seconds");
    for idler in &mut idlers {
        idler.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
        // Not `read`, which gives up when a signal comes in between.
        assert_eq!(idler.read_to_end(&mut Vec::new()).unwrap(), 0, "an idle connection is closed");
    }
}

#[test]
fn an_address_that_others_reach_is_told_once() {
    const WARNING: &str = "whoever reaches the metrics address";
    for (listen, told) in [("127.0.0.1:0", 0), ("[::1]:0", 0), ("0.0.0.0:0", 1)] {
        let relay = RelayOptions::new(Backend::Mmsg).with(["--metrics-listen", listen]).start();
        relay.wait_for_log("the relay serves");
        let lines: Vec<String> = relay.log().into_iter().filter(|line| line.contains(WARNING)).collect();
        assert_eq!(lines.len(), told, "{listen}: {lines:#?}");
    }
}

#[test]
fn health_survives_a_lack_of_descriptors() {
    let relay = Relay::start(Backend::Uring);
    let open = std::fs::read_dir(format!("/proc/{}/fd", relay.pid())).unwrap().count();
    let limit = format!("--nofile={0}:{0}", open + 3);
    let status = Command::new("prlimit").args(["--pid", &relay.pid().to_string(), &limit]).status();
    assert!(status.expect("prlimit runs").success());
    let idlers = idlers(&relay, 20);
    // Datagrams need no descriptor, also those to destinations that are new.
    main_job(relay.address());
    drop(idlers);
    eventually("the metrics server answers again", || (relay.http("/livez").0 == 200).then_some(()));
}
