//! Datagrams in and out, waiting and waking.

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use net::{Arrival, DriverConfig, Failure, FailureKind, Full, Part, Run, SocketIndex, SocketOptions, bind};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::candidate::{
    Candidate, DEADLINE, echo_of, flush, on, on_loopback, receive, release_all, run_of, until,
};
use crate::peer::Peer;

crate::contract![
    answers_what_arrives_v4,
    answers_what_arrives_v6,
    serves_all_its_sockets,
    reports_bytes_and_messages,
    sends_more_runs_than_one_submission_holds,
    hands_over_no_more_than_configured,
    oversize_is_seen,
    empty_datagrams_arrive,
    is_woken_by_another_thread,
    a_wake_up_before_the_wait_counts,
    returns_when_the_wait_is_over,
    a_signal_ends_no_driver,
    refuses_what_exceeds_the_budget,
    a_turn_may_be_empty,
    a_flush_sends_and_does_not_receive,
    a_receive_buffer_that_fills_up_is_seen,
    a_turn_may_end_without_taking_anything,
    a_text_goes_before_what_has_arrived,
];

mod few {
    use super::members_of_two_families_share_a_call_each;

    crate::contract_of_few![members_of_two_families_share_a_call_each];
}

/// The part itself is sent as it is in the same turn.
fn a_text_goes_before_what_has_arrived<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    peer.send(b"payload", relay);
    let arrivals = receive(&mut driver, 1);
    let Arrival { buffer, offset, len, .. } = arrivals[0];
    let rest = Part::Received { buffer, offset: offset + 3, len: len - 3 };
    let longer = driver.compose_before(b"before ", rest);
    for part in [longer, rest] {
        let gather = driver.gather(&[part]);
        let (size, bytes) = (part.len() as u16, part.len() as u32);
        let run = Run { socket: SocketIndex(0), to: peer.address, from: None, gather, size, bytes };
        driver.send(&run).unwrap();
    }
    release_all(&mut driver, &arrivals);
    flush(&mut driver);
    assert_eq!(peer.receive(), b"before load");
    assert_eq!(peer.receive(), b"load");
    assert_eq!(driver.end(), 512);
}

fn echo<C: Candidate>(address: &str) {
    let (mut driver, relay) = on::<C>(address, &DriverConfig::default());
    let peer = Peer::on(address);
    for text in ["one", "two", "three"] {
        peer.send(text.as_bytes(), relay);
        let arrivals = receive(&mut driver, 1);
        assert_eq!(driver.bytes(&arrivals[0]), text.as_bytes());
        assert_eq!((arrivals[0].source, arrivals[0].local), (peer.address, None));
        let run = echo_of(&mut driver, &arrivals[0]);
        driver.send(&run).unwrap();
        release_all(&mut driver, &arrivals);
        flush(&mut driver);
        assert_eq!(peer.receive_from(), (text.as_bytes().to_vec(), relay));
    }
    assert_eq!(driver.end(), 512);
}

fn answers_what_arrives_v4<C: Candidate>() {
    echo::<C>("127.0.0.1:0");
}

fn answers_what_arrives_v6<C: Candidate>() {
    echo::<C>("[::1]:0");
}

