//! The relay in containers, run by podman: what its image is, and what it does under which seccomp profile.

mod podman;

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Relay, alone};

use super::tools::{ConfigFile, main_job};
use podman::{Podman, our_profile, repository};

/// What the compose file and the Kubernetes manifests ask for, too.
const CONFINED: [&str; 5] = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];

#[test]
fn confined_and_under_our_profile_it_serves_with_io_uring_reloads_and_stops() {
    alone(|| {
        let podman = Podman::with_image();
        let file = ConfigFile::new("host = [\"127.0.0.1\", \"::1\"]\n");
        let mount = format!("{}:/etc/relay/relay.toml:ro", file.name());
        let profile = our_profile();
        let options = [&CONFINED[..], &["--security-opt", &profile, "--volume", &mount]].concat();
        let mut relay = podman.relay(&options, &[]).start();
        assert_eq!(relay.addresses.len(), 2);
        for address in &relay.addresses {
            main_job(*address);
        }
        assert_backend(&relay, "uring");
        assert_eq!(relay.metric("relay_backend_fallback_info", ""), 0.0);
        assert_is_confined(podman.pid());

        file.write("host = [\"127.0.0.1\", \"::1\"]\ncap = 3\n");
        podman.must(["kill", "--signal", "HUP", "relay"]);
        relay.wait_for_log("reloaded");

        let asked = podman.must(["exec", "relay", "/relay", "--version"]);
        assert!(asked.starts_with("relay "), "{asked}");
        podman.must(["stop", "relay"]);
        assert!(relay.wait().success());
        assert_eq!(podman.exit_code(), 0);
    });
}

#[test]
fn under_the_default_profile_it_serves_without_io_uring_and_says_why() {
    alone(|| {
        let podman = Podman::with_image();
        let mut relay = podman.relay(&CONFINED, &[]).start();
        assert_eq!(relay.addresses, ["0.0.0.0:5000".parse().unwrap()], "what relay.toml in the image says");
        main_job("127.0.0.1:5000".parse().unwrap());
        assert_backend(&relay, "mmsg");
        let reason = relay.metrics().into_keys().find(|name| name.starts_with("relay_backend_fallback_info"));
        assert!(reason.as_ref().is_some_and(|reason| reason.contains("io_uring_setup")), "{reason:?}");
        for path in ["/livez", "/readyz"] {
            assert_eq!(relay.http(path).0, 200);
        }
        relay.signal("TERM");
        assert!(relay.wait().success());
        assert_eq!(podman.exit_code(), 0);
    });
}

#[test]
fn the_default_profile_with_three_calls_added_admits_io_uring() {
    alone(|| {
        let podman = Podman::with_image();
        // The command of docs/operations.md.
        let added = r#".syscalls += [{"names": ["io_uring_setup", "io_uring_enter", "io_uring_register"], "action": "SCMP_ACT_ALLOW"}]"#;
        let manual = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
        assert!(manual.contains(added), "docs/operations.md shows another command");
        let default = "/usr/share/containers/seccomp.json";
        let made = Command::new("jq").args([added, default]).stdin(Stdio::null()).output().expect("jq runs");
        assert!(made.status.success());
        let file = ConfigFile::new(&String::from_utf8(made.stdout).unwrap());
        let profile = format!("seccomp={}", file.name());
        // With podman's own privileges, which the runtime gives up under the filter, and not before.
        let relay = podman.relay(&["--security-opt", &profile], &["--pin"]).start();
        assert_backend(&relay, "uring");
        drop(relay);
        podman.must(["rm", "--force", "--time", "0", "relay"]);
        let relay = podman.relay(&["--security-opt", &our_profile()], &["--pin"]).start();
        assert_backend(&relay, "uring");
        drop(relay);
        podman.must(["rm", "--force", "--time", "0", "relay"]);
        let (_, report, errors) = podman.relay(&["--security-opt", &our_profile()], &["doctor"]).run();
        let line = report.lines().find(|line| line.contains(" io_uring "));
        assert!(line.is_some_and(|line| line.trim_start().starts_with("ok ")), "{report}{errors}");
    });
}

#[test]
fn our_profile_admits_threads_but_neither_processes_nor_new_namespaces() {
    let podman = Podman::with_image();
    let profile = our_profile();
    let ours = ["--security-opt", profile.as_str()];
    let echo = podman.shell(&ours, "echo here");
    assert_eq!(String::from_utf8_lossy(&echo.stdout), "here\n", "{echo:?}");
    for script in ["(exit 0); echo on", "exec /usr/bin/unshare --user /usr/bin/true", "exec /usr/bin/ls /"] {
        let refused = podman.shell(&ours, script);
        assert_eq!(script.contains("ls"), refused.status.success(), "{script}: {refused:?}");
    }
    // The same where nothing but the profile differs.
    assert!(podman.shell(&[], "(exit 0); echo on").status.success());
    let unconfined = ["--security-opt", "seccomp=unconfined"];
    assert!(podman.shell(&unconfined, "exec /usr/bin/unshare --user /usr/bin/true").status.success());
}

#[track_caller]
fn assert_backend(relay: &Relay, backend: &str) {
    assert_eq!(
        relay.metric("relay_build_info", &format!("backend=\"{backend}\"")),
        1.0,
        "{:#?}",
        relay.log()
    );
}

/// Neither root nor privileges, and a filter: as the kernel tells it.
fn assert_is_confined(pid: u32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let fields =
        ["Name:\trelay", "Uid:\t65532\t65532", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"];
    for field in fields {
        assert!(status.contains(field), "not {field:?}: {status}");
    }
}
