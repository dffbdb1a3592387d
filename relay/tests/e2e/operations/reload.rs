//! SIGHUP: what can change live does, members stay, and a bad file changes nothing.

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::{Backend, Client, Relay, RelayOptions, each_backend, eventually};

use super::tools::{ConfigFile, assert_says};

const START: &str = "\
heartbeat = 10
cap = 2
max-groups-per-client = 1
[groups.LOBBY-1]
cap = 1
[groups.LOBBY-2]
";

struct Reloadable {
    file: ConfigFile,
    relay: Relay,
}

impl Reloadable {
    fn start(backend: Backend) -> Self {
        let file = ConfigFile::new(START);
        let relay = RelayOptions::new(backend).with(["--config", &file.name()]).start();
        Self { file, relay }
    }

    /// Writes a new file, sends SIGHUP and waits for a log line that contains this text; gives the new lines.
    #[track_caller]
    fn reload(&self, text: &str, waited_for: &str) -> Vec<String> {
        self.file.write(text);
        self.hang_up(waited_for)
    }

    #[track_caller]
    fn hang_up(&self, waited_for: &str) -> Vec<String> {
        let before = self.relay.log().len();
        self.relay.signal("HUP");
        eventually(waited_for, || {
            let log = self.relay.log();
            log[before..].iter().any(|line| line.contains(waited_for)).then(|| log[before..].to_vec())
        })
    }
}

/// Asks until the answer is this one: a shard reads its inbox soon, but not before the log line.
#[track_caller]
fn soon(client: &Client, request: &str, answer: &str) {
    eventually(answer, || (client.ask(request) == answer).then_some(()));
}

#[test]
fn caps_quotas_and_heartbeat_change_and_members_stay() {
    each_backend(|backend| {
        let here = Reloadable::start(backend);
        let [a, b, c] = [(); 3].map(|()| Client::to(here.relay.address()));
        let group = a.create();
        a.join(&group);
        b.join(&group);
        assert_eq!(c.ask(format!("!JOIN {group}")), format!("ERR GROUP_FULL {group}"));
        assert_eq!(a.ask("!CREATE"), "ERR CLIENT_LIMIT 1/1");
        assert_eq!(a.ask("!PING"), "PONG 10.0");

        let log = here.reload("heartbeat = 20.5\ncap = 3\nmax-groups-per-client = 2\n", "reloaded");
        assert_eq!(log.len(), 1, "{log:#?}");
        soon(&a, "!PING", "PONG 20.5");
        soon(&b, "!PING", "PONG 20.5");
        soon(&c, &format!("!JOIN {group}"), &format!("OK JOINED {group}"));
        assert_eq!(a.ask("!WHO"), format!("OK WHO {group} 3"));
        a.create();
        assert_eq!(a.ask("!CREATE"), "ERR CLIENT_LIMIT 2/2");
        a.send("still here");
        assert_eq!((b.hear(), c.hear()), ("still here".to_owned(), "still here".to_owned()));

        // A lower cap puts nobody out, and lets nobody in.
        here.reload("cap = 1\n", "reloaded");
        let late = Client::to(here.relay.address());
        soon(&late, &format!("!JOIN {group}"), &format!("ERR GROUP_FULL {group}"));
        assert_eq!(a.ask("!WHO"), format!("OK WHO {group} 3"));
        // Keys that are gone have their defaults again.
        soon(&a, "!PING", "PONG 60.0");
    });
}

#[test]
fn predeclared_groups_come_change_and_go() {
    each_backend(|backend| {
        let here = Reloadable::start(backend);
        let [a, b, c] = [(); 3].map(|()| Client::to(here.relay.address()));
        a.join("LOBBY-1");
        assert_eq!(b.ask("!JOIN LOBBY-1"), "ERR GROUP_FULL LOBBY-1");
        b.join("LOBBY-2");
        assert_eq!(c.ask("!JOIN LOBBY-3"), "ERR BAD_ARG NoSuchGroup");

        here.reload(
            "empty-ttl = 0.05\nsweep = 0.02\n[groups.LOBBY-1]\ncap = 2\n[groups.LOBBY-3]\n",
            "reloaded",
        );
        soon(&c, "!JOIN LOBBY-3", "OK JOINED LOBBY-3");
        soon(&c, "!JOIN LOBBY-1", "OK JOINED LOBBY-1");
        // A group that the file names no more is an ordinary one: its member stays, and it goes when it is empty.
        assert_eq!(b.ask("!WHO"), "OK WHO LOBBY-2 1");
        assert_eq!(b.ask("!LEAVE LOBBY-2"), "OK LEFT LOBBY-2");
        eventually("LOBBY-2 goes", || (here.relay.metric("relay_groups", "") == 2.0).then_some(()));
        assert_eq!(b.ask("!JOIN LOBBY-2"), "ERR BAD_ARG NoSuchGroup");
        // LOBBY-3 is empty too, and stays.
        assert_eq!(b.ask("!JOIN LOBBY-3"), "OK JOINED LOBBY-3");
    });
}

