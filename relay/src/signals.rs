//! Signals become events of the main thread.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::iterator::Signals;

use crate::sandbox::{self, Confinement};
use crate::server::Event;

/// Signals that nobody listens to yet. Those that stop a relay end one that does not serve yet at once, with success.
pub struct Attention {
    signals: Signals,
    alone: Arc<AtomicBool>,
}

impl Attention {
    /// From now on no signal ends the process by itself, but the second one to stop, whatever its threads do then.
    pub fn pay() -> io::Result<Self> {
        let alone = Arc::new(AtomicBool::new(true));
        let [term, int]: [Arc<AtomicBool>; 2] = Default::default();
        for (signal, own, other) in [(SIGTERM, &term, &int), (SIGINT, &int, &term)] {
            let end = |armed: &Arc<AtomicBool>| {
                register_conditional_shutdown(signal, 128 + signal, Arc::clone(armed)).map(drop)
            };
            register_conditional_shutdown(signal, 0, Arc::clone(&alone))?;
            // In the order in which they act. Two threads can take one signal each at the same moment: each marks its
            // own before it looks for the other, so one of them ends the process.
            end(own)?;
            register(signal, Arc::clone(own))?;
            end(other)?;
        }
        Ok(Self { signals: Signals::new([SIGTERM, SIGINT, SIGHUP])?, alone })
    }

    /// Signals become events, on a thread of its own, which opens no file once the process is confined.
    pub fn turn_into(
        mut self,
        events: Sender<Event>,
        confinement: Arc<OnceLock<Confinement>>,
    ) -> io::Result<()> {
        self.alone.store(false, Ordering::Relaxed);
        thread::Builder::new().name("signals".into()).spawn(move || {
            if confinement.wait().system_calls
                && let Err(error) = sandbox::give_up_files()
            {
                tracing::warn!(error, "the thread that hears signals keeps the system calls that open files");
            }
            let mut all = self.signals.forever().map(Event::Signal);
            all.try_for_each(|event| events.send(event))
        })?;
        Ok(())
    }
}
