//! What the system does not grant: descriptors, locked memory, io_uring.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use nix::libc::{ENOSYS, EPERM};

use super::cast::Cast;
use super::figures::Lost;
use super::{SIZES, cast, explained, relay, rounds};
use crate::operations::denied::Switch;
use crate::operations::tools::Copied;
use crate::support::{Cable, IO_URING, NEAR, Relay, RelayOptions, each_backend, eventually, without};

fn goes_on(cable: &Cable, relay: Relay, name: &str, backend: &str, meanwhile: impl FnOnce(&mut Cast)) {
    let mut cast = cast(cable, relay);
    meanwhile(&mut cast);
    let figures = explained(&mut cast, |_| Lost::default());
    cast.assert_order();
    figures.report(name, backend);
    cast.end();
}

/// Connections to the metrics take all descriptors that there are.
#[test]
fn no_descriptor_is_left() {
    // Each that says nothing is closed after a while, and the next one takes its place.
    const CALLERS: usize = 64;
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = relay(backend).start();
            let files = move |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
            let pid = relay.pid();
            let limit = files(pid) + 4;
            let prlimit =
                Command::new("prlimit").args([format!("--pid={pid}"), format!("--nofile={limit}")]).status();
            assert!(prlimit.expect("prlimit runs").success());
            goes_on(cable, relay, "no descriptor is left", backend.name(), |cast| {
                let address = cast.relay.metrics_address();
                let callers: Vec<TcpStream> =
                    (0..CALLERS).map(|_| TcpStream::connect(address).unwrap()).collect();
                eventually("every descriptor is in use", || (files(pid) >= limit).then_some(()));
                cast.shout(rounds(), &SIZES);
                cast.all_are_answered("!WHO", "OK WHO ");
                assert!(files(pid) >= limit, "the callers have waited all the time");
                drop(callers);
            });
        });
    });
}

/// Without any privilege, and without a byte of locked memory.
#[test]
fn no_locked_memory() {
    let binary = Copied::new();
    for backend in ["auto", "mmsg"] {
        Cable::lay(|cable| {
            let flags = [
                "--backend",
                backend,
                "--host",
                NEAR,
                "--port",
                "0",
                "--metrics-listen",
                "0",
                "--shards",
                "2",
            ];
            let options = binary.unprivileged(RelayOptions::of(&binary.path).with(flags));
            let relay = options.through("prlimit --memlock=0").start();
            goes_on(cable, relay, "no locked memory, no privilege", backend, |cast| {
                cast.speak(rounds(), &SIZES);
            });
        });
    }
}

/// A backend that is chosen because the other one is denied.
fn chosen(options: RelayOptions) -> Relay {
    let flags = ["--host", NEAR, "--port", "0", "--metrics-listen", "0", "--shards", "2"];
    let relay = options.with(flags).start();
    assert_eq!(relay.metric("relay_build_info", "backend=\"mmsg\""), 1.0);
    relay
}

#[test]
fn io_uring_is_denied_by_a_filter() {
    for (errno, name) in
        [(ENOSYS, "io_uring denied by a filter (ENOSYS)"), (EPERM, "io_uring denied by a filter (EPERM)")]
    {
        Cable::lay(|cable| {
            let mut relay = None;
            without(&IO_URING, errno, || relay = Some(chosen(RelayOptions::plain())));
            goes_on(cable, relay.unwrap(), name, "auto: mmsg", |cast| cast.speak(rounds(), &SIZES));
        });
    }
}

#[test]
fn io_uring_is_denied_by_the_machine() {
    let binary = Copied::new();
    Cable::lay(|cable| {
        let relay = {
            let _switch = Switch::to("1");
            chosen(binary.unprivileged(RelayOptions::of(&binary.path)))
        };
        goes_on(cable, relay, "io_uring denied by sysctl", "auto: mmsg", |cast| cast.speak(rounds(), &SIZES));
    });
}
