//! A relay that nobody speaks to uses next to no processor time, and one that works says that it does.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Backend, Client, Relay, RelayOptions, each_backend, eventually};

use super::tools::cpu_time;

const SILENT: usize = 1000;
const WATCHED: Duration = Duration::from_secs(5);

#[test]
fn a_thousand_silent_members_cost_less_than_a_hundredth_of_a_core() {
    // Both at the same time, because it takes a while.
    thread::scope(|scope| {
        for backend in [Backend::Uring, Backend::Mmsg] {
            scope.spawn(move || watch_idle(backend));
        }
    });
}

fn watch_idle(backend: Backend) {
    let relay = RelayOptions::new(backend).with(["--cap", "none"]).start();
    let group = Client::to(relay.address()).create();
    for number in 0..SILENT {
        // Members stay when their sockets are gone; an address of its own keeps each apart.
        let own = Ipv4Addr::new(127, 9, (number / 250) as u8, (number % 250) as u8 + 1);
        Client::from((own, 0).into(), relay.address()).join(&group);
    }
    eventually("all are members", || (relay.metric("relay_members", "") == SILENT as f64).then_some(()));
    let busy = || relay.metric("relay_shard_busy_seconds_total", "");
    let (start, busy_before, cpu_before) = (Instant::now(), busy(), cpu_time(relay.pid()));
    thread::sleep(WATCHED);
    let (used, elapsed) = (cpu_time(relay.pid()) - cpu_before, start.elapsed());
    let busy = busy() - busy_before;
    eprintln!("idle on {backend:?}: {used:?} of {elapsed:?}, busy {busy:.6} s");
    assert!(used < elapsed / 100, "{used:?} of CPU time in {elapsed:?}");
    assert!(busy < elapsed.as_secs_f64() / 100.0, "busy for {busy} s in {elapsed:?}");
    assert_eq!(relay.metric("relay_members", ""), SILENT as f64);
}

#[test]
fn work_is_time_that_a_shard_is_busy() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let client = Client::to(relay.address());
        client.join(&client.create());
        let busy = || relay.metric("relay_shard_busy_seconds_total", "");
        let before = busy();
        let start = Instant::now();
        eventually("a tenth of a second of work", || {
            for _ in 0..500 {
                client.ask("!PING");
            }
            (busy() > before + 0.1).then_some(())
        });
        // Each of two shards at most all of the time.
        assert!(busy() - before < 2.0 * start.elapsed().as_secs_f64() + 0.2);
    });
}
