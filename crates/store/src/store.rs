//! The store as others see it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hdrhistogram::Histogram;

use crate::bounds::Bounds;
use crate::error::Error;
use crate::figures::{Board, Figures};
use crate::place::{Place, Ready};
use crate::queue::{Busy, Entrance, queue};
use crate::request::{Done, Request};
use crate::writer::{Deferred, Event, Home, Told, Writer};

/// The name of the thread, as the system shows it.
const THREAD: &str = "store";

/// Names, claims and mail. Dropping it answers what waits, closes the file, and unlocks the directory.
pub struct Store {
    /// Gone only while the store is being dropped.
    entrance: Option<Entrance>,
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens what is kept at `place`, and checks all of it: a million mails take under a second. `done` is called on the
    /// store's own thread, with the answers to a batch of requests in their order; it must not wait for the store.
    ///
    /// # Errors
    /// What is wrong with the place.
    pub fn open(
        place: &Place,
        bounds: Bounds,
        done: impl FnMut(Vec<Done>) + Send + 'static,
    ) -> Result<Self, Error> {
        Self::start(place.prepare()?, bounds, |_| (), done)
    }

    /// The same, but the place is opened when somebody first claims a name, on the store's thread, which is there at once: so a process
    /// that gives up the right to start threads can have started it, and one in which nobody has a name leaves the place alone.
    /// `begin` is called first of all on that thread, and `told` hears what becomes of the place. If it cannot be had, requests fail, and it is tried again with a later one. But
    /// where another has it, or there is no directory and none may be made, `or_memory` keeps things in memory.
    ///
    /// # Errors
    /// If the system grants no thread.
    pub fn defer(
        (place, or_memory): (Place, bool),
        bounds: Bounds,
        begin: impl FnOnce() + Send + 'static,
        told: impl FnMut(Event<'_>) + Send + 'static,
        done: impl FnMut(Vec<Done>) + Send + 'static,
    ) -> Result<Self, Error> {
        let deferred = Deferred { place, or_memory, failed: None };
        Self::run((Err(deferred), Box::new(told)), (Arc::new(Board::new()), bounds), begin, done)
    }

    pub(crate) fn start(
        ready: Ready,
        bounds: Bounds,
        told: impl FnMut(Event<'_>) + Send + 'static,
        done: impl FnMut(Vec<Done>) + Send + 'static,
    ) -> Result<Self, Error> {
        let board = Arc::new(Board::new());
        let home = Home::open(ready, &board)?;
        Self::run((Ok(home), Box::new(told)), (board, bounds), || (), done)
    }

    fn run(
        (home, told): (Result<Home, Deferred>, Told),
        (board, bounds): (Arc<Board>, Bounds),
        begin: impl FnOnce() + Send + 'static,
        done: impl FnMut(Vec<Done>) + Send + 'static,
    ) -> Result<Self, Error> {
        let (entrance, exit) = queue();
        let writer = Writer::new(exit, Arc::clone(&board), bounds, home, told);
        let thread = thread::Builder::new().name(THREAD.to_owned());
        let work = move || {
            begin();
            writer.run(done);
        };
        let thread = thread.spawn(work).map_err(Error::Thread)?;
        Ok(Self { entrance: Some(entrance), board, thread: Some(thread) })
    }

    /// Hands over a request and returns at once. Its answer, if it has one, comes with that tag. Requests of one asker are
    /// done in the order in which they were handed over.
    ///
    /// # Errors
    /// If too much waits; then nothing is done.
    pub fn ask(&self, tag: u64, request: Request) -> Result<(), Busy> {
        self.entrance.as_ref().ok_or(Busy)?.push(tag, request)
    }

    /// What is kept, and what was done.
    pub fn figures(&self) -> Figures {
        let waiting = self.entrance.as_ref().map_or(0, Entrance::len);
        self.board.read(waiting as u64)
    }

    /// How long commits took, in microseconds, from the first request's turn until all was on the disk.
    pub fn commit_us(&self) -> Histogram<u64> {
        self.board.commit_us()
    }

    /// What is wrong with the disk, and what to do, from a failure until something is written again.
    pub fn trouble(&self) -> Option<String> {
        self.board.trouble()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.entrance = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been told of by whoever hears of panics.
            let _ended = thread.join();
        }
    }
}
