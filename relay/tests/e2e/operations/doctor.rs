//! `relay doctor`: what it says about machines that are made to hurt, and that it leaves a running relay alone.

use std::collections::BTreeSet;
use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use nix::libc::{ENOSYS, EPERM};
use serde_json::Value;

use crate::support::{Backend, Cable, IO_URING, RelayOptions, alone, eventually, ip, without};

use super::tools::{Copied, assert_says, main_job, proc_of, refused};

/// What `relay doctor --json` has said; the exit code goes with it.
pub struct Report(Value);

impl Report {
    #[track_caller]
    pub fn of(options: RelayOptions) -> Self {
        let (status, out, err) = options.run();
        assert_eq!(err, "");
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        let bad = |check: &Value| check["verdict"] == "warning" || check["verdict"] == "problem";
        let expected = i32::from(report["checks"].as_array().unwrap().iter().any(bad));
        assert_eq!(
            (status.code(), report["exit_code"].as_i64()),
            (Some(expected), Some(expected.into())),
            "{out}"
        );
        Self(report)
    }

    pub fn checks(&self) -> &[Value] {
        self.0["checks"].as_array().unwrap()
    }

    pub fn user(&self) -> u64 {
        self.0["relay"]["user"].as_u64().unwrap()
    }

    /// The first finding of this check.
    #[track_caller]
    pub fn check(&self, name: &str) -> &Value {
        let found = self.checks().iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    #[track_caller]
    pub fn assert_verdict(&self, name: &str, verdict: &str, says: &[&str]) {
        let check = self.check(name);
        assert_eq!(check["verdict"], verdict, "{check}");
        assert_says(check["found"].as_str().unwrap(), says);
    }

    /// The commands of a check that go to this place.
    #[track_caller]
    pub fn fixes(&self, name: &str, how: &str) -> Vec<String> {
        let fixes = self.check(name)["fixes"].as_array().unwrap();
        let commands = fixes.iter().filter(|fix| fix["how"] == how);
        commands.map(|fix| fix["command"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn doctor(flags: &[&str]) -> RelayOptions {
    RelayOptions::plain().with(["doctor", "--json"]).with(flags.iter().copied())
}

#[test]
fn the_shape_is_as_documented() {
    let report = Report::of(doctor(&["--shards", "2"]));
    let documents =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md")).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let expected = |names: &str| names.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    let top = "format version verdict exit_code relay summary checks measurement";
    assert_eq!((report.0["format"].as_i64(), keys(&report.0)), (Some(1), expected(top)));
    assert_eq!(keys(&report.0["relay"]), expected("addresses shards backend user"));
    assert_eq!(report.0["relay"]["addresses"][0], "127.0.0.1:5000");
    for check in report.checks() {
        assert_eq!(keys(check), expected("name subject verdict found values why fixes"));
        let name = format!("`{}`", check["name"].as_str().unwrap());
        assert!(documents.contains(&name), "docs/operations.md says nothing about {name}");
        let is_well = check["verdict"] == "ok";
        assert!(!is_well || check["fixes"] == serde_json::json!([]), "{check}");
    }
    let counted: i64 =
        report.0["summary"].as_object().unwrap().values().map(|count| count.as_i64().unwrap()).sum();
    assert_eq!(counted as usize, report.checks().len());
    assert!(counted >= 20 && report.0["measurement"].is_null());
    report.assert_verdict("balance", "ok", &["clients to each of 2 shards"]);
}

#[test]
fn people_get_a_line_for_each_check_and_one_at_the_end() {
    let (status, text, err) = RelayOptions::plain().with(["doctor", "--host", "0.0.0.0"]).run();
    assert!(matches!(status.code(), Some(0 | 1)) && err.is_empty(), "{err}");
    assert!(!text.contains('\x1b'), "colour is for terminals: {text}");
    assert_says(text.lines().next().unwrap(), &["0.0.0.0:5000"]);
    let last = text.lines().last().unwrap();
    assert!(last.contains("will hurt") && last.contains("fine"), "{last}");
    for name in ["kernel", "io_uring", "receive-buffer", "conntrack"] {
        assert!(text.lines().any(|line| line.split_whitespace().nth(1) == Some(name)), "{name}: {text}");
    }
}

#[test]
fn a_mistake_on_the_command_line_is_one_line() {
    assert_says(
        &refused(RelayOptions::plain().with(["doctor", "--prot", "1"])),
        &["--prot", "did you mean --port"],
    );
    assert_says(&refused(doctor(&["--check-config"])), &["--check-config"]);
    assert_says(&refused(doctor(&["now"])), &["now", "only flags"]);
    assert_says(&refused(doctor(&["--cap", "0"])), &["--cap"]);
}

#[test]
fn it_judges_what_flags_environment_and_file_say() {
    let before = RelayOptions::plain().with(["--port", "6001", "doctor", "--json"]).env("RELAY_SHARDS", "3");
    let report = Report::of(before);
    assert_eq!(report.0["relay"]["addresses"][0], "127.0.0.1:6001");
    assert_eq!(report.0["relay"]["shards"], 3);
    assert_eq!(Report::of(doctor(&["--shards=200"])).check("processors")["verdict"], "warning");
}

#[test]
fn buffers_that_are_not_granted() {
    let binary = Copied::new();
    let flags = ["doctor", "--json", "--receive-buffer", "1G"];
    let report = Report::of(binary.unprivileged(RelayOptions::of(&binary.path).with(flags)));
    report.assert_verdict("receive-buffer", "warning", &["of 1 GiB asked for"]);
    assert_eq!(report.fixes("receive-buffer", "now"), ["sysctl -w net.core.rmem_max=1073741824"]);
    // Root has CAP_NET_ADMIN, and is told that others have not.
    Report::of(doctor(&["--receive-buffer", "1G"])).assert_verdict(
        "receive-buffer",
        "info",
        &["CAP_NET_ADMIN"],
    );
}

#[test]
fn a_low_port_without_the_privilege() {
    let binary = Copied::new();
    alone(|| {
        let options = || RelayOptions::of(&binary.path).with(["doctor", "--json", "--port", "80"]);
        let report = Report::of(binary.unprivileged(options()));
        report.assert_verdict("port", "problem", &["CAP_NET_BIND_SERVICE"]);
        assert_eq!(report.fixes("port", "systemd"), ["AmbientCapabilities=CAP_NET_BIND_SERVICE"]);
        Report::of(options()).assert_verdict("port", "ok", &["80 is free"]);
    });
}

#[test]
fn too_few_open_files() {
    let report = Report::of(doctor(&["--shards", "2"]).through("prlimit --nofile=40:40"));
    report.assert_verdict("open-files", "problem", &["40 may be open"]);
    // A relay never has more of them open than the doctor says.
    let needed = report.check("open-files")["values"]["needed"].as_u64().unwrap();
    let limit = format!("prlimit --nofile={needed}:{needed}");
    let relay = RelayOptions::new(Backend::Uring).through(&limit).start();
    main_job(relay.address());
    let open = fs::read_dir(proc_of(relay.pid()).join("fd")).unwrap().count() as u64;
    assert!(open <= needed, "{open} are open, {needed} were told");
}

#[test]
fn io_uring_that_is_denied() {
    for (errno, reason) in [(ENOSYS, "Function not implemented"), (EPERM, "Operation not permitted")] {
        without(&IO_URING, errno, || {
            let report = Report::of(doctor(&["--backend", "uring"]));
            report.assert_verdict("io_uring", "problem", &["io_uring_setup", reason]);
            assert_says(&report.fixes("io_uring", "container")[0], &["seccomp=", "io_uring_enter"]);
            assert_eq!(report.fixes("io_uring", "relay"), ["--backend auto"]);
            Report::of(doctor(&[])).assert_verdict("io_uring", "info", &[reason, "mmsg serves"]);
        });
    }
    Report::of(doctor(&["--backend", "uring"])).assert_verdict("io_uring", "ok", &["multishot receive"]);
}

/// Rings are counted to the limit of locked memory, by most kernels; whatever this one does, the relay meets the same.
#[test]
fn a_limit_of_locked_memory_that_holds_some_of_the_rings() {
    let binary = Copied::new();
    for bytes in ["0", "400000", "4000000"] {
        let limited = |options: RelayOptions| {
            let options = options.with(["--shards", "8", "--port", "0"]);
            binary.unprivileged(options).through(&format!("prlimit --memlock={bytes}:{bytes}"))
        };
        let report = Report::of(limited(RelayOptions::of(&binary.path).with(["doctor", "--json"])));
        let relay = limited(RelayOptions::of(&binary.path).with(["--metrics-listen", "0"])).start();
        let falls_back = relay.log().iter().any(|line| line.contains("io_uring is not available"));
        let verdict = if falls_back { "info" } else { "ok" };
        report.assert_verdict("io_uring", verdict, &[]);
        report.assert_verdict("locked-memory", verdict, &[]);
        if falls_back {
            assert_eq!(report.fixes("io_uring", "systemd"), ["LimitMEMLOCK=infinity"]);
        }
    }
}

#[test]
fn a_port_that_another_program_has() {
    alone(|| {
        let _socket = UdpSocket::bind("127.0.0.1:5000").unwrap();
        let report = Report::of(doctor(&[]));
        let own = format!("process {}", std::process::id());
        report.assert_verdict("port", "problem", &["127.0.0.1:5000", &own]);
        assert_eq!(report.fixes("port", "now"), [format!("kill {}", std::process::id())]);
        Report::of(doctor(&["--port", "5001"])).assert_verdict("port", "ok", &["5001 is free"]);
    });
}

#[test]
fn a_relay_that_serves_is_left_alone() {
    alone(|| {
        let relay = RelayOptions::plain().start();
        main_job(relay.address());
        let process = format!("process {}", relay.pid());
        Report::of(doctor(&[])).assert_verdict(
            "port",
            "info",
            &["serves on 127.0.0.1:5000 already", &process],
        );
        main_job(relay.address());
        // What the main job sends, twice, and nothing else.
        let all = eventually("everything is counted", || {
            Some(relay.metric("relay_received_packets_total", "")).filter(|all| *all >= 46.0)
        });
        assert_eq!(all, 46.0, "the doctor has spoken to it");
    });
}

#[test]
fn interfaces_are_looked_at_where_they_serve() {
    alone(|| {
        Report::of(doctor(&["--host", "0.0.0.0"])).assert_verdict(
            "addresses",
            "warning",
            &["no interface but loopback"],
        );
    });
    Cable::lay(|_| {
        let whole = Report::of(doctor(&["--host", "0.0.0.0"]));
        whole.assert_verdict("addresses", "ok", &["near"]);
        whole.assert_verdict("mtu", "ok", &["1500 bytes"]);
        assert_eq!(whole.check("network-card")["subject"], "near");
        ip("link set near mtu 1000");
        let small = Report::of(doctor(&["--host", "0.0.0.0"]));
        small.assert_verdict("mtu", "warning", &["1000 bytes"]);
        assert_eq!(small.check("mtu")["subject"], "near");
        run(&small.fixes("mtu", "now")[0]);
        Report::of(doctor(&["--host", "0.0.0.0"])).assert_verdict("mtu", "ok", &["1500 bytes"]);
    });
}

/// The firewall of a namespace of its own is made to remember flows; the fix is then pasted.
#[test]
fn a_firewall_that_remembers_clients() {
    alone(|| {
        Report::of(doctor(&[])).check("conntrack");
        if !Path::new("/proc/sys/net/netfilter/nf_conntrack_count").exists() {
            return Report::of(doctor(&[])).assert_verdict("conntrack", "ok", &["not loaded"]);
        }
        Report::of(doctor(&[])).assert_verdict("conntrack", "ok", &["no client is remembered"]);
        run(
            "nft 'table inet watch { chain input { type filter hook input priority 0; ct state invalid drop; }; }'",
        );
        let report = Report::of(doctor(&["--port", "5005"]));
        report.assert_verdict("conntrack", "warning", &["remembered"]);
        run(&report.fixes("conntrack", "now")[0]);
        Report::of(doctor(&["--port", "5005"])).assert_verdict("conntrack", "ok", &["port 5005 is exempt"]);
        Report::of(doctor(&["--port", "5006"])).assert_verdict("conntrack", "warning", &["remembered"]);
        for (protocol, verdict) in [("tcp", "warning"), ("udp", "ok")] {
            run("nft delete table inet relay");
            run(&format!(
                "nft 'table inet relay {{ chain a {{ type filter hook prerouting priority raw; {protocol} dport 5000-5004 notrack; }}; chain b {{ type filter hook output priority raw; {protocol} sport {{ 80, 5000-5004 }} notrack; }}; }}'"
            ));
            Report::of(doctor(&["--port", "5003"])).assert_verdict("conntrack", verdict, &[]);
        }
    });
}

#[track_caller]
fn run(command: &str) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_measurement_ends_in_a_recommendation() {
    let (status, out, err) = doctor(&["--measure"]).run();
    assert!(matches!(status.code(), Some(0 | 1)), "{err}");
    assert_eq!(err, "relay: measures both backends over loopback, for about ten seconds\n");
    let report: Value = serde_json::from_str(&out).unwrap();
    let measured = &report["measurement"];
    let names: Vec<_> =
        measured["backends"].as_array().unwrap().iter().map(|series| &series["backend"]).collect();
    assert_eq!(names, ["uring", "mmsg"]);
    for series in measured["backends"].as_array().unwrap() {
        for figure in ["fan_out", "one_to_one", "delay_p50", "delay_p99"] {
            let rounds = series[figure].as_array().unwrap();
            assert_eq!(rounds.len() as u64, measured["rounds"].as_u64().unwrap(), "{series}");
            assert!(rounds.iter().all(|value| value.as_f64().unwrap() > 0.0), "{series}");
        }
    }
    let advised = measured["recommendation"]["backend"].as_str().unwrap();
    assert!(["uring", "mmsg", "either"].contains(&advised), "{measured}");
}
