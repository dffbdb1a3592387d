//! What several of these stories need: a job to do, a start that must fail, and a look into /proc.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Client, RelayOptions, program};

/// The relay's main job from the first command to the last: create, join, fan-out, who, ping, leave.
#[track_caller]
pub fn main_job(relay: SocketAddr) {
    let clients = [(); 4].map(|()| Client::to(relay));
    let group = clients[0].create();
    for client in &clients {
        client.join(&group);
    }
    assert_eq!(clients[0].ask("!WHO"), format!("OK WHO {group} 4"));
    assert!(clients[1].ask("!PING").starts_with("PONG "));
    for (from, sender) in clients.iter().enumerate() {
        // Three sizes, so that runs of equal size begin and end.
        for text in [format!("{from} one"), format!("{from} two"), format!("{from} and three")] {
            sender.send(&text);
            for (_, receiver) in clients.iter().enumerate().filter(|(to, _)| *to != from) {
                assert_eq!(receiver.hear(), text);
            }
        }
    }
    for client in &clients {
        assert_eq!(client.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
    }
}

/// Runs a relay that must not start: exit code 2, nothing on the standard output, and one line, which is returned.
#[track_caller]
pub fn refused(options: RelayOptions) -> String {
    let (status, out, err) = options.run();
    assert_eq!((status.code(), out.as_str()), (Some(2), ""), "{err}");
    assert_eq!(err.lines().count(), 1, "not one line: {err}");
    let line = err.trim_end().strip_prefix("relay: ");
    line.unwrap_or_else(|| panic!("does not say who speaks: {err}")).to_owned()
}

/// Asserts that a line contains every one of these texts.
#[track_caller]
pub fn assert_says(line: &str, texts: &[&str]) {
    for text in texts {
        assert!(line.contains(text), "{line:?} says nothing about {text:?}");
    }
}

/// A configuration file in a folder of its own.
pub struct ConfigFile {
    folder: TempDir,
}

impl ConfigFile {
    pub fn new(text: &str) -> Self {
        let file = Self { folder: TempDir::new().expect("a folder") };
        file.write(text);
        file
    }

    /// Replaces the content.
    pub fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("a file is written");
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("relay.toml")
    }

    pub fn name(&self) -> String {
        self.path().display().to_string()
    }
}

/// Tells others that a story is over, also if it failed.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A line of /proc/PID/status, without its name.
#[track_caller]
pub fn status_line(folder: &Path, name: &str) -> String {
    let status = fs::read_to_string(folder.join("status")).expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

/// The folder of a process in /proc.
pub fn proc_of(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Names of the threads with their folders in /proc, sorted.
pub fn threads(pid: u32) -> Vec<(String, PathBuf)> {
    let tasks = fs::read_dir(proc_of(pid).join("task")).expect("/proc is there");
    let folders = tasks.map(|task| task.expect("a thread's folder").path());
    let mut threads: Vec<_> = folders.map(|folder| (status_line(&folder, "Name"), folder)).collect();
    threads.sort();
    threads
}

/// CPU time that a process has used, by the user and by the kernel for it.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(proc_of(pid).join("stat")).expect("/proc is there");
    // The name is in brackets and may hold anything; utime is the 12th field behind it, stime the 13th.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 1000 / procfs::ticks_per_second())
}

/// The relay's binary where everybody may run it.
pub struct Copied {
    _folder: TempDir,
    pub path: PathBuf,
}

impl Copied {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("relay");
        // By another process: what this one has open for writing, a process that it forks at the same moment has too, and
        // the kernel runs no file that somebody may write to.
        let copied = Command::new("cp").arg(program("relay")).arg(&path).status();
        assert!(copied.expect("cp runs").success(), "a copy");
        for path in [folder.path(), &path] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("everybody may run it");
        }
        Self { _folder: folder, path }
    }

    /// As a user without any privilege.
    pub fn unprivileged(&self, options: RelayOptions) -> RelayOptions {
        options
            .through("setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all")
    }
}
