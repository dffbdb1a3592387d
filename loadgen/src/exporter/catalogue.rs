//! Every metric that the generator exports, with its help text; `expose::process` has those of any process.

expose::catalogue! {
    BUILD_INFO "loadgen_build_info" Gauge ["version"] "Version of this generator; always 1."
    PHASE "loadgen_phase" Gauge ["phase"] "1 for what the generator is doing, 0 for what it is not."
    CLIENTS "loadgen_clients" Gauge [] "Clients of the plan."
    MEMBERS "loadgen_members" Gauge [] "Clients that are members of a group now."
    GROUPS "loadgen_groups" Gauge [] "Groups that exist now."
    PAYLOADS_SENT "loadgen_payloads_sent_total" Counter [] "Payloads handed to the kernel."
    COPIES_EXPECTED "loadgen_copies_expected_total" Counter [] "Copies that had to arrive: for each payload, the members at that time except its sender."
    COPIES_RECEIVED "loadgen_copies_received_total" Counter [] "Copies that had to arrive and did, each counted once."
    LOST "loadgen_copies_lost" Gauge [] "Copies of this measurement that had to arrive and have not: on their way, or lost."
    COPIES_DUPLICATED "loadgen_copies_duplicated_total" Counter [] "Copies that arrived again."
    COPIES_REORDERED "loadgen_copies_reordered_total" Counter [] "Copies that arrived after a later one of the same sender (RFC 4737)."
    COPIES_CORRUPTED "loadgen_copies_corrupted_total" Counter [] "Datagrams from the relay that are neither a reply nor an intact payload."
    LATE_SENDS "loadgen_late_sends_total" Counter [] "Payloads that left later than 1 ms after their intended time."
    SEND_FAILURES "loadgen_send_failures_total" Counter [] "Datagrams that the kernel did not take."
    OWN_DROPPED_COPIES "loadgen_own_dropped_copies_total" Counter [] "Copies dropped in the generator's own receive queues."
    PINGS_SENT "loadgen_pings_sent_total" Counter [] "PINGs sent."
    PONGS_RECEIVED "loadgen_pongs_received_total" Counter [] "PONGs received."
    LATENCY "loadgen_latency_seconds" Histogram [] "From the intended time of each payload to the arrival of each copy."
}
