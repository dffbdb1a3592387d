//! A process that is killed leaves its port to the next one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use net::{DriverConfig, SocketOptions, bind};

use crate::candidate::{Candidate, on_loopback};

crate::contract![a_killed_process_frees_its_port];

const VICTIM: &str = "NET_TEST_VICTIM";

/// Runs itself again, as the process that is killed.
fn a_killed_process_frees_its_port<C: Candidate>() {
    if std::env::var_os(VICTIM).is_some() {
        return hold_a_port::<C>();
    }
    let name = std::thread::current().name().expect("the test's name").to_owned();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let address = address_of(&mut victim);
    victim.kill().unwrap();
    victim.wait().unwrap();
    let binding = bind(&[address], 1, SocketOptions::default()).unwrap();
    C::open(binding.shards.into_iter().next().unwrap(), &DriverConfig::default()).unwrap();
}

fn address_of(victim: &mut Child) -> std::net::SocketAddr {
    let output = BufReader::new(victim.stdout.take().unwrap());
    let line =
        output.lines().map(Result::unwrap).find_map(|line| Some(line.split_once("bound to ")?.1.to_owned()));
    line.expect("the victim says where it is").parse().unwrap()
}

fn hold_a_port<C: Candidate>() {
    let (_driver, relay) = on_loopback::<C>();
    println!("bound to {relay}");
    // Until it is killed, or its parent is gone.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}
