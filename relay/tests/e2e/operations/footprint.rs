//! The memory of a relay that nobody has spoken to.

use crate::support::{RelayOptions, each_backend};

use super::tools::{proc_of, status_line};

/// Kilobytes for each shard.
const LIMIT: u64 = 64 << 10;

#[test]
fn without_clients_it_stays_below_64_megabytes_for_each_shard() {
    each_backend(|backend| {
        for shards in [1, 2, 8] {
            let relay = RelayOptions::new(backend).with(["--shards", &shards.to_string()]).start();
            // Once it has been scraped, all that a scrape needs is there too.
            assert_eq!(relay.http("/metrics").0, 200);
            let resident = status_line(&proc_of(relay.pid()), "VmRSS");
            let kilobytes: u64 = resident.trim_end_matches(" kB").parse().unwrap();
            eprintln!("{backend:?}, {shards} shards: {resident}");
            assert!(kilobytes < LIMIT * shards, "{resident} with {shards} shards");
        }
    });
}
