//! A relay that stands still for longer than anybody may be silent.

use std::thread;
use std::time::{Duration, Instant};

use super::figures::Lost;
use super::{Cast, SIZES, cast, explained, relay};
use crate::support::{Backend, Cable, eventually, tick, while_stopped};

const STOP: Duration = Duration::from_secs(200);
/// Three of them are far shorter than the stop.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// What a busy machine may add.
const GRAIN: Duration = Duration::from_millis(100);

/// Two of each group go on speaking, and two are never heard of again.
fn is_silent(at: usize) -> bool {
    at.is_multiple_of(2)
}

/// Takes almost four minutes, so that `cargo xtask test` tells it beside the other stories.
#[test]
#[ignore = "takes four minutes"]
fn for_200_seconds() {
    thread::scope(|scope| {
        for backend in [Backend::Uring, Backend::Mmsg] {
            scope.spawn(move || Cable::lay(|cable| is_stopped(cable, backend)));
        }
    });
}

fn is_stopped(cable: &Cable, backend: Backend) {
    let mut cast = cast(cable, relay(backend).with(["--heartbeat", "20", "--sweep", "1"]).start());
    cast.speak(20, &SIZES);
    explained(&mut cast, |_| Lost::default());
    // The time is the trouble: nothing is waited for.
    let start = Instant::now();
    while_stopped(cast.relay.pid(), || {
        while start.elapsed() < STOP {
            tick();
        }
    });
    let woken = Instant::now();

    // Whoever speaks within a heartbeat stays, and for so long nobody goes.
    let expired = |cast: &Cast| cast.relay.metric("relay_group_events_total", "event=\"expire\"");
    let speakers: Vec<usize> = cast.present().into_iter().filter(|&at| !is_silent(at)).collect();
    let first = speakers[0];
    ping(&mut cast, &speakers);
    let count = |cast: &mut Cast| cast.ask(first, "!WHO", "OK WHO ");
    assert!(count(&mut cast).ends_with(" 4"), "nobody was lost on waking up");
    while woken.elapsed() < HEARTBEAT - GRAIN {
        let gone = expired(&cast);
        assert!(
            gone == 0.0 || woken.elapsed() >= HEARTBEAT - GRAIN,
            "{gone} are gone after {:?}",
            woken.elapsed()
        );
        (0..25).for_each(|_| tick());
    }
    ping(&mut cast, &speakers);
    let silent = (cast.members.len() - speakers.len()) as f64;
    eventually("the silent ones go", || (expired(&cast) == silent).then_some(()));
    assert!(count(&mut cast).ends_with(" 2"));
    let silent: Vec<usize> = cast.present().into_iter().filter(|&at| is_silent(at)).collect();
    // They have heard all that there was for them.
    cast.listen();
    silent.iter().for_each(|&at| cast.members[at].vanish());
    cast.speak(20, &SIZES);
    let figures = explained(&mut cast, |_| Lost::default());
    cast.assert_order();
    figures.report("stopped for 200 s, silence of 60 s allowed", backend.name());
    assert!(figures.nothing_missing(), "{figures:?}");
    cast.end();
}

fn ping(cast: &mut Cast, speakers: &[usize]) {
    for &at in speakers {
        cast.ask(at, "!PING", "PONG 20.0");
    }
}
