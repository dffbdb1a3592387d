//! The store as others see it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hdrhistogram::Histogram;

use crate::bounds::Bounds;
use crate::disk;
use crate::error::Error;
use crate::figures::{Board, Figures};
use crate::place::{Place, Ready};
use crate::queue::{Busy, Entrance, queue};
use crate::request::{Done, Request};
use crate::writer::{Lingering, State, Writer};

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
        Self::start(place.prepare()?, bounds, done)
    }

    pub(crate) fn start(
        ready: Ready,
        bounds: Bounds,
        done: impl FnMut(Vec<Done>) + Send + 'static,
    ) -> Result<Self, Error> {
        let Ready { path, source, lock } = ready;
        let (database, book) = disk::open(&source, &path)?;
        let board = Arc::new(Board::new());
        board.keep(book.names.len() as u64, book.mails, book.bytes);
        let (entrance, exit) = queue();
        let state = State::Open(database, book);
        let deleted = Lingering::default();
        let writer =
            Writer { exit, board: Arc::clone(&board), bounds, path, source, state, deleted, _lock: lock };
        let thread = thread::Builder::new().name(THREAD.to_owned());
        let thread = thread.spawn(move || writer.run(done)).map_err(Error::Thread)?;
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

    /// What is wrong with the disk, and what to do, as long as requests fail.
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
