//! What a service manager is told (`sd_notify(3)`): ready, reloading, stopping, and that every shard still turns.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::crew::Crew;
use crate::inbox::News;

/// Beats in the time that the service manager waits for one. A shard that is busy for longer than one of them, but not
/// stuck, is so given two more chances.
const BEATS: u32 = 4;

/// The service manager, if one is there; everything else goes to nobody.
pub struct Supervisor {
    /// Time between two looks at the shards, if the service manager wants to hear of them.
    every: Option<Duration>,
    next: Instant,
    /// The shard that had not turned at the last look.
    stuck: Option<usize>,
}

impl Supervisor {
    /// The one that started this process, by `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn of_this_process() -> Self {
        let every = sd_notify::watchdog_enabled().map(|patience| patience / BEATS);
        Self { every: every.filter(|every| !every.is_zero()), next: Instant::now(), stuck: None }
    }

    /// The relay serves.
    pub fn ready(&mut self, crew: &Crew, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
        self.ask(crew);
    }

    /// The configuration is read anew; [`Supervisor::reloaded`] ends it.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The relay serves with whichever configuration stood the test.
    pub fn reloaded(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// The relay stops.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stops")]);
    }

    /// How long the caller may wait before it calls [`Supervisor::look`]; `None` is for ever.
    pub fn patience(&self) -> Option<Duration> {
        self.every.map(|_| self.next.saturating_duration_since(Instant::now()))
    }

    /// If it is time: tells the service manager, if every shard has turned since the last time, and else who has not.
    pub fn look(&mut self, crew: &Crew, status: impl FnOnce() -> String) {
        if self.patience().is_none_or(|patience| !patience.is_zero()) {
            return;
        }
        let stuck = crew.deaf();
        match stuck {
            None => tell(&[NotifyState::Watchdog, NotifyState::Status(&status())]),
            Some(shard) => tell(&[NotifyState::Status(&format!("shard {shard} does not turn"))]),
        }
        if stuck != self.stuck {
            match stuck {
                Some(shard) => {
                    tracing::error!(shard, "the shard does not turn; the watchdog is not told until it does");
                }
                None => tracing::info!("every shard turns again"),
            }
            self.stuck = stuck;
        }
        self.ask(crew);
    }

    /// Wakes every shard, once in a quarter of the service manager's patience: no shard does anything for it in a turn
    /// that it does not do anyway.
    fn ask(&mut self, crew: &Crew) {
        if let Some(every) = self.every {
            crew.post(&News::default());
            self.next = Instant::now() + every;
        }
    }
}

/// Nobody else can be told that the service manager does not listen.
fn tell(states: &[NotifyState]) {
    let abstract_name = env::var_os("NOTIFY_SOCKET").and_then(|socket| {
        let name = socket.as_bytes().strip_prefix(b"@")?;
        Some(name.to_vec())
    });
    let told = match abstract_name {
        // The library only knows paths.
        Some(name) => tell_abstract(&name, states),
        None => sd_notify::notify(states),
    };
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told how the relay is (NOTIFY_SOCKET)");
    }
}

fn tell_abstract(name: &[u8], states: &[NotifyState]) -> io::Result<()> {
    let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    socket.send(lines.as_bytes()).map(drop)
}
