//! What the system does not grant: socket buffers without the privilege, and file descriptors.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Backend, RelayOptions};

use super::tools::{Copied, assert_says, main_job};

/// The kernel's limit for a buffer that is asked for without a privilege.
fn limit_of(name: &str) -> u64 {
    fs::read_to_string(format!("/proc/sys/net/core/{name}_max")).unwrap().trim().parse().unwrap()
}

#[test]
fn without_the_privilege_it_warns_with_the_line_to_run() {
    let binary = Copied::new();
    let (receive, send) = (limit_of("rmem"), limit_of("wmem"));
    let (more_receive, more_send) = (2 * receive, 2 * send);
    let start = |receive: u64, send: u64| {
        let (receive, send) = (receive.to_string(), send.to_string());
        let flags =
            ["--port", "0", "--metrics-listen", "0", "--receive-buffer", &receive, "--send-buffer", &send];
        binary.unprivileged(RelayOptions::of(&binary.path).with(flags)).start()
    };
    let relay = start(more_receive, more_send);
    let log = relay.log();
    for (name, granted, asked) in [("rmem", receive, more_receive), ("wmem", send, more_send)] {
        let advice = format!("sysctl -w net.core.{name}_max={asked}");
        let line =
            log.iter().find(|line| line.contains(&advice)).unwrap_or_else(|| panic!("{advice}: {log:#?}"));
        assert_says(line, &["WARN", &format!("granted={granted}"), &format!("asked={asked}")]);
    }
    // As the kernel counts, with its overhead; one socket for each shard.
    let shards = net::available_cpus().unwrap().len() as f64;
    assert_eq!(
        relay.metric("relay_socket_buffer_bytes", "direction=\"receive\""),
        2.0 * receive as f64 * shards
    );
    assert_eq!(relay.metric("relay_socket_buffer_bytes", "direction=\"send\""), 2.0 * send as f64 * shards);
    main_job(relay.address());

    let content = start(receive, send);
    assert!(content.log().iter().all(|line| !line.contains("sysctl -w")), "{:#?}", content.log());
}

#[test]
fn with_the_privilege_it_gets_what_it_asks_for() {
    let asked = 2 * limit_of("rmem").max(limit_of("wmem"));
    let text = asked.to_string();
    let relay =
        RelayOptions::new(Backend::Mmsg).with(["--receive-buffer", &text, "--send-buffer", &text]).start();
    assert_eq!(relay.log().len(), 1, "{:#?}", relay.log());
    for direction in ["receive", "send"] {
        assert_eq!(relay.metric("relay_socket_buffer_bytes", direction), 4.0 * asked as f64);
    }
}

#[test]
fn however_few_files_it_may_open_it_serves_or_says_why_not_in_one_line() {
    for backend in ["uring", "mmsg", "auto"] {
        let mut served = false;
        // With three it cannot even be loaded.
        for files in 4..32 {
            let limit = format!("prlimit --nofile={files}");
            let flags = ["--backend", backend, "--port", "0", "--metrics-listen", "0", "--shards", "2"];
            let options = RelayOptions::plain().with(flags).through(&limit);
            let (code, err) = until_it_serves_or_ends(options);
            if err.contains("the relay serves") {
                served = true;
                assert_eq!(code, Some(0), "{files} files: {err}");
            } else {
                assert_eq!((code, err.lines().count()), (Some(2), 1), "{files} files: {err}");
                assert_says(&err, &["relay: ", "open files", "ulimit -n"]);
                assert!(!served, "{files} files are enough for less, not for more: {err}");
            }
        }
        assert!(served, "{backend}: 31 files should do");
    }
}

/// The exit code, after SIGINT if it serves, and what it has said.
fn until_it_serves_or_ends(mut options: RelayOptions) -> (Option<i32>, String) {
    let mut child = options.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while stderr.read_line(&mut said).unwrap() > 0 && !said.contains("the relay serves") {}
    if said.contains("the relay serves") {
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    }
    (child.wait().unwrap().code(), said)
}
