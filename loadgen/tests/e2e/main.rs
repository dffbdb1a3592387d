//! The generator against the release relay: nothing is lost, and both sides count the same.

mod capacity;
mod local;
mod people;
mod prefixes;
mod star;
mod workers;

#[path = "../common/mod.rs"]
mod common;

use common::process::Relay;
use common::report::Seen;

/// The groups' members for whom the relay accepted payloads, and those payloads.
fn fanned_out(relay: &Relay) -> (u64, u64) {
    let sum = relay.metric("relay_fanout_recipients_sum", "");
    (sum as u64, relay.metric("relay_fanout_recipients_count", "") as u64)
}

/// Nothing was lost, and the relay counts as the generator does. There must have been no traffic before.
#[track_caller]
fn assert_reconciled(seen: &Seen, relay: &Relay) {
    let [sent, expected, received, transition] = [
        seen.number("/sent"),
        seen.number("/expected"),
        seen.number("/received"),
        seen.total("in_transition"),
    ];
    assert!(sent > 0 && expected > 0, "{:?}", seen.0);
    assert_eq!(expected, received);
    for key in ["/lost", "/duplicated", "/reordered", "/corrupted", "/pongs/lost"] {
        assert_eq!(seen.number(key), 0, "{key}");
    }
    for key in ["misdelivered", "send_failures", "own_drops", "evictions", "refusals"] {
        assert_eq!(seen.total(key), 0, "{key}");
    }
    // It publishes its counters every 50 ms.
    common::eventually("the relay has counted all of it", || {
        (fanned_out(relay) == (received + transition, sent)).then_some(())
    });
}

/// The relay's own view is in the report, and says that nothing was lost.
#[track_caller]
fn assert_viewed(seen: &Seen, relay: &Relay, backend: &str) {
    let view = &seen.0["details"]["relay"];
    assert!(view.is_object(), "{}", seen.0["details"]["relay_missing"]);
    assert_eq!((seen.text("/details/relay/backend"), seen.number("/details/relay/shards")), (backend, 2));
    let url = seen.text("/details/relay/url");
    assert!(url.contains(&relay.metrics_address().to_string()), "{url}");
    for key in ["dropped_packets", "dropped_copies"] {
        assert_eq!(view[key].as_array().map(Vec::len), Some(0), "{key}");
    }
    assert_eq!(seen.number("/details/relay/kernel_drops"), 0);
    let losses = seen.0["details"]["losses"].as_object().unwrap();
    assert!(losses.values().all(|lost| lost == 0), "{losses:?}");
    assert!(seen.number("/details/relay/received_packets") > 0);
}
