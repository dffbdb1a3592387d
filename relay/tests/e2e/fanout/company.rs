//! Payloads that wait for company, in the real program: `--coalesce`, and groups that want none.

use super::assert_no_drops;
use crate::support::{Client, RelayOptions, each_backend, eventually};

/// As long as may be, so that what must not wait has come before what may, however busy the machine is.
const HOLD: &str = "1s";

#[test]
fn payloads_travel_in_company_and_nothing_else_waits_for_them() {
    each_backend(|backend| {
        // One shard: what others do at the same moment comes before or after.
        let relay = RelayOptions::new(backend).with(["--coalesce", HOLD, "--shards", "1"]).start();
        let [sender, other, listener] = [(); 3].map(|()| Client::to(relay.address()).roomy());
        let group = sender.create();
        [&sender, &other, &listener].iter().for_each(|client| client.join(&group));
        let messages = |wanted| {
            let sent = || relay.metric("relay_send_segments_count", "");
            eventually("the messages are counted", || (sent() == wanted).then_some(()));
        };
        // An answer to the CREATE and to each JOIN.
        messages(4.0);
        // Together, so that the first, which says how long all wait, came no earlier than the last.
        relay.pausing(|| {
            (0..10).for_each(|number| sender.send(format!("{number}")));
            listener.send("!PING");
        });
        assert_eq!(listener.receive(), b"PONG 60.0", "a heartbeat does not wait");
        (0..10).for_each(|number| assert_eq!(listener.receive(), format!("{number}").as_bytes()));
        (0..10).for_each(|number| assert_eq!(other.receive(), format!("{number}").as_bytes()));
        // The PONG, and one message for each of the two.
        messages(4.0 + 3.0);
        let waited = relay.metric("relay_forward_latency_seconds_sum", "");
        assert!(waited >= 10.0, "ten payloads that waited for a second each: {waited}");
        // Whoever leaves has heard everything.
        sender.send("farewell");
        other.send(format!("!LEAVE {group}"));
        assert_eq!(other.receive(), b"farewell");
        assert_eq!(other.receive(), format!("OK LEFT {group}").as_bytes());
        assert_no_drops(&relay);
    });
}
