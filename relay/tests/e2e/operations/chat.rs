//! The chat client as people and scripts use it, against this relay.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::support::{
    Backend, Cable, Client, NEAR, Relay, RelayOptions, alone, each_backend, eventually, program,
};

fn chat(relay: SocketAddr) -> Command {
    let mut command = Command::new(program("chat"));
    command.env_remove("CHAT_SERVER").args(["--server", &relay.to_string()]);
    command
}

/// Somebody who types lines into a pipe; what is printed is kept.
struct Talker {
    child: Child,
    input: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Talker {
    fn start(relay: SocketAddr, flags: &[&str]) -> Self {
        let mut command = chat(relay);
        let mut child = command
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chat starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let pipes: [Box<dyn BufRead + Send>; 2] =
            [Box::new(BufReader::new(out)), Box::new(BufReader::new(err))];
        for pipe in pipes {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                for line in pipe.lines().map_while(Result::ok) {
                    lines.lock().unwrap().push(line);
                }
            });
        }
        let input = child.stdin.take();
        Self { child, input, lines }
    }

    fn types(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("an open input"), "{line}").expect("chat reads");
    }

    /// Waits for a line that contains this text.
    #[track_caller]
    fn sees(&self, text: &str) -> String {
        eventually(&format!("chat shows {text:?}, not only {:?}", self.lines.lock().unwrap()), || {
            self.lines.lock().unwrap().iter().find(|line| line.contains(text)).cloned()
        })
    }

    /// Waits until it has ended.
    #[track_caller]
    fn ends(&mut self) -> Option<i32> {
        self.input = None;
        eventually("chat ends", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A session is a client before it has joined, so the number of clients does not tell.
fn joins(relay: &Relay) -> f64 {
    relay.metric("relay_group_events_total", "join")
}

#[test]
fn two_people_talk() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let mut ann = Talker::start(relay.address(), &[]);
        ann.types("create --join");
        let joined = ann.sees("* joined ");
        let group = joined.rsplit(' ').next().unwrap().to_owned();
        let mut bob = Talker::start(relay.address(), &[]);
        bob.types(&format!("join {}", group.to_lowercase()));
        bob.sees(&format!("* joined {group}"));
        ann.types("hello Bob");
        assert_eq!(bob.sees("hello Bob"), "< #1: hello Bob");
        bob.types("hello Ann, ünïcödé");
        assert_eq!(ann.sees("hello Ann"), "< #2: hello Ann, ünïcödé");
        ann.types("who");
        assert_eq!(ann.sees("members"), format!("* {group} has 2 members, with you"));
        bob.types("ping");
        bob.sees("suggests a heartbeat every 60 s");
        bob.types("!JOIN");
        bob.sees("a line cannot begin with `!`");
        bob.types("leave");
        bob.sees(&format!("* left {group}"));
        bob.types("nobody hears this");
        bob.sees("you are in no group, nothing was sent");
        ann.types("quit");
        assert_eq!((ann.ends(), bob.ends()), (Some(0), Some(0)));
        let other = Client::member(relay.address(), &group);
        let alone = format!("OK WHO {group} 1");
        eventually("nobody is left", || (other.ask("!WHO") == alone).then_some(()));
    });
}

#[test]
fn scripts_send_and_listen() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let made = chat(relay.address()).arg("create").output().unwrap();
        let group = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(made.status.success() && group.len() == 8, "{group}");
        let flags = ["listen", "--group", &group, "--count", "3", "--timeout", "60s", "--json"];
        let mut listener = Talker::start(relay.address(), &flags);
        eventually("it is a member", || (joins(&relay) == 1.0).then_some(()));
        let said =
            chat(relay.address()).args(["send", "--group", &group, "build", "finished"]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        let mut sender = Talker::start(relay.address(), &["send", "--group", &group, "-"]);
        sender.types("line one");
        sender.types("line \"two\"");
        assert_eq!(sender.ends(), Some(0));
        assert_eq!(listener.ends(), Some(0));
        // Its end is seen before its last words may have been read.
        let texts = eventually("three messages", || {
            let lines = listener.lines.lock().unwrap();
            let values = lines
                .iter()
                .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
            let texts: Vec<String> = values
                .filter(|value: &Value| value["type"] == "text")
                .map(|value| value["text"].as_str().unwrap().to_owned())
                .collect();
            (texts.len() == 3).then_some(texts)
        });
        assert_eq!(texts, ["build finished", "line one", "line \"two\""]);
        // Sessions live on for a while; membership does not.
        let other = Client::member(relay.address(), &group);
        let alone = format!("OK WHO {group} 1");
        eventually("nobody is left", || (other.ask("!WHO") == alone).then_some(()));
    });
}

#[test]
fn what_goes_wrong_is_an_exit_code() {
    let relay = Relay::start(Backend::Mmsg);
    let run = |flags: &[&str]| -> Output { chat(relay.address()).args(flags).output().unwrap() };
    let member = Client::to(relay.address());
    let group = member.create();
    assert_eq!(run(&["send", "--group", "NOWHERE", "text"]).status.code(), Some(1));
    assert_eq!(run(&["listen", "--group", "NOWHERE", "--count", "1"]).status.code(), Some(1));
    assert_eq!(
        run(&["listen", "--group", &group, "--count", "1", "--timeout", "200ms"]).status.code(),
        Some(124)
    );
    assert_eq!(run(&["send", "--group", &group]).status.code(), Some(2));
    assert_eq!(run(&["send", "--group", &group, "!command"]).status.code(), Some(2));
}

#[test]
fn after_a_restart_of_the_relay_the_talk_goes_on() {
    alone(|| {
        each_backend(|backend| {
            let options = || {
                let file = super::tools::ConfigFile::new("[groups.LOBBY]\n");
                let relay = RelayOptions::new(backend)
                    .with(["--port", "5000", "--heartbeat", "1", "--config", &file.name()])
                    .start();
                (relay, file)
            };
            let first = options();
            let mut ann = Talker::start(first.0.address(), &["--join", "LOBBY"]);
            let mut bob = Talker::start(first.0.address(), &["--join", "LOBBY"]);
            ann.sees("* joined LOBBY");
            bob.sees("* joined LOBBY");
            ann.types("before");
            bob.sees(": before");
            // Killed.
            drop(first);
            let (second, _file) = options();
            // Their next pings are answered by somebody who does not know them, and they join again.
            eventually("both are back", || (joins(&second) == 2.0).then_some(()));
            ann.sees("LOBBY again");
            bob.sees("LOBBY again");
            ann.types("after");
            bob.sees(": after");
            bob.types("you too");
            ann.sees(": you too");
            ann.types("quit");
            bob.types("exit");
            assert_eq!((ann.ends(), bob.ends()), (Some(0), Some(0)));
        });
    });
}

/// Nobody asks for it, and without it somebody at another machine would get less than others.
#[test]
fn it_proves_where_it_is() {
    Cable::lay(|cable| {
        let relay = RelayOptions::new(Backend::Mmsg).with(["--host", NEAR]).start();
        let creator = Client::from(SocketAddr::new(NEAR.parse().unwrap(), 0), relay.address());
        let group = creator.create();
        let mut talker = cable.over_there(|| Talker::start(relay.address(), &["--join", &group]));
        talker.sees("joined");
        assert_eq!(
            (relay.metric("relay_members", ""), relay.metric("relay_unproved_members", "")),
            (1.0, 0.0)
        );
        eventually("it was asked once", || {
            (relay.metric("relay_requests_refused_total", "reason=\"retry\"") == 1.0).then_some(())
        });
        talker.types("quit");
        assert_eq!(talker.ends(), Some(0));
    });
}
