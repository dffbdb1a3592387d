//! A member behind an MTU of 1500: segments that fit, plain sends where they do not, and nothing lost in between.

use std::net::SocketAddr;

use super::{Speech, assert_no_drops, assert_same, hear_all, wait_for_segments};
use crate::support::{
    Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, eventually, ip, stay_here, tick,
};

/// What was counted when nothing moves any more.
fn settled(counted: impl Fn() -> [f64; 2]) -> [f64; 2] {
    let mut last = counted();
    eventually("the counters settle", || {
        // Counters are published every 50 ms.
        (0..5).for_each(|_| tick());
        let before = std::mem::replace(&mut last, counted());
        (before == last).then_some(last)
    })
}

/// The route to the other end carries so much, whatever the link does.
fn set_route(mtu: u32) {
    ip(&format!("route replace 10.9.0.0/24 dev near scope link src {NEAR} mtu {mtu}"));
}

/// Who talks here, and who listens: here, over there, and over there with `UDP_GRO`.
struct Cast {
    relay: Relay,
    speaker: Client,
    listeners: [Client; 3],
}

impl Cast {
    fn of(cable: &Cable, relay: Relay, near: &str, far: &str) -> Self {
        let client =
            |host: &str| Client::from(SocketAddr::new(host.parse().unwrap(), 0), relay.address()).roomy();
        stay_here();
        let speaker = client(near);
        let [plain, coalescing] = cable.over_there(|| [client(far), client(far).coalescing()]);
        let cast = Self { listeners: [client(near), plain, coalescing], relay, speaker };
        let group = cast.speaker.create();
        cast.speaker.join(&group);
        cast.listeners.iter().for_each(|listener| listener.join(&group));
        cast
    }

    /// A burst of these sizes, which the relay receives at once, is heard by everyone, whole and in order.
    #[track_caller]
    fn burst(&self, speech: &mut Speech, sizes: &[usize]) {
        self.burst_while(speech, sizes, || {});
    }

    /// The same, while something happens after the burst has been sent and before the relay goes on.
    #[track_caller]
    fn burst_while(&self, speech: &mut Speech, sizes: &[usize], action: impl FnOnce()) {
        speech.said.clear();
        self.relay.pausing(|| {
            sizes.iter().for_each(|&size| self.speaker.send(speech.next(size)));
            action();
        });
        for (number, listener) in self.listeners.iter().enumerate() {
            assert_same(&hear_all(listener, sizes.len(), 1)[0], &speech.said, &format!("listener {number}"));
        }
    }

    /// Number of messages that such a burst to three listeners takes.
    #[track_caller]
    fn messages(&self, speech: &mut Speech, sizes: &[usize]) -> f64 {
        let counted =
            || ["sum", "count"].map(|of| self.relay.metric(&format!("relay_send_segments_{of}"), ""));
        let [datagrams, messages] = settled(counted);
        self.burst(speech, sizes);
        eventually("the burst is counted", || {
            let [now, after] = counted();
            (now == datagrams + 3.0 * sizes.len() as f64).then_some(after - messages)
        })
    }

    fn end(&self) {
        self.speaker.assert_silence();
        assert_no_drops(&self.relay);
        self.listeners.iter().for_each(Client::assert_heard_all);
    }
}

#[test]
fn all_sizes_reach_a_member_behind_a_small_mtu() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            for (near, far, largest) in [(NEAR, FAR, 1472), ("fd09::1", "fd09::2", 1452)] {
                let relay =
                    RelayOptions::new(backend).with(["--host", near, "--pin", "--admission", "open"]).start();
                let cast = Cast::of(cable, relay, near, far);
                let mut speech = Speech::new(0);
                for size in (1..=4096).step_by(91).chain([4095, 4096]) {
                    cast.burst(&mut speech, &[size; 20]);
                }
                let every: Vec<usize> = (1..=4096).collect();
                every.chunks(128).for_each(|sizes| cast.burst(&mut speech, sizes));
                for size in largest - 3..largest + 4 {
                    cast.burst(&mut speech, &[size; 20]);
                    cast.burst(
                        &mut speech,
                        &[size, size, 1, size - 1, size, size + 1, size, 4096, size, size, 2],
                    );
                }
                for _ in 0..100 {
                    let sizes: Vec<usize> = (0..40).map(|_| speech.size()).collect();
                    cast.burst(&mut speech, &sizes);
                }
                cast.end();
            }
        });
    });
}

#[test]
fn what_fits_is_segmented() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay =
                RelayOptions::new(backend).with(["--host", NEAR, "--pin", "--admission", "open"]).start();
            let cast = Cast::of(cable, relay, NEAR, FAR);
            let mut speech = Speech::new(0);
            // At most 64 segments, and 65,507 bytes in all: 40 are one message.
            (0..20).for_each(|_| cast.burst(&mut speech, &[1400; 40]));
            cast.end();
            wait_for_segments(&cast.relay, 30.0);
        });
    });
}

/// The relay remembers what a route carries; a route that shrinks in the meantime loses nothing.
#[test]
fn an_mtu_that_shrinks_loses_nothing() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay =
                RelayOptions::new(backend).with(["--host", NEAR, "--pin", "--admission", "open"]).start();
            let cast = Cast::of(cable, relay, NEAR, FAR);
            let mut speech = Speech::new(0);
            for mtu in [1500, 1000, 600, 1500, 700] {
                ip(&format!("link set near mtu {mtu}"));
                for size in [1400, 900, 500, 1400] {
                    for _ in 0..3 {
                        cast.burst(&mut speech, &[size; 40]);
                    }
                }
            }
            cast.end();
        });
    });
}

/// The route changes after the relay has learned it and while payloads wait for it.
#[test]
fn a_route_that_changes_under_traffic_loses_nothing() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay =
                RelayOptions::new(backend).with(["--host", NEAR, "--pin", "--admission", "open"]).start();
            let cast = Cast::of(cable, relay, NEAR, FAR);
            let mut speech = Speech::new(0);
            for mtu in [1500, 1000, 1500, 700] {
                let sizes: Vec<usize> = (0..60).map(|at| [1400, 1400, 1400, 900, 1400][at % 5]).collect();
                cast.burst_while(&mut speech, &sizes, || set_route(mtu));
            }
            // And while they flow.
            speech.said.clear();
            for round in 0..40 {
                (0..50).for_each(|_| cast.speaker.send(speech.next(1400)));
                set_route([1500, 900, 1200][round % 3]);
            }
            for listener in &cast.listeners {
                assert_same(&hear_all(listener, 2000, 1)[0], &speech.said, "while the route changes");
            }
            cast.end();
        });
    });
}

/// A route that was refused is tried again before long.
#[test]
fn what_fits_again_is_segmented_again() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = RelayOptions::new(backend)
                .with(["--host", NEAR, "--shards", "1", "--admission", "open"])
                .start();
            let cast = Cast::of(cable, relay, NEAR, FAR);
            let mut speech = Speech::new(0);
            assert_eq!(cast.messages(&mut speech, &[1400; 40]), 3.0);
            set_route(1000);
            assert_eq!(cast.messages(&mut speech, &[1400; 40]), 1.0 + 2.0 * 40.0);
            set_route(1500);
            // For 10 s the relay believes what it has learned.
            eventually("the datagrams share messages again", || {
                (cast.messages(&mut speech, &[1400; 40]) == 3.0).then_some(())
            });
            cast.end();
        });
    });
}
