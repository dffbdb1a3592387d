//! Binding: nobody shares a port in silence, and every client always reaches the same shard.

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use net::{BindErrorKind, SocketOptions, bind, bind_clients};
use nix::libc;

use crate::forbid::{Call, forbid};

#[path = "../common/forbid.rs"]
mod forbid;
mod steering;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_port_is_shared_by_the_shards_and_by_nobody_else() {
    let options = SocketOptions::default();
    for shards in [1, 3] {
        let first = bind(&[address("127.0.0.1:0")], shards, options).unwrap();
        assert_eq!(first.shards.len(), shards);
        let started = Instant::now();
        let error = bind(&first.addresses, shards, options).unwrap_err();
        assert_eq!((error.kind, error.address), (BindErrorKind::InUse, first.addresses[0]));
        assert!(started.elapsed() >= Duration::from_secs(2), "a port in use is retried");
        assert!(error.to_string().contains(&first.addresses[0].to_string()));
        drop(first.shards);
        bind(&first.addresses, shards, options).unwrap();
    }
}

#[test]
fn a_port_that_becomes_free_is_taken() {
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let wanted = holder.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    let waiting = std::thread::spawn(move || {
        tell.send(nix::unistd::gettid()).unwrap();
        bind(&[wanted], 2, SocketOptions::default()).map(drop)
    });
    let call = format!("/proc/self/task/{}/syscall", told.recv().unwrap());
    let sleeping = format!("{} ", libc::SYS_clock_nanosleep);
    while !std::fs::read_to_string(&call).unwrap().starts_with(&sleeping) {
        assert!(!waiting.is_finished(), "it waits for the port");
    }
    drop(holder);
    waiting.join().unwrap().unwrap();
}

#[test]
fn several_addresses_share_a_chosen_port() {
    let addresses = ["127.0.0.1:0", "[::1]:0", "127.0.0.2:0"].map(address);
    let binding = bind(&addresses, 2, SocketOptions::default()).unwrap();
    let ports: Vec<u16> = binding.addresses.iter().map(SocketAddr::port).collect();
    assert!(ports[0] != 0 && ports.iter().all(|&port| port == ports[0]));
    for shard in &binding.shards {
        assert!(shard.iter().map(net::Socket::address).eq(binding.addresses.iter().copied()));
    }
}

#[test]
fn both_wildcards_share_a_port() {
    let binding = bind(&["0.0.0.0:0", "[::]:0"].map(address), 1, SocketOptions::default()).unwrap();
    assert_eq!(binding.addresses[0].port(), binding.addresses[1].port());
    assert!(binding.shards[0].iter().all(net::Socket::is_wildcard));
}

#[test]
fn errors_name_the_address_and_the_reason() {
    let good = address("127.0.0.1:0");
    for (bad, kind) in [
        (address("192.0.2.77:0"), BindErrorKind::NotAvailable),
        (address("[2001:db8::77]:0"), BindErrorKind::NotAvailable),
        (address("224.0.0.1:0"), BindErrorKind::Many),
        (address("255.255.255.255:0"), BindErrorKind::Many),
        (address("[ff02::1]:0"), BindErrorKind::Many),
    ] {
        let error = bind(&[good, bad], 2, SocketOptions::default()).unwrap_err();
        assert_eq!((error.address.ip(), error.kind), (bad.ip(), kind));
    }
}

#[test]
fn a_refusal_without_a_name_says_what_the_kernel_said() {
    for (errno, kind, text) in [
        (libc::EMFILE, BindErrorKind::Descriptors, "the limit of open files is too low"),
        (libc::ENFILE, BindErrorKind::Descriptors, "the limit of open files is too low"),
        (libc::ENOBUFS, BindErrorKind::Other, "No buffer space available (os error 105)"),
    ] {
        std::thread::spawn(move || {
            forbid(&Call { number: libc::SYS_socket, argument: None }, errno);
            let error = bind(&[address("127.0.0.1:5000")], 1, SocketOptions::default()).unwrap_err();
            assert_eq!(error.kind, kind);
            assert_eq!(error.to_string(), format!("cannot bind 127.0.0.1:5000: {text}"));
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_privilege_is_asked_for_only_where_the_port_takes_one() {
    for (at, kind, text) in [
        ("127.0.0.1:80", BindErrorKind::Permission, "ports below 1024 need CAP_NET_BIND_SERVICE"),
        ("127.0.0.1:5000", BindErrorKind::Forbidden, "a seccomp profile"),
        ("[::1]:0", BindErrorKind::Forbidden, "a seccomp profile"),
    ] {
        std::thread::spawn(move || {
            forbid(&Call { number: libc::SYS_setsockopt, argument: None }, libc::EPERM);
            let error = bind(&[address(at)], 1, SocketOptions::default()).unwrap_err();
            assert_eq!(error.kind, kind);
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(error.to_string().contains("1024"), kind == BindErrorKind::Permission, "{error}");
        })
        .join()
        .unwrap();
    }
}

#[test]
fn clients_without_descriptors_say_so() {
    std::thread::spawn(|| {
        forbid(&Call { number: libc::SYS_socket, argument: None }, libc::EMFILE);
        let error = bind_clients(address("127.0.0.1:0").ip(), 3, None, SocketOptions::default()).unwrap_err();
        assert_eq!(error.kind, BindErrorKind::Descriptors);
        assert_eq!(error.to_string(), "cannot bind 127.0.0.1:0: the limit of open files is too low");
    })
    .join()
    .unwrap();
}

#[test]
fn clients_have_a_port_each() {
    for (ip, wildcard) in [("127.0.0.1:0", false), ("[::1]:0", false), ("0.0.0.0:0", true)] {
        let sockets = bind_clients(address(ip).ip(), 100, None, SocketOptions::default()).unwrap();
        let ports: HashSet<u16> = sockets.iter().map(|socket| socket.address().port()).collect();
        assert_eq!((sockets.len(), ports.len()), (100, 100));
        assert!(sockets.iter().all(|socket| socket.is_wildcard() == wildcard && socket.peer().is_none()));
    }
}

#[test]
fn granted_buffers_are_told_in_the_unit_of_the_request() {
    let options = SocketOptions { receive_buffer: 300_000, send_buffer: 200_000, ..SocketOptions::default() };
    let binding = bind(&[address("127.0.0.1:0")], 2, options).unwrap();
    assert_eq!((binding.receive_buffer, binding.send_buffer), (300_000, 200_000));
}

#[test]
fn without_privileges_the_sysctl_is_the_limit() {
    std::thread::spawn(|| {
        for option in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
            forbid(&Call { number: libc::SYS_setsockopt, argument: Some((2, option as u32)) }, libc::EPERM);
        }
        let options =
            SocketOptions { receive_buffer: 1 << 30, send_buffer: 1 << 30, ..SocketOptions::default() };
        let binding = bind(&[address("127.0.0.1:0")], 1, options).unwrap();
        let limit = |name: &str| -> usize {
            let text = std::fs::read_to_string(format!("/proc/sys/net/core/{name}_max")).unwrap();
            text.trim().parse().unwrap()
        };
        assert_eq!((binding.receive_buffer, binding.send_buffer), (limit("rmem"), limit("wmem")));
    })
    .join()
    .unwrap();
}