fn serves_all_its_sockets<C: Candidate>() {
    let addresses = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"].map(|address| address.parse().unwrap());
    let binding = bind(&addresses, 1, SocketOptions::default()).unwrap();
    let relays = binding.addresses;
    let mut driver = C::open(binding.shards.into_iter().next().unwrap(), &DriverConfig::default()).unwrap();
    let peers = [Peer::on_loopback(), Peer::on_loopback(), Peer::on("[::1]:0")];
    for (peer, relay) in peers.iter().zip(&relays) {
        peer.send(relay.to_string().as_bytes(), *relay);
    }
    let arrivals = receive(&mut driver, 3);
    for arrival in &arrivals {
        let relay = relays[usize::from(arrival.socket.0)];
        assert_eq!(driver.bytes(arrival), relay.to_string().as_bytes());
        let run = echo_of(&mut driver, arrival);
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    for (peer, relay) in peers.iter().zip(relays) {
        assert_eq!(peer.receive_from(), (relay.to_string().into_bytes(), relay));
    }
}

fn members_of_two_families_share_a_call_each<C: Candidate>() {
    let addresses = ["127.0.0.1:0", "[::1]:0"].map(|address| address.parse().unwrap());
    let binding = bind(&addresses, 1, SocketOptions::default()).unwrap();
    let mut driver = C::open(binding.shards.into_iter().next().unwrap(), &DriverConfig::default()).unwrap();
    let peers = [Peer::on_loopback(), Peer::on("[::1]:0")];
    let nowhere = "[::1]:0".parse().unwrap();
    for number in 0..40_u8 {
        let socket = number % 2;
        let to = if number == 21 { nowhere } else { peers[usize::from(socket)].address };
        let run = Run { socket: SocketIndex(socket.into()), ..run_of(&mut driver, to, &[&[number]]) };
        driver.send(&run).unwrap();
    }
    let enters = driver.stats().enters;
    driver.flush();
    // One for each socket, and two around what was refused.
    assert!(driver.stats().enters - enters <= 4);
    let failure = Failure { to: nowhere, kind: FailureKind::Other, datagrams: 1 };
    assert_eq!(driver.report().failures, [failure]);
    assert!(peers[0].drain().into_iter().flatten().eq((0..40).step_by(2)));
    assert!(peers[1].drain().into_iter().flatten().eq((1..40).step_by(2).filter(|&number| number != 21)));
}

fn reports_bytes_and_messages<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    let run = run_of(&mut driver, peer.address, &[b"abc", b"def", b"g"]);
    driver.send(&run).unwrap();
    let run = run_of(&mut driver, Peer::on_loopback().address, &[b"hello"]);
    driver.send(&run).unwrap();
    assert_eq!(driver.report().datagrams, 0, "nothing has left yet");
    flush(&mut driver);
    let report = driver.report();
    assert_eq!((report.datagrams, report.bytes, report.failed()), (4, 12, 0));
    assert_eq!((report.segments, report.segments_sum), ([1, 0, 1, 0, 0, 0, 0, 0], 4));
    report.clear();
    assert_eq!((report.datagrams, report.segments_sum), (0, 0));
}

fn sends_more_runs_than_one_submission_holds<C: Candidate>() {
    const RUNS: u32 = 1500;
    let (mut driver, _) = on_loopback::<C>();
    let peers: Vec<Peer> = (0..3).map(|_| Peer::on_loopback()).collect();
    for number in 0..RUNS {
        let peer = &peers[number as usize % peers.len()];
        let run = run_of(&mut driver, peer.address, &[&number.to_be_bytes()]);
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    assert_eq!((driver.report().datagrams, driver.report().failed()), (RUNS.into(), 0));
    for number in 0..RUNS {
        assert_eq!(peers[number as usize % peers.len()].receive(), number.to_be_bytes());
    }
}

fn hands_over_no_more_than_configured<C: Candidate>() {
    let config = DriverConfig { arrivals_per_exchange: 10, ..DriverConfig::default() };
    let (mut driver, relay) = on::<C>("127.0.0.1:0", &config);
    let peer = Peer::on_loopback();
    (0..100_u8).for_each(|number| peer.send(&[number], relay));
    let mut seen = Vec::new();
    until(|| {
        let mut arrivals = Vec::new();
        driver.exchange(&mut arrivals, Some(DEADLINE)).unwrap();
        assert!(arrivals.len() <= 10);
        seen.extend(arrivals.iter().map(|arrival| driver.bytes(arrival)[0]));
        release_all(&mut driver, &arrivals);
        seen.len() == 100
    });
    assert!(seen.into_iter().eq(0..100));
}

fn oversize_is_seen<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    for len in [4096, 4097, 4098, 65_507] {
        peer.send(&vec![7; len], relay);
    }
    let arrivals = receive(&mut driver, 4);
    let lens: Vec<u16> = arrivals.iter().map(|arrival| arrival.len).collect();
    assert_eq!(lens, [4096, 4097, 4097, 4097]);
    assert!(arrivals.iter().all(|arrival| driver.bytes(arrival).iter().all(|&byte| byte == 7)));
}

fn empty_datagrams_arrive<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    for text in ["", "a", "", "", "b"] {
        peer.send(text.as_bytes(), relay);
    }
    let arrivals = receive(&mut driver, 5);
    let texts: Vec<&[u8]> = arrivals.iter().map(|arrival| driver.bytes(arrival)).collect();
    assert_eq!(texts, [&b""[..], b"a", b"", b"", b"b"]);
    assert!(arrivals.iter().all(|arrival| arrival.source == peer.address));
}

fn is_woken_by_another_thread<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    for _ in 0..100 {
        let waker = driver.waker();
        let started = Instant::now();
        let other = thread::spawn(move || waker.wake());
        let mut arrivals = Vec::new();
        driver.exchange(&mut arrivals, None).unwrap();
        other.join().unwrap();
        assert!(arrivals.is_empty() && started.elapsed() < DEADLINE);
    }
}

