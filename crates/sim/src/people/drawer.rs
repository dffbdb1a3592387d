//! A store whose answers come late, and that loses in a crash what it has not done.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use people::{Desk, Signals};
use store::{Bounds, Busy, Done, Inline, Request};

/// What the relay asks, and what survives it.
#[derive(Clone)]
pub struct Drawer(Arc<Mutex<Inside>>);

struct Inside {
    store: Inline,
    /// Of which life of the relay what follows is.
    life: u32,
    waiting: VecDeque<(u64, Request)>,
    done: Vec<Done>,
    signals: Arc<Signals>,
}

/// What one life of the relay holds of it.
struct Hand(Drawer, u32);

impl Drawer {
    pub fn new() -> Self {
        let store = Inline::new(Bounds::default()).expect("memory for a store");
        let (waiting, done, signals) = (VecDeque::new(), Vec::new(), Arc::default());
        Self(Arc::new(Mutex::new(Inside { store, life: 0, waiting, done, signals })))
    }

    /// For the relay's next life. What was not done is lost.
    pub fn desk(&self) -> (Box<dyn Desk>, Arc<Signals>) {
        let mut inside = self.lock();
        inside.life += 1;
        inside.waiting.clear();
        inside.done.clear();
        inside.signals = Arc::default();
        (Box::new(Hand(self.clone(), inside.life)), Arc::clone(&inside.signals))
    }

    /// Does the first of what waits.
    pub fn work(&self) {
        let mut inside = self.lock();
        let Some((tag, request)) = inside.waiting.pop_front() else { return };
        let answer = inside.store.ask(request);
        inside.done.extend(answer.map(|answer| Done { tag, answer }));
        inside.signals.answer();
    }

    /// Mails that are kept.
    pub fn mails(&self) -> u64 {
        self.lock().store.figures().mails
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for Hand {
    fn ask(&mut self, tag: u64, request: Request) -> Result<(), Busy> {
        let mut inside = self.0.lock();
        if inside.life == self.1 {
            inside.waiting.push_back((tag, request));
        }
        Ok(())
    }

    fn answers(&mut self) -> Vec<Done> {
        let mut inside = self.0.lock();
        if inside.life == self.1 { std::mem::take(&mut inside.done) } else { Vec::new() }
    }
}
