//! A small copy of the original server's behaviour (docs/protocol.md, part 1), written apart from `wire` on purpose,
//! and another member to talk to.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Longer than anything here takes, so that a test that waits for it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The server. Its thread ends with the test process.
pub struct Original {
    pub address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
pub struct State {
    pub members: BTreeMap<SocketAddr, String>,
    pub groups: Vec<String>,
    pub received: Vec<String>,
    heartbeat: String,
    replies_to_lose: u32,
}

impl Original {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    pub fn start_at(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        let state = State { groups: vec!["HOME".into()], heartbeat: "60.0".into(), ..State::default() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let server = Self { address: socket.local_addr().unwrap(), shared: shared.clone() };
        thread::spawn(move || serve(&socket, &shared));
        server
    }

    /// The program, told to use this server.
    pub fn chat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
        command
            .args(["--server", &self.address.to_string()])
            .args(arguments)
            .env_remove("CHAT_SERVER")
            .env_remove("CHAT_NAME")
            .env_remove("CHAT_CLAIM");
        // Nothing is kept there: the original server has no names.
        command.env("XDG_STATE_HOME", "/nonexistent");
        command
    }

    /// Runs the program to its end, with this input.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        use std::io::Write;
        let mut command = self.chat(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end without having read everything.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    pub fn set_heartbeat(&self, seconds: &str) {
        self.shared.0.lock().unwrap().heartbeat = seconds.into();
    }

    /// Swallows the next replies.
    pub fn lose_replies(&self, count: u32) {
        self.shared.0.lock().unwrap().replies_to_lose = count;
    }

    /// Forgets its members, as after a restart.
    pub fn forget(&self) {
        self.shared.0.lock().unwrap().members.clear();
    }

    /// Waits until something is true.
    pub fn wait_for(&self, mut condition: impl FnMut(&State) -> bool) {
        let (state, changed) = &*self.shared;
        let (state, waited) =
            changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, |state| !condition(state)).unwrap();
        assert!(!waited.timed_out(), "received {:?}", state.received);
    }

    pub fn wait_for_members(&self, count: usize) {
        self.wait_for(|state| state.members.len() == count);
    }

    pub fn received(&self) -> Vec<String> {
        self.shared.0.lock().unwrap().received.clone()
    }

    /// A member of HOME.
    pub fn peer(&self) -> Peer {
        let local = if self.address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let socket = UdpSocket::bind(local).unwrap();
        socket.connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let peer = Peer(socket);
        peer.say(b"!JOIN HOME");
        assert_eq!(peer.hear(), "OK JOINED HOME");
        peer
    }
}

/// Another member.
pub struct Peer(UdpSocket);

impl Peer {
    pub fn say(&self, text: &[u8]) {
        self.0.send(text).unwrap();
    }

    pub fn hear(&self) -> String {
        let mut buffer = [0; 5000];
        let len = self.0.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    }
}

fn serve(socket: &UdpSocket, shared: &(Mutex<State>, Condvar)) {
    let mut buffer = [0; 5000];
    loop {
        // A client that has gone is reported here; the server goes on.
        let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
        let mut state = shared.0.lock().unwrap();
        let reply = state.handle(&buffer[..len], from, socket);
        if state.replies_to_lose > 0 && reply.is_some() {
            state.replies_to_lose -= 1;
        } else if let Some(reply) = reply {
            let _ = socket.send_to(reply.as_bytes(), from);
        }
        drop(state);
        shared.1.notify_all();
    }
}

impl State {
    fn handle(&mut self, datagram: &[u8], from: SocketAddr, socket: &UdpSocket) -> Option<String> {
        let text = String::from_utf8_lossy(datagram).into_owned();
        self.received.push(text.clone());
        let group = self.members.get(&from).cloned();
        let not_joined = || Some("ERR NOT_IN_GROUP JoinFirstUseJOIN".to_owned());
        if datagram.len() > 4096 {
            return Some("ERR TOO_LARGE PayloadTooLarge".into());
        }
        let Some(command) = text.strip_prefix('!') else {
            let Some(group) = group else { return not_joined() };
            for (to, _) in self.members.iter().filter(|(to, theirs)| **to != from && **theirs == group) {
                let _ = socket.send_to(datagram, to);
            }
            return None;
        };
        let (token, argument) = command.split_once(' ').unwrap_or((command, ""));
        let argument = argument.trim().to_uppercase();
        Some(match (token, group) {
            ("CREATE", _) if self.groups.len() > 3 => "ERR CLIENT_LIMIT 3/3".into(),
            ("CREATE", _) => {
                let id = format!("NEW{}", 11111 * self.groups.len());
                self.groups.push(id.clone());
                format!("OK CREATED {id}")
            }
            ("JOIN", _) if self.groups.contains(&argument) => {
                self.members.insert(from, argument.clone());
                format!("OK JOINED {argument}")
            }
            ("JOIN", _) => "ERR BAD_ARG NoSuchGroup".into(),
            ("LEAVE", Some(group)) if group == argument => {
                self.members.remove(&from);
                format!("OK LEFT {argument}")
            }
            ("LEAVE", _) => "ERR NOT_IN_GROUP NotInThatGroup".into(),
            ("PING", Some(_)) => format!("PONG {}", self.heartbeat),
            ("WHO", Some(group)) => {
                let count = self.members.values().filter(|theirs| **theirs == group).count();
                format!("OK WHO {group} {count}")
            }
            ("PING" | "WHO", None) => return not_joined(),
            _ => "ERR BAD_CMD UnknownCommand".into(),
        })
    }
}
