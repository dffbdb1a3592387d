//! A relay with names in memory, and people who use the program.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::PATIENCE;
use crate::common::process::{Backend, Relay, RelayOptions, program, while_stopped};

/// A relay with a lobby, that keeps names there.
pub fn relay(data: &str, port: &str) -> Relay {
    let options = RelayOptions::new(Backend::Mmsg).env("RELAY_PORT", port);
    options.with(["--lobby", "LOBBY", "--data-dir", data, "--heartbeat", "2s"]).start()
}

/// The same on another address, with names in memory and this heartbeat.
pub fn relay_at(host: &str, heartbeat: &str) -> Relay {
    let flags = ["--host", host, "--lobby", "LOBBY", "--data-dir", "none", "--heartbeat", heartbeat];
    RelayOptions::new(Backend::Mmsg).with(flags).start()
}

/// A machine with a user, whose claims are kept.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The program, told to use this relay.
    pub fn chat(&self, server: SocketAddr, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("chat"));
        command.args(["--server", &server.to_string()]).args(arguments);
        for name in ["CHAT_SERVER", "CHAT_NAME", "CHAT_CLAIM"] {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", self.0.path());
        command
    }

    /// Runs the program to its end: its exit code and output.
    pub fn run(&self, server: SocketAddr, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } =
            self.chat(server, arguments).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// Somebody who talks.
    pub fn talk(&self, server: SocketAddr, arguments: &[&str]) -> Talker {
        let mut command = self.chat(server, arguments);
        command.arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let input = child.stdin.take();
        Talker { child, input, lines, heard: Vec::new() }
    }
}

/// The program, led by lines and read by its JSON.
pub struct Talker {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    heard: Vec<Value>,
}

impl Talker {
    pub fn line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for an object with these fields; what was heard before it is forgotten.
    #[track_caller]
    pub fn expect(&mut self, fields: &Value) -> Value {
        self.hears_until(fields).pop().unwrap()
    }

    /// The same: all that was heard until then, which is the last.
    #[track_caller]
    pub fn hears_until(&mut self, fields: &Value) -> Vec<Value> {
        while !fits(&self.hear(fields), fields) {}
        std::mem::take(&mut self.heard)
    }

    /// Waits for objects with these fields, in any order: all that was heard until then.
    #[track_caller]
    pub fn expect_all(&mut self, mut objects: Vec<Value>) -> Vec<Value> {
        while let Some(next) = objects.first() {
            let value = self.hear(next);
            if let Some(place) = objects.iter().position(|fields| fits(&value, fields)) {
                objects.remove(place);
            }
        }
        std::mem::take(&mut self.heard)
    }

    /// The next object, while one with these fields is waited for.
    #[track_caller]
    fn hear(&mut self, fields: &Value) -> Value {
        let line = self.lines.recv_timeout(PATIENCE);
        let line =
            line.unwrap_or_else(|error| panic!("{error}: waited for {fields}, heard {:#?}", self.heard));
        let value: Value = serde_json::from_str(&line).unwrap();
        self.heard.push(value.clone());
        value
    }

    /// The texts of all messages that come, up to this one.
    #[track_caller]
    pub fn messages_until(&mut self, last: &str) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.last().is_none_or(|text| text != last) {
            let message = self.expect(&json!({ "type": "message" }));
            texts.push(message["text"].as_str().unwrap().to_owned());
        }
        texts
    }

    /// Does something while the program is stopped.
    pub fn pausing<T>(&self, action: impl FnOnce() -> T) -> T {
        while_stopped(self.child.id(), action)
    }

    /// The end of its input; its exit code.
    pub fn end(mut self) -> i32 {
        self.input = None;
        self.child.wait().unwrap().code().unwrap()
    }
}

fn fits(value: &Value, fields: &Value) -> bool {
    fields.as_object().unwrap().iter().all(|(name, field)| value.get(name) == Some(field))
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
