//! What the relay gives up before it serves strangers: privileges, files and system calls, in the order that threads demand.
//!
//! Privileges and Landlock hold for a thread and for those that it starts, so the first thread [enters](Sandbox::enter) before
//! it starts any; rings pass filters of system calls by, so they are restricted themselves (crate `net`); the filter comes
//! [last](Sandbox::seal), for all threads at once, when nobody needs a new thread or ring any more.

pub mod calls;
mod files;
mod filter;
mod privileges;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::config::SandboxMode;

/// What is in force, for the log, the metrics and the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What was asked for.
    pub mode: SandboxMode,
    /// The version of Landlock's interface that keeps files and TCP away; none where the kernel has no Landlock.
    pub landlock: Option<u32>,
    /// True if system calls are filtered.
    pub system_calls: bool,
    /// True if every capability is gone, and none can come back.
    pub no_privileges: bool,
    /// What could not be done, and what was said.
    pub lacks: Vec<String>,
}

impl Confinement {
    /// Nothing is given up yet.
    fn none(mode: SandboxMode) -> Self {
        Self { mode, landlock: None, system_calls: false, no_privileges: false, lacks: Vec::new() }
    }

    /// One word for it: `on`, `partial` or `off`.
    pub fn state(&self) -> &'static str {
        match self.mode {
            SandboxMode::Off => "off",
            _ if self.lacks.is_empty() => "on",
            _ => "partial",
        }
    }

    /// The labels of its metric.
    pub fn labels(&self) -> [(&'static str, String); 4] {
        let landlock = self.landlock.map_or("none".to_owned(), |version| version.to_string());
        let word = |yes: bool, word: &str, other: &str| if yes { word.to_owned() } else { other.to_owned() };
        [
            ("state", self.state().to_owned()),
            ("landlock", landlock),
            ("system_calls", word(self.system_calls, "filtered", "free")),
            ("privileges", word(self.no_privileges, "none", "kept")),
        ]
    }

    fn note<T>(&mut self, what: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|error| self.lack(format!("{what}: {error}"))).ok()
    }

    fn lack(&mut self, what: String) {
        if !self.lacks.contains(&what) {
            self.lacks.push(what);
        }
    }
}

/// The files that are still needed.
#[derive(Default)]
pub struct Files<'a> {
    /// Their folders can be read, because they may be replaced.
    pub read: Vec<&'a Path>,
    /// The folder that the store has for itself.
    pub written: Option<&'a Path>,
}

/// A process that gives up what it does not need.
pub struct Sandbox {
    now: Confinement,
    has_store: bool,
}

impl Sandbox {
    /// Gives up what the calling thread, and whatever it starts from now on, does not need: privileges but for one that
    /// rings may take, and files but for `/proc` and the folders of these, which may be replaced. Sockets must be bound
    /// already, and no other thread run. Listeners connect to nobody any more, also where Landlock does not rule TCP.
    pub fn enter<'a>(
        mode: SandboxMode,
        files: Files<'_>,
        listeners: impl IntoIterator<Item = BorrowedFd<'a>>,
    ) -> Self {
        let has_store = files.written.is_some();
        let mut now = Confinement::none(mode);
        if mode != SandboxMode::Off {
            // Newer kernels let only privileged processes do it, and have Landlock for that.
            let held = listeners.into_iter().try_for_each(net::only_listen);
            let reduced = now.note("privileges", privileges::reduce());
            now.no_privileges = reduced.is_some();
            now.landlock = now.note("landlock", files::give_up(files.read, files.written));
            if now.landlock.is_none_or(|version| version < files::RULES_TCP) {
                now.note("listeners", held.map_err(|error| error.to_string()));
            }
        }
        Self { now, has_store }
    }

    /// Gives up the last privilege of the calling thread, and of those that it starts from now on.
    pub fn settle(&mut self) {
        let settled = self.now.note("privileges", settle(self.now.mode));
        self.now.no_privileges &= settled.is_some();
    }

    /// True if the store's thread is to have descriptors of its own: what it has open others could write to.
    pub fn sets_store_apart(&self) -> bool {
        self.now.mode != SandboxMode::Off && self.has_store
    }

    /// Notes how that went.
    pub fn note_store(&mut self, apart: io::Result<()>) {
        self.now.note("descriptors", apart.map_err(|error| error.to_string()));
    }

    /// Gives up most system calls, for all threads. Nobody starts a thread or sets up a ring after this.
    pub fn seal(mut self) -> Confinement {
        if self.now.mode != SandboxMode::Off {
            // Whoever reads /proc asks for them once, by calls that are not made otherwise.
            let _ = (procfs::page_size(), procfs::ticks_per_second());
            self.now.system_calls =
                self.now.note("seccomp", filter::for_the_process(self.has_store)).is_some();
        }
        self.now
    }

    /// The same for the calling thread alone: to see what can be had.
    pub fn seal_thread(mut self) -> Confinement {
        self.now.system_calls = self.now.note("seccomp", filter::for_this_thread()).is_some();
        self.now
    }
}

/// Gives up the last privilege of the calling thread, which has its ring or needs none.
///
/// # Errors
/// What the kernel said.
pub fn settle(mode: SandboxMode) -> Result<(), String> {
    if mode == SandboxMode::Off { Ok(()) } else { privileges::give_up() }
}

/// Gives up writing files for the calling thread, which is not the store's. Only after the process was sealed.
///
/// # Errors
/// What the kernel said.
pub fn give_up_writing() -> Result<(), String> {
    filter::without_writing()
}

/// Gives up files as such for the calling thread, a shard or one that hears signals only, beyond what the whole process has given up.
///
/// # Errors
/// What the kernel said.
pub fn give_up_files() -> Result<(), String> {
    filter::without_files()
}
