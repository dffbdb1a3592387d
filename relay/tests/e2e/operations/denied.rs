//! Where io_uring is denied: asked for by name it is an error with a remedy, else the relay serves without it.

use std::fs::{self, File};
use std::path::Path;

use nix::libc::{ENOSYS, EPERM};

use crate::support::{IO_URING, Relay, RelayOptions, eventually, without};

use super::tools::{Copied, assert_says, main_job, refused};

/// The switch of the whole machine: 0 allows io_uring, 1 only to privileged processes.
const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

fn options(backend: &str) -> RelayOptions {
    RelayOptions::plain().with([
        "--backend",
        backend,
        "--port",
        "0",
        "--shards",
        "2",
        "--metrics-listen",
        "0",
    ])
}

/// The relay serves on mmsg, has said why in one line, exports why, and does its job.
#[track_caller]
fn assert_serves_without(relay: &Relay, reason: &str, remedy: &str) {
    let log = relay.log();
    let about: Vec<&String> = log.iter().filter(|line| line.contains("io_uring")).collect();
    assert_eq!(about.len(), 1, "{log:#?}");
    assert_says(about[0], &["WARN", "mmsg", reason, remedy]);
    let exported: Vec<_> = relay
        .metrics()
        .into_iter()
        .filter(|(name, _)| name.starts_with("relay_backend_fallback_info"))
        .collect();
    let [(name, value)] = &exported[..] else { panic!("{exported:?}") };
    assert_says(name, &["{reason=\"", reason]);
    assert_eq!(*value, 1.0);
    assert_eq!(relay.metric("relay_build_info", "backend=\"mmsg\""), 1.0);
    main_job(relay.address());
}

#[test]
fn by_a_container() {
    for (errno, reason, remedy) in [
        (ENOSYS, "io_uring_setup: Function not implemented", "seccomp profile"),
        (EPERM, "io_uring_setup: Operation not permitted", "kernel.io_uring_disabled"),
    ] {
        without(&IO_URING, errno, || {
            let line = refused(options("uring"));
            assert!(line.starts_with("--backend: "), "{line}");
            assert_says(&line, &[reason, remedy]);
            assert_serves_without(&options("auto").start(), reason, remedy);
            // Nothing is said about what nobody wanted.
            let relay = options("mmsg").start();
            assert_eq!(relay.log().len(), 1, "{:#?}", relay.log());
            main_job(relay.address());
        });
    }
}

#[test]
fn the_whole_relay_without_a_flag() {
    crate::support::alone(|| {
        without(&IO_URING, ENOSYS, || {
            let relay = RelayOptions::plain().start();
            assert_serves_without(&relay, "Function not implemented", "seccomp profile");
        });
    });
}

#[test]
fn by_a_filter_that_forgot_a_call() {
    for call in IO_URING {
        for errno in [ENOSYS, EPERM] {
            without(&[call], errno, || {
                let line = refused(options("uring"));
                assert_says(&line, &["--backend: io_uring"]);
                assert_serves_without(&options("auto").start(), "io_uring", "io_uring");
            });
        }
    }
}

#[test]
fn by_the_switch_of_the_machine() {
    let binary = Copied::new();
    let _switch = Switch::to("1");
    let line = refused(binary.unprivileged(RelayOptions::of(&binary.path).with([
        "--backend",
        "uring",
        "--port",
        "0",
    ])));
    assert_says(&line, &["io_uring_setup: Operation not permitted", "kernel.io_uring_disabled"]);
    let auto = RelayOptions::of(&binary.path).with(["--port", "0", "--metrics-listen", "0"]);
    let relay = binary.unprivileged(auto).start();
    assert_serves_without(&relay, "Operation not permitted", "kernel.io_uring_disabled");
}

#[test]
fn by_a_limit_of_locked_memory() {
    let binary = Copied::new();
    // Another story must not deny it meanwhile.
    let _switch = Switch::to("0");
    let limited = |backend| {
        let flags = ["--backend", backend, "--port", "0", "--metrics-listen", "0"];
        binary.unprivileged(RelayOptions::of(&binary.path).with(flags)).through("prlimit --memlock=0")
    };
    // Newer kernels charge rings to the control group, and do not look at this limit.
    let relay = limited("auto").start();
    if relay.log().iter().any(|line| line.contains("io_uring")) {
        assert_serves_without(&relay, "Cannot allocate memory", "LimitMEMLOCK=");
        assert_says(&refused(limited("uring")), &["Cannot allocate memory", "LimitMEMLOCK="]);
    } else {
        main_job(relay.address());
    }
}

/// Changes the machine's switch, for one story at a time, and sets it back. Privileged processes, like all other relays
/// of these tests, do not notice the value 1.
pub struct Switch {
    before: String,
    _lock: File,
}

impl Switch {
    pub fn to(value: &str) -> Self {
        let lock =
            File::create(Path::new("/tmp").join("relay-e2e-io-uring-switch.lock")).expect("a lock's file");
        eventually("nobody else uses the switch", || lock.try_lock().ok());
        let before = fs::read_to_string(SWITCH).expect("the switch is there");
        fs::write(SWITCH, value).expect("the switch can be set, which takes root");
        Self { before, _lock: lock }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = fs::write(SWITCH, self.before.trim());
    }
}
