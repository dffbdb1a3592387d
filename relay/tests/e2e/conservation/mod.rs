//! The conservation law between the exported counters: a number that cannot be explained is a bug.

mod losses;
mod lossless;
mod queue_drops;

use std::collections::BTreeMap;

use crate::support::{Relay, eventually, tick};

/// The counters of a relay to which nobody sends any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Books(pub BTreeMap<String, f64>);

impl Books {
    pub fn of(relay: &Relay) -> Self {
        let mut samples = relay.metrics();
        // What goes on without traffic.
        samples.retain(|name, _| {
            name.starts_with("relay_") && !["busy", "ring_"].iter().any(|other| name.contains(other))
        });
        Self(samples)
    }

    /// Once so many datagrams have been received, or dropped by the kernel, and nothing moves any more.
    #[track_caller]
    pub fn settled(relay: &Relay, sent: u64) -> Self {
        let mut last = Self::of(relay);
        eventually("the counters settle", || {
            // Counters are published every 50 ms.
            (0..5).for_each(|_| tick());
            let now = Self::of(relay);
            let arrived = now.sum("relay_received_packets_total", "")
                + now.sum("relay_kernel_receive_dropped_total", "");
            let settled = arrived == sent as f64 && now.sum("relay_waiting_copies", "") == 0.0 && now == last;
            last = now;
            settled.then_some(())
        });
        last
    }

    /// The sum of a metric over all labels that contain this.
    pub fn sum(&self, name: &str, labels: &str) -> f64 {
        let of = |key: &str| key.split('{').next() == Some(name) && key.contains(labels);
        self.0.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    }

    fn dropped_copies(&self, reason: &str) -> f64 {
        self.sum("relay_dropped_copies_total", &format!("reason=\"{reason}\""))
    }

    /// What was to be sent was sent, dropped, or waits; what was received was a payload, answered, or dropped.
    #[track_caller]
    pub fn assert_law(&self) {
        let sum = |name| self.sum(name, "");
        let replies = sum("relay_replies_total");
        assert_eq!(
            sum("relay_fanout_recipients_sum") + replies,
            sum("relay_sent_packets_total") + sum("relay_dropped_copies_total") + sum("relay_waiting_copies"),
            "to be sent: {self:#?}"
        );
        assert_eq!(
            sum("relay_received_packets_total"),
            sum("relay_fanout_recipients_count") + replies + sum("relay_dropped_packets_total"),
            "received: {self:#?}"
        );
        assert_eq!(sum("relay_send_segments_sum"), sum("relay_sent_packets_total"), "messages: {self:#?}");
        assert_eq!(sum("relay_receive_batch_packets_sum"), sum("relay_received_packets_total"));
        assert!(replies >= sum("relay_commands_total") && replies >= sum("relay_requests_refused_total"));
    }
}
