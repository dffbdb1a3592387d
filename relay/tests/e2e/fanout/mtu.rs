//! A member behind an MTU of 1500: segments that fit, plain sends where they do not, and nothing lost in between.

use std::net::SocketAddr;

use super::{Speech, assert_no_drops, assert_same, hear_all, wait_for_segments};
use crate::support::{Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, ip, stay_here};

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
        speech.said.clear();
        self.relay.pausing(|| sizes.iter().for_each(|&size| self.speaker.send(speech.next(size))));
        for (number, listener) in self.listeners.iter().enumerate() {
            assert_same(&hear_all(listener, sizes.len(), 1)[0], &speech.said, &format!("listener {number}"));
        }
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
                let relay = RelayOptions::new(backend).with(["--host", near, "--pin"]).start();
                let cast = Cast::of(cable, relay, near, far);
                let mut speech = Speech::new(0);
                for size in (1..=4096).step_by(91).chain([4095, 4096]) {
                    cast.burst(&mut speech, &[size; 20]);
                }
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
            let relay = RelayOptions::new(backend).with(["--host", NEAR, "--pin"]).start();
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
            let relay = RelayOptions::new(backend).with(["--host", NEAR, "--pin"]).start();
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
