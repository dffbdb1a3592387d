//! Links that lose: by chance, and because they are slow.

use super::figures::{Figures, Lost};
use super::link::{device_drops, filter, queue_drops};
use super::{SIZES, cell, nothing, rounds};
use crate::conservation::Books;
use crate::support::{Cable, each_backend, ip, tc, while_stopped};

/// A classic BPF program that drops a part of what it sees: a random word above the limit goes on.
fn dice(part: f64) -> String {
    // ld rand; jgt #limit, ok; ret #2 (TC_ACT_SHOT); ok: ret #0 (TC_ACT_OK)
    let limit = (part * f64::from(u32::MAX)) as u32;
    format!("4,32 0 0 4294963256,37 1 0 {limit},6 0 0 2,6 0 0 0")
}

/// What arrives at this end of the cable is lost with this probability.
fn lose(device: &str, part: f64) {
    tc(&format!("qdisc add dev {device} clsact"));
    filter(device, "ingress", "ip", &dice(part));
}

fn both_ways(part: f64, rounds: usize) -> impl Fn(&Cable, &mut super::Cast) + Sync {
    move |cable, cast| {
        lose("near", part);
        cable.over_there(|| lose("far", part));
        cast.speak(rounds, &SIZES);
    }
}

fn by_chance(cable: &Cable, _: &Books) -> Lost {
    let lost = |device| queue_drops("clsact", device) + device_drops(device, "rx");
    Lost { before: lost("near"), after: cable.over_there(|| lost("far")), ..Lost::default() }
}

/// Half of what is sent goes over the cable, in either direction.
fn assert_part(figures: &Figures, part: f64) {
    let lost = figures.lost;
    let seen =
        [lost.before as f64 / (figures.sent as f64 / 2.0), lost.after as f64 / (figures.taken as f64 / 2.0)];
    assert!(seen.iter().all(|seen| (part / 2.0..part * 1.5).contains(seen)), "{seen:?} of {figures:?}");
    assert_eq!((figures.kernel, figures.dropped()), (0, 0), "{figures:?}");
}

#[test]
fn no_fault() {
    cell(
        "none",
        |_, cast| cast.speak(rounds(), &SIZES),
        nothing,
        |figures| {
            assert!(figures.nothing_missing(), "{figures:?}");
        },
    );
}

#[test]
fn a_link_that_loses_a_tenth() {
    // Of a thousand each way: that half as many or one and a half times as many are lost comes by chance once in ten million times.
    cell("loss of 10 % both ways", both_ways(0.1, 4 * rounds()), by_chance, |figures| {
        assert_part(figures, 0.1);
    });
}

#[test]
fn a_link_that_loses_a_third() {
    cell("loss of 30 % both ways", both_ways(0.3, rounds()), by_chance, |figures| assert_part(figures, 0.3));
}

/// The relay's own link is slow, and its queue is short: the kernel tells, and the relay counts.
#[test]
fn a_slow_link_of_the_relays_own() {
    let story = |_: &Cable, cast: &mut super::Cast| {
        // A bucket that takes the largest message whole: one that it cuts counts as taken if any part of it was.
        tc("qdisc add dev near root tbf rate 100kbit burst 70kb limit 100kb");
        cast.speak(rounds(), &SIZES);
        // Whoever waits for an answer need not wait for all that.
        tc("qdisc change dev near root tbf rate 1gbit burst 1mb limit 100mb");
    };
    cell("the relay's link limited to 100 kbit/s", story, nothing, |figures| {
        assert!(matches!(&figures.dropped[..], [(reason, _)] if reason == "send_buffer_full"), "{figures:?}");
    });
}

/// A slow link elsewhere, with a short queue: nobody tells the relay.
#[test]
fn a_slow_link_on_the_way() {
    const SLOW: &str = "tbf rate 1mbit burst 5kb limit 20kb";
    const FAST: &str = "tbf rate 1gbit burst 1mb limit 100mb";
    let story = |cable: &Cable, cast: &mut super::Cast| {
        cable.over_there(|| {
            // Its reports and solicitations would be lost, and be counted, beside what the cast sends.
            std::fs::write("/proc/sys/net/ipv6/conf/far/disable_ipv6", "1").unwrap();
            tc(&format!("qdisc add dev far root {SLOW}"));
            ip("link add slow type ifb");
            ip("link set slow up");
            tc(&format!("qdisc add dev slow root {SLOW}"));
            tc("qdisc add dev far ingress");
            tc("filter add dev far parent ffff: protocol ip u32 match u32 0 0 action mirred egress redirect dev slow");
        });
        cast.speak(rounds(), &SIZES);
        cable.over_there(|| {
            ["far", "slow"].iter().for_each(|device| tc(&format!("qdisc change dev {device} root {FAST}")));
        });
    };
    let lost = |cable: &Cable, _: &Books| {
        cable.over_there(|| Lost {
            before: queue_drops("tbf", "far"),
            after: queue_drops("tbf", "slow") + device_drops("far", "rx"),
            ..Lost::default()
        })
    };
    cell("links on the way limited to 1 Mbit/s", story, lost, |figures| {
        assert!(figures.lost.before > 0 && figures.lost.after > 0, "{figures:?}");
        assert_eq!((figures.kernel, figures.dropped()), (0, 0), "{figures:?}");
    });
}

/// More than the socket's receive buffer holds, while the relay is stopped.
#[test]
fn a_full_receive_buffer() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = super::relay(backend).with(["--receive-buffer", "64K"]).start();
            let mut cast = super::cast(cable, relay);
            let pid = cast.relay.pid();
            while_stopped(pid, || cast.shout(rounds(), &SIZES));
            let figures = super::explained(&mut cast, |_| Lost::default());
            figures.report("stopped until its receive buffer is full", backend.name());
            assert!(figures.kernel > 0, "{figures:?}");
            cast.end();
        });
    });
}
