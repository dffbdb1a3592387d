//! Watches over the shards, and tells a service manager (`sd_notify(3)`): ready, reloading, stopping, that every shard turns.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::crew::Crew;
use crate::inbox::News;
use crate::limits::{LOOK_AT_LEAST, LOOK_EVERY, LOOKS};
use crate::pulse::{Change, Pulse, Vigil};

/// Looks at the shards, and speaks to the service manager if one is there.
pub struct Supervisor {
    manager: Manager,
    vigil: Vigil,
    pulse: Pulse,
    /// True if the service manager wants to hear that the shards turn.
    watchdog: bool,
    /// Time between two looks.
    every: Duration,
    next: Instant,
}

impl Supervisor {
    /// The one that started this process, by `NOTIFY_SOCKET` and `WATCHDOG_USEC`; the looks change `pulse`.
    pub fn of_this_process(pulse: Pulse) -> Self {
        let patience = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero());
        Self {
            manager: Manager::of_this_process(),
            vigil: Vigil::over(pulse.clone()),
            pulse,
            watchdog: patience.is_some(),
            every: between_looks(patience),
            next: Instant::now(),
        }
    }

    /// The relay serves.
    pub fn ready(&mut self, crew: &Crew, status: &str) {
        self.manager.promise(&[NotifyState::Ready, NotifyState::Status(status)]);
        self.ask(crew);
    }

    /// The configuration is read anew; [`Supervisor::reloaded`] ends it.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.manager.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.manager.tell(&[NotifyState::Reloading]),
        };
    }

    /// The relay serves with whichever configuration stood the test.
    pub fn reloaded(&mut self) {
        self.manager.promise(&[NotifyState::Ready]);
    }

    /// The relay stops.
    pub fn stopping(&mut self) {
        self.manager.tell(&[NotifyState::Stopping, NotifyState::Status("stops")]);
    }

    /// How long the caller may wait before it calls [`Supervisor::look`].
    pub fn patience(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// If it is time: looks who has turned since the last time, and tells the service manager if every shard has, or who
    /// has not for too long.
    pub fn look(&mut self, crew: &Crew, status: impl FnOnce() -> String) {
        if !self.patience().is_zero() {
            return;
        }
        let (all_turn, changes) = self.vigil.look(crew.deaf());
        for change in &changes {
            match change {
                Change::Stalled(shard) => {
                    tracing::error!(shard, "the shard does not turn: its clients speak to nobody");
                }
                Change::Turns(shard) => tracing::info!(shard, "the shard turns again"),
            }
        }
        self.manager.keep_promise();
        if let Some(shard) = self.pulse.first_stalled() {
            if self.watchdog || !changes.is_empty() {
                self.manager.tell(&[NotifyState::Status(&format!("shard {shard} does not turn"))]);
            }
        } else if self.watchdog && all_turn {
            self.manager.tell(&[NotifyState::Watchdog, NotifyState::Status(&status())]);
        } else if !changes.is_empty() {
            self.manager.tell(&[NotifyState::Status(&status())]);
        }
        self.ask(crew);
    }

    /// Wakes every shard: none does anything for it in a turn that it does not do anyway.
    fn ask(&mut self, crew: &Crew) {
        crew.post(&News::default());
        self.next = Instant::now() + self.every;
    }
}

/// Time between two looks, where the service manager waits for so long.
fn between_looks(patience: Option<Duration>) -> Duration {
    patience.map_or(LOOK_EVERY, |patience| (patience / LOOKS).clamp(LOOK_AT_LEAST, LOOK_EVERY))
}

/// The service manager, which may be none, gone, or too busy to listen. The relay never waits for it.
struct Manager {
    /// `NOTIFY_SOCKET`.
    socket: Option<OsString>,
    /// `READY=1` has not reached it.
    owed: bool,
    /// What keeps it from hearing was logged.
    lost: bool,
}

impl Manager {
    fn of_this_process() -> Self {
        Self { socket: env::var_os("NOTIFY_SOCKET"), owed: false, lost: false }
    }

    /// Tells it now, or else at a later look that the relay is ready, without which a service manager would end it.
    fn promise(&mut self, states: &[NotifyState]) {
        self.owed = !self.tell(states);
    }

    fn keep_promise(&mut self) {
        if self.owed {
            self.promise(&[NotifyState::Ready]);
        }
    }

    /// False if it may hear it later. Nobody else can be told that the service manager does not listen.
    fn tell(&mut self, states: &[NotifyState]) -> bool {
        let Some(name) = &self.socket else { return true };
        let told = send(name.as_bytes(), states);
        let lost = told.is_err();
        match &told {
            Err(error) if !self.lost => {
                tracing::warn!(%error, "the service manager cannot be told how the relay is (NOTIFY_SOCKET)");
            }
            Ok(()) if self.lost => tracing::info!("the service manager can be told again how the relay is"),
            _ => {}
        }
        self.lost = lost;
        !told.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// The library's own function waits for a service manager that does not read.
fn send(name: &[u8], states: &[NotifyState]) -> io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(lines.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patience_of_microseconds_is_no_reason_to_do_nothing_else() {
        let micros = |micros| between_looks(Some(Duration::from_micros(micros)));
        assert_eq!(micros(3), LOOK_AT_LEAST);
        assert_eq!(micros(500_000), Duration::from_millis(100));
        assert_eq!((micros(3_600_000_000), between_looks(None)), (LOOK_EVERY, LOOK_EVERY));
    }
}
