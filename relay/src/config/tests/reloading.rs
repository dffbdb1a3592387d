//! SIGHUP: what can change live does, what cannot is told, and an error changes nothing.

use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::super::{Reloaded, Source, reload};
use super::Case;

fn pending(case: &Case, reloaded: &Reloaded) -> Vec<String> {
    reloaded.pending.iter().map(|pending| case.shorten(&pending.to_string())).collect()
}

#[test]
fn live_values_and_groups_change() {
    let case = Case::new("cap = 5\nheartbeat = 60\n[groups.a]\n");
    let loaded = case.load(&[("RELAY_SWEEP", "7")], &["--cap=9"]).unwrap();
    case.write(
        "cap = 6\nheartbeat = 61\nempty-ttl = 0\nmax-groups-per-client = 4\nsweep = 8\ncoalesce = '9ms'\n[groups.b]\ncap = 1\ncoalesce = '1s'\n",
    );
    let new = reload(&loaded).unwrap();
    let settings = &new.loaded.setup.settings;
    assert_eq!(settings.cap, engine::Cap::Members(9), "the flag still wins");
    assert_eq!(settings.sweep.as_secs(), 7, "so does the environment");
    assert_eq!((settings.heartbeat.as_secs(), settings.empty_ttl.as_secs()), (61, 0));
    assert_eq!(settings.coalesce.as_millis(), 9);
    assert_eq!(new.loaded.setup.groups[0].1.coalesce.map(|own| own.as_millis()), Some(1000));
    assert_eq!((settings.max_groups_per_client, new.loaded.setup.groups[0].0.as_str()), (4, "B"));
    assert_eq!(pending(&case, &new), [""; 0]);
}

#[test]
fn what_needs_a_restart_stays_and_is_told_each_time() {
    let case = Case::new("port = 1\nhost = 'localhost'\nmax-groups = 100000");
    let loaded = case.load(&[], &["--shards=2"]).unwrap();
    case.write("\nport = 2\nhost = '::1'\nshards = 3\nheartbeat = 9\nlog-level = 'warn'\n");
    let lines = [
        "relay.toml:3: host: the change from localhost to ::1 needs a restart",
        "relay.toml:2: port: the change from 1 to 2 needs a restart",
        "max-groups: the change from 100000 to 262144 needs a restart",
        "relay.toml:6: log-level: the change from info to warn needs a restart",
    ];
    let new = reload(&loaded).unwrap();
    assert_eq!(pending(&case, &new), lines);
    let again = reload(&new.loaded).unwrap();
    assert_eq!(pending(&case, &again), lines);
    for setup in [&new.loaded.setup, &again.loaded.setup] {
        assert_eq!((setup.hosts.clone(), setup.port), (loaded.setup.hosts.clone(), 1));
        assert_eq!(
            (setup.settings.ceilings, setup.log_level),
            (loaded.setup.settings.ceilings, loaded.setup.log_level)
        );
        assert_eq!(setup.settings.heartbeat.as_secs(), 9);
    }
    assert_eq!(
        case.shorten(&again.loaded.place("port").to_string()),
        "relay.toml:1: port",
        "of the value that runs"
    );
}

#[test]
fn an_error_is_an_error_even_where_it_could_not_change_live() {
    let case = Case::new("");
    let loaded = case.load(&[], &[]).unwrap();
    case.write("\nport = 'x'");
    let line = reload(&loaded).unwrap_err().to_string();
    assert_eq!(case.shorten(&line), "relay.toml:2: port: \"x\" is not a number from 0 to 65535");
    std::fs::remove_file(case.path()).unwrap();
    assert!(reload(&loaded).unwrap_err().to_string().starts_with("--config: cannot read "));
}

#[test]
fn the_groups_of_the_file_must_fit_the_ceiling_that_runs() {
    let case = Case::new("max-groups = 1");
    let loaded = case.load(&[], &[]).unwrap();
    case.write("max-groups = 2\n[groups.a]\n[groups.b]\n");
    let line = reload(&loaded).unwrap_err().to_string();
    assert_eq!(
        case.shorten(&line),
        "relay.toml:1: max-groups: 1 is less than the 2 groups that the file declares"
    );
}

#[test]
fn a_pipe_is_read_at_the_start_and_never_again() {
    let case = Case::new("");
    std::fs::remove_file(case.path()).unwrap();
    mkfifo(&case.path(), Mode::S_IRWXU).unwrap();
    let path = case.path();
    let writer = thread::spawn(move || std::fs::write(path, "admission = 'strict'").unwrap());
    let loaded = case.load(&[], &[]).unwrap();
    writer.join().unwrap();
    assert_eq!(loaded.source("admission"), Source::File);
    let line = case.shorten(&reload(&loaded).unwrap_err().to_string());
    assert!(
        line.ends_with("relay.toml: it is no regular file, which alone can be read anew at a reload"),
        "{line}"
    );
    std::fs::remove_file(case.path()).unwrap();
    std::fs::create_dir(case.path()).unwrap();
    let line = reload(&loaded).unwrap_err().to_string();
    assert!(line.ends_with("Is a directory (os error 21); name a file in it"), "{line}");
}

#[test]
fn what_may_not_be_meant_is_told_at_the_start_and_at_a_reload() {
    let case = Case::new("trust = ['10.0.0.0/8', '::/0']\nallow = 'none'\n");
    let loaded = case.load(&[], &[]).unwrap();
    let told = |lines: &[String]| lines.iter().map(|line| case.shorten(line)).collect::<Vec<_>>();
    let lines = told(&loaded.setup.warnings);
    assert_eq!(lines[0], "relay.toml:2: allow: nobody may speak to the relay");
    assert!(lines[1].starts_with("relay.toml:1: trust: ::/0 is every address, so that none"), "{}", lines[1]);
    assert_eq!(told(&reload(&loaded).unwrap().doubts), lines);
    for other in ["trust = '10.0.0.0/8'", "trust = '0.0.0.0/0'\nadmission = 'open'"] {
        case.write(other);
        assert_eq!(reload(&loaded).unwrap().doubts, [""; 0], "{other}");
    }
}
