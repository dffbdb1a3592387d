//! Signals become events of the main thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::iterator::Signals;

use crate::server::Event;

/// Signals that nobody listens to yet. Those that stop a relay end one that does not serve yet at once, with success.
pub struct Attention {
    signals: Signals,
    alone: Arc<AtomicBool>,
}

impl Attention {
    /// From now on no signal ends the process by itself.
    pub fn pay() -> io::Result<Self> {
        let alone = Arc::new(AtomicBool::new(true));
        for signal in [SIGTERM, SIGINT] {
            register_conditional_shutdown(signal, 0, Arc::clone(&alone))?;
        }
        Ok(Self { signals: Signals::new([SIGTERM, SIGINT, SIGHUP])?, alone })
    }

    /// Signals become events, on a thread of its own; a second one to stop ends the process at once.
    pub fn turn_into(mut self, events: Sender<Event>) -> io::Result<()> {
        self.alone.store(false, Ordering::Relaxed);
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut stopping = false;
            for signal in self.signals.forever() {
                if stopping && signal != SIGHUP {
                    signal_hook::low_level::exit(128 + signal);
                }
                stopping |= signal != SIGHUP;
                if events.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        })?;
        Ok(())
    }
}
