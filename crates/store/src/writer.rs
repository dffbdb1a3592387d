//! The store's thread: takes what waits, commits it at once, answers, and comes back after the disk has failed.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::Database;

use crate::book::Book;
use crate::bounds::Bounds;
use crate::disk;
use crate::error::Error;
use crate::figures::{Board, Tally};
use crate::limits;
use crate::medium::Source;
use crate::place::{Place, Ready};
use crate::queue::{Asked, Exit};
use crate::request::{Answer, Done};
use crate::turn::{Deleted, Turn};

/// All that the thread owns.
pub struct Writer {
    exit: Exit,
    board: Arc<Board>,
    bounds: Bounds,
    /// Where things are kept; nowhere yet if nobody has asked for anything.
    home: Result<Home, Deferred>,
    deleted: Lingering,
}

/// Where things are kept, and what the index says of it.
pub struct Home {
    path: PathBuf,
    source: Source,
    state: State,
    /// Released last.
    _lock: Option<File>,
}

/// A place that is opened when somebody first asks for something.
pub struct Deferred {
    pub place: Place,
    /// Without that place things are kept in memory.
    pub or_memory: bool,
    /// When it was last tried in vain.
    pub failed: Option<Instant>,
    /// Hears how it went, with each try.
    pub told: Box<dyn FnMut(Opening<'_>) + Send>,
}

/// What has become of a place that was to be opened.
#[derive(Debug)]
pub enum Opening<'a> {
    /// It is open.
    Open(&'a Place),
    /// It cannot be; things are kept in memory instead, from now on.
    InMemory(&'a Error),
    /// It cannot be; requests fail until it can.
    Failed(&'a Error),
}

/// Whether the index says what is on the disk.
enum State {
    Open(Box<(Database, Book)>),
    /// Something failed, at that time. What of it is on the disk only the disk knows.
    Broken(Instant),
}

impl Home {
    /// Opens what is kept in a place that is ready.
    pub fn open(ready: Ready, board: &Board) -> Result<Self, Error> {
        let Ready { path, source, lock } = ready;
        let (database, book) = disk::open(&source, &path)?;
        board.keep(book.names.len() as u64, book.mails, book.bytes);
        Ok(Self { path, source, state: State::Open(Box::new((database, book))), _lock: lock })
    }

    /// Opens the database again after a failure, unless it is too early for that.
    fn recover(&mut self, deleted: &Lingering, board: &Board) -> Result<(), Error> {
        let State::Broken(since) = self.state else { return Ok(()) };
        if since.elapsed() < limits::RETRY {
            return Ok(());
        }
        let (database, mut book) = disk::open(&self.source, &self.path)?;
        book.is_anew = true;
        for (name, number) in &deleted.mails {
            book.remove(name, *number);
        }
        self.state = State::Open(Box::new((database, book)));
        board.recovered();
        Ok(())
    }
}

impl Deferred {
    /// Opens the place, unless it is too early to try again.
    fn open(&mut self, board: &Board) -> Option<Home> {
        if self.failed.is_some_and(|since| since.elapsed() < limits::RETRY) {
            return None;
        }
        let open = |place: &Place| place.prepare().and_then(|ready| Home::open(ready, board));
        match open(&self.place) {
            Ok(home) => {
                (self.told)(Opening::Open(&self.place));
                board.recovered();
                Some(home)
            }
            Err(error) if self.or_memory => {
                (self.told)(Opening::InMemory(&error));
                open(&Place::Memory).ok()
            }
            Err(error) => {
                (self.told)(Opening::Failed(&error));
                board.failed(error.to_string());
                self.failed = Some(Instant::now());
                None
            }
        }
    }
}

/// Mail that is gone from the index, and still on disk.
#[derive(Default)]
struct Lingering {
    mails: Vec<Deleted>,
    since: Option<Instant>,
}

impl Writer {
    pub fn new(exit: Exit, board: Arc<Board>, bounds: Bounds, home: Result<Home, Deferred>) -> Self {
        Self { exit, board, bounds, home, deleted: Lingering::default() }
    }

    /// Works until nobody can ask any more.
    pub fn run(mut self, mut done: impl FnMut(Vec<Done>)) {
        while let Some(batch) = self.exit.take(self.patience()) {
            let answers = self.work(&batch, false);
            if !answers.is_empty() {
                done(answers);
            }
        }
        self.work(&[], true);
    }

    /// How long there is nothing to do unless somebody asks.
    fn patience(&self) -> Duration {
        match &self.home {
            Ok(Home { state: State::Broken(since), .. }) => limits::RETRY.saturating_sub(since.elapsed()),
            Ok(Home { state: State::Open(_), .. }) => self.deleted.patience(),
            Err(_) => Duration::MAX,
        }
    }

    pub fn work(&mut self, batch: &[Asked], is_last: bool) -> Vec<Done> {
        if !self.is_at_home(batch) {
            return failures(batch);
        }
        // Where the database reads what it has not written, it may panic: what is in its memory is not looked at again.
        let answers = catch_unwind(AssertUnwindSafe(|| self.try_to(batch, is_last)));
        let answers = answers.unwrap_or_else(|_panic| Err(self.puzzled()));
        let answers = answers.unwrap_or_else(|error| self.fail(batch, &error));
        if let Ok(Home { state: State::Open(open), .. }) = &self.home {
            let book = &open.1;
            self.board.keep(book.names.len() as u64, book.mails, book.bytes);
        }
        answers
    }

    /// True if the place is open, by now at the latest if somebody asks for something that needs it.
    fn is_at_home(&mut self, batch: &[Asked]) -> bool {
        let Err(deferred) = &mut self.home else { return true };
        if !batch.iter().any(|asked| asked.request.needs_place()) {
            return false;
        }
        match deferred.open(&self.board) {
            Some(home) => self.home = Ok(home),
            None => return false,
        }
        true
    }

    fn try_to(&mut self, batch: &[Asked], is_last: bool) -> Result<Vec<Done>, Error> {
        let Ok(home) = &mut self.home else { return Ok(failures(batch)) };
        home.recover(&self.deleted, &self.board)?;
        let State::Open(open) = &mut home.state else { return Ok(failures(batch)) };
        let (database, book) = &mut **open;
        let is_time = is_last || self.deleted.patience().is_zero();
        let start = Instant::now();
        let outcome = commit(database, book, &mut self.deleted.mails, &self.bounds, batch, is_time);
        let outcome = outcome.map_err(|error| Error::of(home.path.clone(), error))?;
        if outcome.is_committed {
            self.board.committed(start.elapsed());
        }
        self.deleted.look();
        self.board.count(outcome.tally);
        Ok(outcome.answers)
    }

    fn puzzled(&self) -> Error {
        let path = self.home.as_ref().map_or_else(|_| PathBuf::new(), |home| home.path.clone());
        Error::Damaged { path, why: "the disk reads what was never written".to_owned() }
    }

    fn fail(&mut self, batch: &[Asked], error: &Error) -> Vec<Done> {
        self.board.failed(error.to_string());
        if let Ok(home) = &mut self.home {
            let broken = std::mem::replace(&mut home.state, State::Broken(Instant::now()));
            // A database that has panicked may do so again when it is closed.
            let _closed = catch_unwind(AssertUnwindSafe(|| drop(broken)));
        }
        failures(batch)
    }
}

impl Lingering {
    fn patience(&self) -> Duration {
        self.since.map_or(Duration::MAX, |since| limits::DELETED_LINGER.saturating_sub(since.elapsed()))
    }

    /// Notes since when there is any.
    fn look(&mut self) {
        self.since = if self.mails.is_empty() { None } else { self.since.or_else(|| Some(Instant::now())) };
    }
}

/// What has become of a batch.
struct Outcome {
    answers: Vec<Done>,
    tally: Tally,
    is_committed: bool,
}

fn commit(
    database: &Database,
    book: &mut Book,
    deleted: &mut Vec<Deleted>,
    bounds: &Bounds,
    batch: &[Asked],
    is_time: bool,
) -> Result<Outcome, redb::Error> {
    let transaction = disk::begin(database)?;
    let mut turn = Turn::new(&transaction, book, deleted, bounds)?;
    let mut answers = Vec::with_capacity(batch.len());
    for Asked { tag, request } in batch {
        answers.extend(turn.answer(request)?.map(|answer| Done { tag: *tag, answer }));
    }
    let is_committed = turn.finish(is_time)?;
    let tally = turn.tally;
    drop(turn);
    if is_committed {
        transaction.commit()?;
        deleted.clear();
    } else {
        transaction.abort()?;
    }
    Ok(Outcome { answers, tally, is_committed })
}

fn failures(batch: &[Asked]) -> Vec<Done> {
    let waiting = batch.iter().filter(|asked| asked.request.wants_answer());
    waiting.map(|asked| Done { tag: asked.tag, answer: Answer::Failed }).collect()
}
