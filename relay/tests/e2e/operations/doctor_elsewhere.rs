//! `relay doctor` where something is unlike a plain machine: systemd keeps the sockets, the metrics' port is taken,
//! loopback is down, /proc is missing, a filter refuses calls, the relay has another name or another user.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use nix::libc::{EPERM, SYS_sched_getaffinity, SYS_setsockopt};
use tempfile::TempDir;

use crate::support::{Backend, RelayOptions, alone, eventually, ip, without};

use super::doctor::{Report, doctor};
use super::tools::{Copied, assert_says, main_job, refused};

/// A process that is called systemd and has a socket.
struct Keeper {
    child: Child,
    _folder: TempDir,
}

impl Keeper {
    fn of(socket: &UdpSocket) -> Self {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join("systemd");
        assert!(Command::new("cp").arg("/bin/sleep").arg(&program).status().unwrap().success());
        let socket: OwnedFd = socket.try_clone().unwrap().into();
        let child = Command::new(&program).arg("1000").stdin(Stdio::from(socket)).spawn().unwrap();
        eventually("it has its name", || {
            let name = fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap();
            (name.trim() == "systemd").then_some(())
        });
        Self { child, _folder: folder }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_socket_that_systemd_keeps_is_no_problem() {
    alone(|| {
        let socket = UdpSocket::bind("127.0.0.1:5000").unwrap();
        let keeper = Keeper::of(&socket);
        let relay = RelayOptions::plain().passing(&[socket.as_fd()], "").start();
        drop(socket);
        main_job(relay.address());
        let both = Report::of(doctor(&[]));
        let names =
            [format!("systemd (process {})", keeper.child.id()), format!("relay (process {})", relay.pid())];
        both.assert_verdict("port", "info", &["serves on 127.0.0.1:5000 already", &names[0], &names[1]]);
        drop(relay);
        let alone = Report::of(doctor(&[]));
        alone.assert_verdict("port", "info", &[&names[0], "keeps the socket 127.0.0.1:5000"]);
        assert_eq!(alone.fixes("port", "now"), ["systemctl status relay.socket"]);
    });
}

#[test]
fn a_taken_port_of_the_metrics_hurts_as_it_was_asked_for() {
    alone(|| {
        let _other = TcpListener::bind("127.0.0.1:9500").unwrap();
        Report::of(doctor(&[])).assert_verdict("metrics", "warning", &["127.0.0.1:9500 is in use by"]);
        let flags = ["--metrics-listen", "127.0.0.1:9500"];
        let asked = Report::of(doctor(&flags));
        asked.assert_verdict("metrics", "problem", &["127.0.0.1:9500 is in use by"]);
        // A child that another story is just starting has the same sockets until it becomes its program.
        let (kill, this) = (&asked.fixes("metrics", "now")[0], std::process::id().to_string());
        assert!(kill.starts_with("kill ") && kill.split(' ').any(|word| word == this), "{kill}");
        assert_says(&refused(RelayOptions::plain().with(flags)), &["cannot listen at 127.0.0.1:9500"]);
        let advised = asked.fixes("metrics", "relay");
        let advised: Vec<&str> = advised[0].split(' ').collect();
        Report::of(doctor(&advised)).assert_verdict("metrics", "ok", &["127.0.0.1:9501 is free"]);
        Report::of(doctor(&["--metrics-listen", "off"])).assert_verdict("metrics", "ok", &["off"]);
        Report::of(doctor(&["--metrics-listen", "192.0.2.1:9500"])).assert_verdict(
            "metrics",
            "problem",
            &["cannot listen at 192.0.2.1"],
        );
    });
}

#[test]
fn loopback_that_is_down_is_told_and_is_not_the_fault_of_io_uring() {
    alone(|| {
        ip("link set lo down");
        for backend in ["uring", "auto"] {
            let report = Report::of(doctor(&["--backend", backend]));
            report.assert_verdict("io_uring", "unknown", &["a datagram to itself"]);
            report.assert_verdict("addresses", "problem", &["127.0.0.1", "loopback is down"]);
            report.assert_verdict("metrics", "warning", &["127.0.0.1:9500", "loopback is down"]);
            assert_eq!(report.fixes("addresses", "now"), ["ip link set dev lo up"]);
        }
        ip("link set dev lo up");
        let report = Report::of(doctor(&["--backend", "uring"]));
        report.assert_verdict("io_uring", "ok", &[]);
        report.assert_verdict("addresses", "info", &["only programs on this machine"]);
    });
}

#[test]
fn nothing_is_made_up_where_proc_is_missing() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("without-proc");
    fs::write(&script, "umount -l /proc && exec \"$@\"\n").unwrap();
    let way = format!("unshare --mount sh {}", script.display());
    let report = Report::of(doctor(&[]).through(&way));
    report.assert_verdict("kernel", "ok", &["whose version cannot be seen, has UDP_SEGMENT"]);
    report.assert_verdict("locked-memory", "ok", &["cannot be seen"]);
    assert_eq!(report.user(), 0, "root");
    for name in ["conntrack", "proxy", "port", "metrics", "memory", "backlog"] {
        report.assert_verdict(name, "unknown", &[]);
    }
}

#[test]
fn calls_that_a_filter_refuses_are_not_blamed_on_the_port() {
    without(&[SYS_setsockopt], EPERM, || {
        let report = Report::of(doctor(&["--port", "5009"]));
        report.assert_verdict("addresses", "problem", &["127.0.0.1 cannot be bound", "seccomp"]);
        let found = report.check("addresses")["found"].as_str().unwrap();
        assert!(!found.contains("1024"), "{found}");
        report.assert_verdict("io_uring", "unknown", &[]);
        let line = refused(RelayOptions::plain().with(["--port", "5009", "--metrics-listen", "off"]));
        assert!(line.contains("seccomp") && !line.contains("1024"), "{line}");
    });
    without(&[SYS_sched_getaffinity], EPERM, || {
        let line = refused(RelayOptions::plain().with(["--port", "5009", "--metrics-listen", "off"]));
        assert!(line.contains("seccomp") && !line.contains("memory"), "{line}");
    });
}

#[test]
fn a_relay_of_another_name_or_user_is_a_relay() {
    let binary = Copied::new();
    let folder = TempDir::new().unwrap();
    let renamed = folder.path().join("relay-new");
    symlink(&binary.path, &renamed).unwrap();
    alone(|| {
        let relay = RelayOptions::new(Backend::Mmsg).with(["--port", "5000"]).start();
        let process = format!("relay (process {})", relay.pid());
        let flags = ["doctor", "--json"];
        let new = Report::of(RelayOptions::of(&renamed).with(flags));
        new.assert_verdict("port", "info", &["serves on 127.0.0.1:5000 already", &process]);
        let other = Report::of(binary.unprivileged(RelayOptions::of(&binary.path).with(flags)));
        other.assert_verdict("port", "info", &["may not see, most likely", &process]);
        assert_eq!(other.fixes("port", "now"), ["sudo ss -ulpn 'sport = :5000'"]);
    });
}