fn a_wake_up_before_the_wait_counts<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let waker = driver.waker();
    waker.wake();
    waker.clone().wake();
    driver.exchange(&mut Vec::new(), Some(Duration::MAX)).unwrap();
    let started = Instant::now();
    driver.exchange(&mut Vec::new(), Some(Duration::from_millis(20))).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(20), "both wake-ups were one");
}

fn returns_when_the_wait_is_over<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    for wait in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(30)] {
        let started = Instant::now();
        driver.exchange(&mut Vec::new(), Some(wait)).unwrap();
        assert!(started.elapsed() >= wait && started.elapsed() < DEADLINE);
    }
}

fn a_signal_ends_no_driver<C: Candidate>() {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let (mut driver, relay) = on_loopback::<C>();
            tell.send((driver.waker(), relay)).unwrap();
            let mut arrivals = Vec::new();
            while !done.load(Ordering::Acquire) {
                driver.exchange(&mut arrivals, None).unwrap();
            }
            arrivals.len()
        }
    });
    let (waker, relay) = told.recv().unwrap();
    let peer = Peer::on_loopback();
    for number in 0..200_u8 {
        // SAFETY: the thread has not been joined.
        assert_eq!(unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) }, 0);
        peer.send(&[number], relay);
    }
    done.store(true, Ordering::Release);
    waker.wake();
    assert!(thread.join().unwrap() <= 200);
}

fn refuses_what_exceeds_the_budget<C: Candidate>() {
    let config = DriverConfig { turn_budget: 100, ..DriverConfig::default() };
    let (mut driver, _) = on::<C>("127.0.0.1:0", &config);
    let peer = Peer::on_loopback();
    let text: Part = driver.compose(b"tick");
    let gather = driver.gather(&[text; 60]);
    let run = Run { socket: SocketIndex(0), to: peer.address, from: None, gather, size: 4, bytes: 240 };
    assert_eq!(driver.send(&run), Ok(()));
    assert_eq!(driver.send(&run), Err(Full));
    let rest = Run { gather: net::Gather { count: 40, ..gather }, bytes: 160, ..run };
    assert_eq!(driver.send(&rest), Ok(()));
    flush(&mut driver);
    assert_eq!((driver.report().datagrams, driver.report().failed()), (100, 0));
    let run = run_of(&mut driver, peer.address, &[b"next turn"]);
    assert_eq!(driver.send(&run), Ok(()));
    flush(&mut driver);
    assert_eq!(peer.drain().len(), 101);
}

fn a_turn_may_be_empty<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    driver.flush();
    let run =
        Run { gather: driver.gather(&[]), ..run_of(&mut driver, "127.0.0.1:9".parse().unwrap(), &[b"x"]) };
    driver.send(&run).unwrap();
    flush(&mut driver);
    assert_eq!((driver.report().datagrams, driver.report().failed()), (0, 0));
}

fn a_flush_sends_and_does_not_receive<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    peer.send(b"in", relay);
    let run = run_of(&mut driver, peer.address, &[b"out", b"out"]);
    for sent in [2, 4] {
        driver.send(&run).unwrap();
        driver.flush();
        assert_eq!(driver.report().datagrams, sent);
        assert_eq!(peer.drain(), [b"out", b"out"], "lists hold until the next exchange");
    }
    let arrivals = receive(&mut driver, 1);
    assert_eq!(driver.bytes(&arrivals[0]), b"in");
}

fn a_receive_buffer_that_fills_up_is_seen<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    assert_eq!(driver.receive_pressure(), 0.0);
    let mut sent = 0;
    until(|| {
        peer.send(&[0; 1000], relay);
        sent += 1;
        driver.receive_pressure() > 0.01
    });
    let arrivals = receive(&mut driver, sent);
    release_all(&mut driver, &arrivals);
    assert_eq!(driver.receive_pressure(), 0.0);
    assert_eq!(driver.end(), 512);
}

fn a_turn_may_end_without_taking_anything<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    peer.send(b"waits", relay);
    for text in [b"one", b"two"] {
        let run = run_of(&mut driver, peer.address, &[text]);
        driver.send(&run).unwrap();
        driver.end_turn().unwrap();
        assert_eq!(peer.receive_from(), (text.to_vec(), relay));
    }
    let arrivals = receive(&mut driver, 1);
    assert_eq!(driver.bytes(&arrivals[0]), b"waits");
    release_all(&mut driver, &arrivals);
    assert_eq!(driver.end(), 512);
}
