//! What a serving relay has given up, what it still does, and what it says where something cannot be given up.

#[cfg(target_arch = "x86_64")]
mod intruder;
#[cfg(target_arch = "x86_64")]
mod ring;

use std::fs;
use std::path::Path;

use nix::libc::{self, ENOSYS, EPERM, c_long};

use crate::people::Person;
use crate::support::{Backend, Relay, RelayOptions, each_backend, eventually, field, without};
use crate::tcp::Caller;

use super::tools::{ConfigFile, assert_says, main_job, refused, status_line, threads};

/// Waits until every shard has its own filter, too, which it takes in its first turns.
fn confined(options: RelayOptions) -> Relay {
    let relay = options.start();
    let filters = |folder: &Path| status_line(folder, "Seccomp_filters").parse::<u32>().expect("a number");
    let before = filters(Path::new("/proc/thread-self"));
    eventually("every shard opens no file any more", || {
        let mut shards = threads(relay.pid()).into_iter().filter(|(name, _)| name.starts_with("shard-"));
        shards.all(|(_, folder)| filters(&folder) == before + 2).then_some(())
    });
    relay
}

/// The labels of `relay_sandbox_info`.
fn exported(relay: &Relay) -> String {
    let mut names = relay.metrics().into_keys().filter(|name| name.starts_with("relay_sandbox_info"));
    names.next().expect("it is always there")
}

/// Replaces the configuration as editors and Kubernetes do, and reloads it.
fn replace_and_reload(relay: &Relay, file: &ConfigFile, text: &str) {
    let next = file.path().with_extension("next");
    fs::write(&next, text).expect("a file is written");
    fs::rename(&next, file.path()).expect("it replaces the other");
    relay.signal("HUP");
    relay.wait_for_log("was reloaded");
}

#[test]
fn every_thread_has_given_up_its_privileges_and_the_relay_does_its_job() {
    each_backend(|backend| {
        let file = ConfigFile::new("cap = 30");
        let relay =
            confined(RelayOptions::new(backend).with(["--config", &file.name(), "--host", "0.0.0.0"]));
        for (name, folder) in threads(relay.pid()) {
            for set in ["CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"] {
                assert_eq!(status_line(&folder, set), "0000000000000000", "{name}: {set}");
            }
            assert_eq!(
                (status_line(&folder, "NoNewPrivs"), status_line(&folder, "Seccomp")),
                ("1".into(), "2".into())
            );
        }
        main_job(relay.address());
        assert!(relay.metric("process_open_fds", "") > 0.0, "/proc can be read");
        replace_and_reload(&relay, &file, "cap = 31\n[groups.HALL]\n");
        main_job(relay.address());
        assert_eq!(relay.http("/").0, 200);
        assert_eq!(field(&relay.log()[0], "sandbox"), "on", "{:#?}", relay.log());
        assert!(exported(&relay).contains("state=\"on\""));
    });
}

/// What a thread has open.
fn open_of(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder.join("fd")).expect("/proc is there");
    let links = all.filter_map(|fd| fs::read_link(fd.expect("a descriptor").path()).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
}

/// Its answers still reach the shards, and it lets go of no socket later than they do.
#[test]
fn nobody_but_the_store_has_its_files() {
    each_backend(|backend| {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().to_str().unwrap();
        let mut relay = confined(RelayOptions::new(backend).with(["--data-dir", data]));
        let (anna, claim) = Person::named(&relay, "anna");
        let tcp = Caller::to(relay.address());
        tcp.assert_silence();
        for (name, folder) in threads(relay.pid()) {
            let open = open_of(&folder);
            let files = open.iter().filter(|link| link.starts_with(data)).count();
            assert_eq!(files, if name == "store" { 2 } else { 0 }, "{name}: {open:?}");
            let has_sockets = open.iter().any(|link| link.starts_with("socket:"));
            assert_eq!(has_sockets, name != "store", "{name}: {open:?}");
        }
        assert_eq!(anna.ask("!DEREG"), "!OK DEREG anna");
        relay.signal("TERM");
        assert!(relay.wait().success());
        assert!(tcp.next().is_none(), "it was closed");
        let relay = confined(RelayOptions::new(backend).with(["--data-dir", data]));
        Person::to(relay.address()).claim("anna", &claim);
    });
}

#[test]
fn a_pinned_shard_stays_where_it_is() {
    let relay = confined(RelayOptions::new(Backend::Uring).with(["--pin", "--shards", "1"]));
    let shards = threads(relay.pid()).into_iter().filter(|(name, _)| name.starts_with("shard-"));
    for (name, folder) in shards {
        let list = status_line(&folder, "Cpus_allowed_list");
        assert!(list.parse::<u32>().is_ok(), "{name} may run on {list}");
    }
}

#[test]
fn off_gives_up_nothing() {
    let relay = RelayOptions::new(Backend::Mmsg).with(["--sandbox", "off"]).start();
    let own = Path::new("/proc/thread-self");
    for (name, folder) in threads(relay.pid()) {
        for line in ["CapEff", "NoNewPrivs", "Seccomp"] {
            assert_eq!(status_line(&folder, line), status_line(own, line), "{name}: {line}");
        }
    }
    let labels = "state=\"off\",landlock=\"none\",system_calls=\"free\",privileges=\"kept\"";
    assert_eq!(exported(&relay), format!("relay_sandbox_info{{{labels}}}"));
    assert_eq!(relay.log().len(), 1, "{:#?}", relay.log());
}

#[test]
fn what_cannot_be_given_up_is_one_warning_or_an_error() {
    let calls: [(c_long, i32, &str); 4] = [
        (libc::SYS_landlock_create_ruleset, ENOSYS, "landlock=\"none\""),
        (libc::SYS_seccomp, EPERM, "system_calls=\"free\""),
        (libc::SYS_capset, EPERM, "privileges=\"kept\""),
        (libc::SYS_close_range, ENOSYS, "system_calls=\"filtered\""),
    ];
    let place = tempfile::tempdir().unwrap();
    let options = || RelayOptions::new(Backend::Mmsg).with(["--data-dir", place.path().to_str().unwrap()]);
    for (call, errno, label) in calls {
        without(&[call], errno, || {
            let relay = options().with(["--shards", "1"]).start();
            main_job(relay.address());
            let warnings =
                relay.log().into_iter().filter(|line| line.contains("not confined as it should be"));
            let [warning] = &warnings.collect::<Vec<_>>()[..] else { panic!("{:#?}", relay.log()) };
            assert_says(warning, &["WARN", "lacks=", "relay doctor"]);
            assert_says(&exported(&relay), &["state=\"partial\"", label]);
            let report = relay.http("/status.json").1;
            assert_says(&report, &["\"runbook\":\"relayunconfined\""]);
            let line = refused(options().with(["--sandbox", "require"]));
            assert_says(&line, &["--sandbox: ", "let `on` do without"]);
        });
    }
}

#[test]
fn all_of_it_can_be_had_here_or_the_relay_says_what_not() {
    let relay = RelayOptions::new(Backend::Mmsg).with(["--sandbox", "require"]).start();
    assert!(exported(&relay).contains("state=\"on\""));
}
