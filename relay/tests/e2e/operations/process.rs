//! The process as the system sees it: its threads, where they run, and the standard metrics about it.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Client, Relay, RelayOptions, each_backend, eventually};

use super::tools::{cpu_time, main_job, proc_of, status_line, threads};

#[test]
fn every_thread_has_a_name() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--shards", "3"]).start();
        main_job(relay.address());
        expect_threads(
            &relay,
            &["http", "relay", "shard-0", "shard-1", "shard-2", "signals", "store", "tcp"],
        );
    });
}

/// A thread takes its name when it first runs.
#[track_caller]
fn expect_threads(relay: &Relay, names: &[&str]) {
    eventually(&format!("threads {names:?}"), || {
        let threads = threads(relay.pid());
        threads.iter().map(|(name, _)| name).eq(names).then_some(())
    });
}

#[test]
fn pinned_shards_have_a_processor_each_and_the_rest_stays_free() {
    each_backend(|backend| {
        let own: Vec<String> = net::available_cpus().unwrap().iter().map(ToString::to_string).collect();
        let all = status_line(&proc_of(std::process::id()), "Cpus_allowed_list");
        let allowed = |pin: &[&str]| -> Vec<(String, String)> {
            let relay = RelayOptions::new(backend).with(["--shards", "4"]).with(pin.iter().copied()).start();
            main_job(relay.address());
            let threads = threads(relay.pid());
            threads
                .iter()
                .map(|(name, folder)| (name.clone(), status_line(folder, "Cpus_allowed_list")))
                .collect()
        };
        for (name, cpus) in allowed(&["--pin"]) {
            match name.strip_prefix("shard-") {
                Some(number) => assert_eq!(cpus, own[number.parse::<usize>().unwrap() % own.len()], "{name}"),
                None => assert_eq!(cpus, all, "{name}"),
            }
        }
        for (name, cpus) in allowed(&[]) {
            assert_eq!(cpus, all, "{name}");
        }
    });
}

#[test]
fn shards_are_as_many_as_the_processors_that_it_may_use() {
    let own = net::available_cpus().unwrap();
    let relay = RelayOptions::plain()
        .with(["--port", "0", "--metrics-listen", "off"])
        .through(&format!("taskset --cpu-list {}", own[0]))
        .start();
    expect_threads(&relay, &["relay", "shard-0", "signals", "store", "tcp"]);
    main_job(relay.address());
}

#[test]
fn more_shards_than_processors_all_serve() {
    each_backend(|backend| {
        for shards in [4, 17] {
            let relay = RelayOptions::new(backend).with(["--shards", &shards.to_string()]).start();
            let first = Client::to(relay.address());
            let group = first.create();
            let members: Vec<Client> = (0..100).map(|_| Client::member(relay.address(), &group)).collect();
            first.join(&group);
            first.send("to all shards");
            for member in &members {
                assert_eq!(member.hear(), "to all shards");
            }
            eventually("all clients are counted", || {
                (relay.metric("relay_clients", "") == 101.0).then_some(())
            });
            let busy = relay
                .metrics()
                .iter()
                .filter(|(name, clients)| name.starts_with("relay_clients{") && **clients > 0.0)
                .count();
            // Of 101 clients at random, one of four shards goes without one time in a million million.
            assert!(busy > shards / 2, "{busy} of {shards} shards have clients");
        }
    });
}

#[test]
fn the_standard_metrics_say_what_proc_says() {
    each_backend(|backend| {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let relay = Relay::start(backend);
        main_job(relay.address());
        let samples = relay.metrics();
        let folder = proc_of(relay.pid());
        let kilobytes = |name: &str| -> f64 {
            status_line(&folder, name).trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
        };
        let close = |name: &str, expected: f64, by: f64| {
            let value = samples[name];
            assert!((value - expected).abs() <= by, "{name} is {value}, and /proc says {expected}");
        };
        close("process_resident_memory_bytes", kilobytes("VmRSS"), 4e6);
        close("process_virtual_memory_bytes", kilobytes("VmSize"), 80e6);
        // The scrape's own connection is open while it is answered.
        close("process_open_fds", fs::read_dir(folder.join("fd")).unwrap().count() as f64, 3.0);
        close("process_threads", threads(relay.pid()).len() as f64, 0.0);
        close("process_cpu_seconds_total", cpu_time(relay.pid()).as_secs_f64(), 0.2);
        close("process_start_time_seconds", before, 3.0);
        let limits = fs::read_to_string(folder.join("limits")).unwrap();
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        close("process_max_fds", files.split_whitespace().next().unwrap().parse().unwrap(), 0.0);
    });
}
