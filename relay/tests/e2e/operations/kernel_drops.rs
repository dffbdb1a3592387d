//! What the kernel drops before the relay sees it is counted, to the last datagram.

use crate::support::{Client, RelayOptions, each_backend, eventually};

const FLOOD: usize = 20_000;

#[test]
fn an_overflowing_receive_buffer_is_counted() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--receive-buffer", "4096", "--shards", "1"]).start();
        let client = Client::to(relay.address());
        client.join(&client.create());
        let counted = |name| relay.metric(name, "");
        eventually("the commands are counted", || {
            (counted("relay_received_packets_total") == 2.0).then_some(())
        });
        assert_eq!(counted("relay_kernel_receive_dropped_total"), 0.0);
        // The kernel doubles it.
        assert_eq!(relay.metric("relay_socket_buffer_bytes", "receive"), 8192.0);
        let mut dropped = 0.0;
        for round in 1..=3 {
            relay.pausing(|| (0..FLOOD).for_each(|_| client.send("a payload for nobody else")));
            let sent = (2 + round * FLOOD) as f64;
            let sum =
                || counted("relay_received_packets_total") + counted("relay_kernel_receive_dropped_total");
            eventually("every datagram was received or dropped", || (sum() == sent).then_some(()));
            let now = counted("relay_kernel_receive_dropped_total");
            assert!(now > dropped + FLOOD as f64 * 0.9, "{now}");
            dropped = now;
        }
        // It is there again, and nothing waits.
        assert!(client.ask("!WHO").starts_with("OK WHO "));
        assert_eq!(counted("relay_socket_receive_queue_bytes"), 0.0);
    });
}