#[test]
fn time_limits_change() {
    each_backend(|backend| {
        let here = Reloadable::start(backend);
        let [a, b] = [(); 2].map(|()| Client::to(here.relay.address()));
        let group = a.create();
        a.join(&group);
        b.create();
        eventually("4 groups", || (here.relay.metric("relay_groups", "") == 4.0).then_some(()));
        here.reload("heartbeat = 0.05\nsweep = 0.02\nempty-ttl = 0.05\n", "reloaded");
        // The silent member is removed, both groups are deleted, and so are those that are declared no more.
        eventually("nobody is left", || (here.relay.metric("relay_members", "") == 0.0).then_some(()));
        eventually("no group is left", || (here.relay.metric("relay_groups", "") == 0.0).then_some(()));
        assert_eq!(here.relay.metric("relay_group_events_total", "expire"), 1.0);
        assert_eq!(a.ask("!WHO"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
    });
}

#[test]
fn a_bad_file_changes_nothing() {
    each_backend(|backend| {
        let here = Reloadable::start(backend);
        let a = Client::to(here.relay.address());
        let group = a.create();
        a.join(&group);
        let bad = [
            ("heartbeat = 30\ncap = \"lots\"\n", ":2: cap"),
            ("heartbeat = 30\nheartbeet = 1\n", ":2: heartbeet"),
            ("heartbeat = 30\nport = \n", ":2: is not TOML"),
            ("heartbeat = 30\n[groups.LOBBY-9]\ncap = 0\n", ":3: groups.LOBBY-9.cap"),
            ("heartbeat = 30\n[groups.LOBBY-9]\ncoalesce = 2\n", ":3: groups.LOBBY-9.coalesce"),
        ];
        for (text, place) in bad {
            let log = here.reload(text, "the old configuration stays");
            assert_eq!(log.len(), 1, "{log:#?}");
            assert_says(&log[0], &["ERROR", &here.file.name(), place]);
            assert_eq!(a.ask("!PING"), "PONG 10.0");
            assert_eq!(a.ask("!WHO"), format!("OK WHO {group} 1"));
        }
        std::fs::remove_file(here.file.path()).unwrap();
        let log = here.hang_up("the old configuration stays");
        assert_says(&log[0], &["ERROR", "cannot read", &here.file.name()]);
        // Nobody writes to this one, and whoever opened it as any other file would wait.
        mkfifo(&here.file.path(), Mode::S_IRWXU).unwrap();
        let log = here.hang_up("the old configuration stays");
        assert_says(&log[0], &["ERROR", "no regular file", &here.file.name()]);
        std::fs::remove_file(here.file.path()).unwrap();
        assert_eq!(a.ask("!PING"), "PONG 10.0");
        here.reload("heartbeat = 30\n", "reloaded");
        soon(&a, "!PING", "PONG 30.0");
    });
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_changes() {
    each_backend(|backend| {
        let here = Reloadable::start(backend);
        let a = Client::to(here.relay.address());
        a.join("LOBBY-2");
        let text = "heartbeat = 30\nmax-clients = 7\nreceive-buffer = \"64K\"\npin = true\nlog-format = \"json\"\n[groups.LOBBY-2]\n";
        for _ in 0..2 {
            // Named at each reload until the restart.
            let log = here.reload(text, "reloaded");
            let warnings: Vec<&String> = log.iter().filter(|line| line.contains("needs a restart")).collect();
            assert_eq!((warnings.len(), log.len()), (4, 5), "{log:#?}");
            let named = [
                (":2: max-clients", "from 1048576 to 7"),
                (":3: receive-buffer", "from 8M to 64K"),
                (":4: pin", "from false to true"),
                (":5: log-format", "from text to json"),
            ];
            for (place, change) in named {
                let about = warnings.iter().find(|line| line.contains(place));
                assert_says(about.unwrap_or_else(|| panic!("{place}: {log:#?}")), &["WARN", change]);
            }
        }
        soon(&a, "!PING", "PONG 30.0");
        main_job_after(&here.relay);
    });
}

/// Flags and environment of the start stay stronger than the new file.
#[test]
fn a_flag_stays_stronger_than_the_new_file() {
    let file = ConfigFile::new("");
    let name = file.name();
    let relay = RelayOptions::new(Backend::Mmsg)
        .env("RELAY_MAX_GROUPS_PER_CLIENT", "1")
        .with(["--config", &name, "--heartbeat", "5"])
        .start();
    let here = Reloadable { file, relay };
    here.reload("heartbeat = 6\nmax-groups-per-client = 9\ncap = 1\n", "reloaded");
    let [a, b] = [(); 2].map(|()| Client::to(here.relay.address()));
    let group = a.create();
    a.join(&group);
    soon(&b, &format!("!JOIN {group}"), &format!("ERR GROUP_FULL {group}"));
    assert_eq!(a.ask("!PING"), "PONG 5.0");
    assert_eq!(a.ask("!CREATE"), "ERR CLIENT_LIMIT 1/1");
}

#[test]
fn without_a_file_there_is_nothing_to_read_and_nothing_breaks() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let member = Client::to(relay.address());
        member.join(&member.create());
        for count in 1..=100 {
            relay.signal("HUP");
            if count % 10 == 0 {
                assert_eq!(member.ask("!PING"), "PONG 60.0");
            }
        }
        relay.wait_for_log("reloaded");
        main_job_after(&relay);
    });
}

#[track_caller]
fn main_job_after(relay: &Relay) {
    super::tools::main_job(relay.address());
}
