//! Every metric that the relay exports, with its help text.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets by powers of two, with sum and count.
    Histogram,
}

/// A metric: its name, what it is, and the text behind HELP.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The full name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it says, with its unit.
    pub help: &'static str,
}

macro_rules! catalogue {
    ($($constant:ident $name:literal $kind:ident $help:literal)*) => {
        $(#[doc = $help] pub const $constant: Metric = Metric { name: $name, kind: Kind::$kind, help: $help };)*
        /// All metrics.
        pub const CATALOGUE: &[Metric] = &[$($constant),*];
    };
}

catalogue! {
    BUILD_INFO "relay_build_info" Gauge "Version and I/O backend of this relay; always 1."
    BACKEND_FALLBACK_INFO "relay_backend_fallback_info" Gauge "1 for the reason why io_uring is not used although the backend is auto; absent otherwise."
    READY "relay_ready" Gauge "1 while the relay serves, 0 while it starts or stops."
    GROUPS "relay_groups" Gauge "Groups that exist."
    MEMBERS "relay_members" Gauge "Members of all groups."
    CLIENTS "relay_clients" Gauge "Clients of a shard."
    GROUP_EVENTS "relay_group_events_total" Counter "Groups created and deleted, members joined, left and expired."
    COMMANDS "relay_commands_total" Counter "Commands received."
    REFUSED "relay_requests_refused_total" Counter "Datagrams answered with an error, by its code."
    RECEIVED_PACKETS "relay_received_packets_total" Counter "Datagrams received."
    RECEIVED_BYTES "relay_received_bytes_total" Counter "Payload bytes received; of a datagram over 4096 bytes, 4097 are counted."
    SENT_PACKETS "relay_sent_packets_total" Counter "Datagrams that the kernel took: copies of payloads, and replies."
    SENT_BYTES "relay_sent_bytes_total" Counter "Payload bytes that the kernel took."
    REPLIES "relay_replies_total" Counter "Replies to be sent. Replies and the sum of relay_fanout_recipients are sent, dropped as copies, or waiting."
    DROPPED_PACKETS "relay_dropped_packets_total" Counter "Received datagrams dropped without an answer."
    DROPPED_COPIES "relay_dropped_copies_total" Counter "Datagrams that were not sent to one intended receiver."
    WAITING_COPIES "relay_waiting_copies" Gauge "Copies of payloads that wait for the next turn."
    KERNEL_DROPPED "relay_kernel_receive_dropped_total" Counter "Datagrams that the kernel dropped because the socket's receive buffer was full."
    RECEIVE_QUEUE "relay_socket_receive_queue_bytes" Gauge "Bytes that wait in the sockets' receive buffers, with the kernel's overhead."
    SOCKET_BUFFER "relay_socket_buffer_bytes" Gauge "Size of the sockets' buffers, with the kernel's overhead."
    FANOUT "relay_fanout_recipients" Histogram "Members that each accepted payload was meant for."
    LATENCY "relay_forward_latency_seconds" Histogram "From the start of a turn to the return of its sends, for each payload of a measured turn."
    BATCH "relay_receive_batch_packets" Histogram "Datagrams received in one turn."
    SEGMENTS "relay_send_segments" Histogram "Datagrams handed to the kernel in one message."
    RING_ENTERS "relay_ring_enters_total" Counter "System calls that moved datagrams."
    RING_REARMS "relay_ring_rearms_total" Counter "Multishot receives armed again."
    RING_NO_BUFFERS "relay_ring_no_buffers_total" Counter "Times that the kernel found no receive buffer."
    RING_CQ_OVERFLOW "relay_ring_cq_overflow_total" Counter "Exchanges that found completions waiting in the kernel because the queue was full; none is lost."
    RECEIVE_ERRORS "relay_receive_errors_total" Counter "Receives that failed for another reason than a lack of buffers; a datagram may wait for it."
    RING_BUFFERS_FREE "relay_ring_buffers_free" Gauge "Receive buffers that are free."
    BUSY "relay_shard_busy_seconds_total" Counter "Time that a shard did not wait."
    PROCESS_CPU "process_cpu_seconds_total" Counter "User and system CPU time spent in seconds."
    PROCESS_RSS "process_resident_memory_bytes" Gauge "Resident memory size in bytes."
    PROCESS_VSIZE "process_virtual_memory_bytes" Gauge "Virtual memory size in bytes."
    PROCESS_FDS "process_open_fds" Gauge "Number of open file descriptors."
    PROCESS_MAX_FDS "process_max_fds" Gauge "Maximum number of open file descriptors."
    PROCESS_THREADS "process_threads" Gauge "Number of threads."
    PROCESS_START "process_start_time_seconds" Gauge "Start time of the process since the Unix epoch in seconds."
}
