//! What links and hosts count of what they lose.

use std::fs;
use std::process::Command;

use serde_json::Value;

/// Datagrams that queues of this kind have dropped on a device.
#[track_caller]
pub fn queue_drops(kind: &str, device: &str) -> u64 {
    let queues = json("tc", &format!("-s -j qdisc show dev {device}"));
    let of_kind = queues.as_array().expect("queues").iter().filter(|queue| queue["kind"] == kind);
    of_kind.map(|queue| queue["drops"].as_u64().expect("a count")).sum()
}

/// Packets that a device has dropped: `rx` or `tx`.
#[track_caller]
pub fn device_drops(device: &str, direction: &str) -> u64 {
    let links = json("ip", &format!("-s -j link show dev {device}"));
    links[0]["stats64"][direction]["dropped"].as_u64().expect("a count")
}

/// A count of the calling thread's network namespace: `Udp NoPorts`.
#[track_caller]
pub fn counted(protocol: &str, name: &str) -> u64 {
    let files = ["snmp", "netstat"].map(|name| fs::read_to_string(format!("/proc/thread-self/net/{name}")));
    let text = files.map(|text| text.expect("/proc is there")).concat();
    let prefix = format!("{protocol}: ");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) = pairs.find(|(other, _)| *other == name).expect("a count of this name");
    value.parse().expect("a number")
}

/// Asks a classic BPF program about every packet of a protocol that passes a device, which has a `clsact`: 0 lets it go
/// on (`TC_ACT_OK`), 2 drops it (`TC_ACT_SHOT`).
#[track_caller]
pub fn filter(device: &str, direction: &str, protocol: &str, program: &str) {
    let words = format!("filter add dev {device} {direction} protocol {protocol} bpf da bytecode");
    // The program is one argument, with spaces.
    let output = Command::new("tc").args(words.split(' ')).arg(program).output().expect("iproute2 is there");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn json(program: &str, arguments: &str) -> Value {
    let output = Command::new(program).args(arguments.split(' ')).output().expect("iproute2 is there");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{program} {arguments}: {error}"))
}
