//! What an owner may decide about its connections.

use std::time::Duration;

use super::limits;

/// How many connections there may be, and how much of them is kept. The defaults are those of [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address.
    pub per_address: usize,
    /// Connections of one prefix: /24 of IPv4, /64 of IPv6.
    pub per_prefix: usize,
    /// Connections of one IPv6 site: /48.
    pub per_site: usize,
    /// How long a new connection may take to its first whole message.
    pub first_message: Duration,
    /// How long a connection may leave [`limits::CONTROL_STOPS`] control messages unread.
    pub control_patience: Duration,
    /// How long the last messages of a connection that is closed may take.
    pub farewell: Duration,
    /// Payloads that wait for one connection.
    pub payloads: usize,
    /// Bytes that wait for one connection, of payloads and of control each.
    pub queue_bytes: usize,
    /// Bytes that wait for all connections, of payloads and of control each, before each may have an equal share only.
    pub queued_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            connections: limits::CONNECTIONS,
            per_address: limits::PER_ADDRESS,
            per_prefix: limits::PER_PREFIX,
            per_site: limits::CONNECTIONS / limits::SITES,
            first_message: limits::FIRST_MESSAGE,
            control_patience: limits::CONTROL_PATIENCE,
            farewell: limits::FAREWELL,
            payloads: limits::PAYLOADS,
            queue_bytes: limits::QUEUE_BYTES,
            queued_bytes: limits::QUEUED_BYTES,
        }
    }
}

impl Bounds {
    /// The same with no more connections than a limit of open files allows, less [`limits::RESERVED_DESCRIPTORS`]; no prefix has more
    /// than its part of them.
    pub fn within(self, open_files: u64) -> Bounds {
        let left = usize::try_from(open_files.saturating_sub(limits::RESERVED_DESCRIPTORS));
        let connections = self.connections.min(left.unwrap_or(usize::MAX));
        let part = connections / limits::SITES;
        Bounds {
            connections,
            per_prefix: self.per_prefix.min(part),
            per_site: self.per_site.min(part),
            ..self
        }
    }
}

/// When the kernel gives a peer up. The defaults are those of [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenacity {
    /// After this long without an acknowledgement of what was sent, in whole milliseconds.
    pub unacknowledged: Duration,
    /// It asks a silent peer after this long, in whole seconds.
    pub probe_after: Duration,
    /// It waits this long for the answer, in whole seconds; and asks again until the peer has been silent for `unacknowledged`.
    pub probe_every: Duration,
}

impl Default for Tenacity {
    fn default() -> Self {
        Tenacity {
            unacknowledged: limits::UNACKNOWLEDGED,
            probe_after: limits::PROBE_AFTER,
            probe_every: limits::PROBE_EVERY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_others() {
        let bounds = Bounds::default();
        let few = Bounds { connections: 768, per_prefix: 192, per_site: 192, ..bounds };
        assert_eq!(bounds.within(1024), few);
        assert_eq!(bounds.within(100).connections, 0);
        assert_eq!(bounds.within(u64::MAX), bounds);
    }
}
