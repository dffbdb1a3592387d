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
    told: Told,
}

/// Hears what the operator should know.
pub type Told = Box<dyn FnMut(Event<'_>) + Send>;

/// Where things are kept, and what the index says of it.
pub struct Home {
    path: PathBuf,
    source: Source,
    state: State,
    /// When it was last opened, or that was tried.
    opened: Instant,
    /// When something last failed.
    failed: Option<Instant>,
    /// Released last.
    _lock: Option<File>,
}

/// A place that is opened when somebody first asks for something.
pub struct Deferred {
    pub place: Place,
    /// Things are kept in memory if that place is another's, or none at all.
    pub or_memory: bool,
    /// When it was last tried in vain.
    pub failed: Option<Instant>,
}

/// What has become of the place.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is open.
    Open(&'a Place),
    /// It cannot be had, and nothing was ever kept there by this one; things are kept in memory instead, from now on.
    InMemory(&'a Error),
    /// It cannot be opened, or fails: requests fail from now on. It is said once, however often it is tried again.
    Failed(&'a Error),
    /// After that, something was written again.
    Recovered,
}

/// Whether the index says what is on the disk.
enum State {
    Open(Box<(Database, Book)>),
    /// Something failed. What of it is on the disk only the disk knows.
    Broken,
}

impl Home {
    /// Opens what is kept in a place that is ready.
    pub fn open(ready: Ready, board: &Board) -> Result<Self, Error> {
        let Ready { path, source, lock } = ready;
        let opened = Instant::now();
        let (database, book) = disk::open(&source, &path)?;
        board.keep(book.names.len() as u64, book.mails, book.bytes);
        let state = State::Open(Box::new((database, book)));
        Ok(Self { path, source, state, opened, failed: None, _lock: lock })
    }

    /// How long nothing is written, because that has failed: whoever only reads waits for no disk to be mended.
    fn pause(&self) -> Duration {
        self.failed.map_or(Duration::ZERO, |since| limits::RETRY.saturating_sub(since.elapsed()))
    }

    /// Opens the database again after a failure, unless it is too early for that.
    fn recover(&mut self, deleted: &Lingering) -> Result<(), Error> {
        if matches!(self.state, State::Open(_)) || self.opened.elapsed() < limits::RETRY {
            return Ok(());
        }
        self.opened = Instant::now();
        let (database, mut book) = disk::open(&self.source, &self.path)?;
        book.is_anew = true;
        for (name, number) in &deleted.mails {
            book.remove(name, *number);
        }
        self.state = State::Open(Box::new((database, book)));
        Ok(())
    }
}

impl Deferred {
    /// Whether somebody asks for something that needs the place, and it is not too early to try again.
    fn is_due(&self, batch: &[Asked]) -> bool {
        batch.iter().any(|asked| asked.request.needs_place())
            && self.failed.is_none_or(|since| since.elapsed() >= limits::RETRY)
    }

    /// Opens the place, or memory where nothing is lost by that.
    fn open(&self, board: &Board, told: &mut Told) -> Result<Home, Error> {
        let open = |place: &Place| place.prepare().and_then(|ready| Home::open(ready, board));
        let home = match open(&self.place) {
            Ok(home) => {
                told(Event::Open(&self.place));
                home
            }
            Err(error) if self.or_memory && self.place.is_not_ours(&error) => {
                told(Event::InMemory(&error));
                open(&Place::Memory)?
            }
            Err(error) => return Err(error),
        };
        board.recovered();
        Ok(home)
    }
}

/// Mail that is gone from the index, and still on disk.
#[derive(Default)]
struct Lingering {
    mails: Vec<Deleted>,
    since: Option<Instant>,
}

impl Writer {
    pub fn new(
        exit: Exit,
        board: Arc<Board>,
        bounds: Bounds,
        home: Result<Home, Deferred>,
        told: Told,
    ) -> Self {
        Self { exit, board, bounds, home, deleted: Lingering::default(), told }
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
            Ok(Home { state: State::Broken, opened, .. }) => limits::RETRY.saturating_sub(opened.elapsed()),
            Ok(home) => self.deleted.patience().max(home.pause()),
            Err(_) => Duration::MAX,
        }
    }

    pub fn work(&mut self, batch: &[Asked], is_last: bool) -> Vec<Done> {
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

    fn try_to(&mut self, batch: &[Asked], is_last: bool) -> Result<Vec<Done>, Error> {
        self.open(batch)?;
        let may_write = is_last || self.home.as_ref().is_ok_and(|home| home.pause().is_zero());
        let Ok(Home { path, state: State::Open(open), .. }) = &mut self.home else {
            return Ok(failures(batch));
        };
        let (database, book) = &mut **open;
        let when = match may_write {
            true if is_last || self.deleted.patience().is_zero() => Commit::Now,
            true => Commit::IfNeeded,
            false => Commit::Never,
        };
        let start = Instant::now();
        let outcome = commit(database, book, &mut self.deleted.mails, &self.bounds, batch, when);
        let outcome = outcome.map_err(|error| Error::of(path.clone(), error))?;
        if outcome.is_committed {
            self.board.committed(start.elapsed());
            // A disk that can be read may still be full: only what is written shows that it works.
            if self.board.recovered() {
                (self.told)(Event::Recovered);
            }
        }
        self.deleted.look();
        self.board.count(outcome.tally);
        Ok(outcome.answers)
    }

    /// Opens what is not open, if it is time for that.
    fn open(&mut self, batch: &[Asked]) -> Result<(), Error> {
        match &mut self.home {
            Ok(home) => home.recover(&self.deleted)?,
            Err(deferred) if deferred.is_due(batch) => {
                self.home = Ok(deferred.open(&self.board, &mut self.told)?);
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn puzzled(&self) -> Error {
        let path = match &self.home {
            Ok(Home { path, .. }) | Err(Deferred { place: Place::Directory(path), .. }) => path.clone(),
            Err(_) => PathBuf::new(),
        };
        Error::Damaged { path, why: "the disk reads what was never written".to_owned() }
    }

    fn fail(&mut self, batch: &[Asked], error: &Error) -> Vec<Done> {
        if self.board.failed(error.to_string()) {
            (self.told)(Event::Failed(error));
        }
        match &mut self.home {
            Ok(home) => {
                home.failed = Some(Instant::now());
                let broken = std::mem::replace(&mut home.state, State::Broken);
                // A database that has panicked may do so again when it is closed.
                let _closed = catch_unwind(AssertUnwindSafe(|| drop(broken)));
            }
            Err(deferred) => deferred.failed = Some(Instant::now()),
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

/// Whether something may be committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Commit {
    /// What was deleted, even if there is nothing else.
    Now,
    /// If there is something that somebody waits for.
    IfNeeded,
    /// Nothing: what would change anything fails.
    Never,
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
    when: Commit,
) -> Result<Outcome, redb::Error> {
    let transaction = disk::begin(database)?;
    let mut turn = Turn::new(&transaction, book, deleted, bounds, when != Commit::Never)?;
    let mut answers = Vec::with_capacity(batch.len());
    for Asked { tag, request } in batch {
        let answer = if turn.is_possible(request) {
            turn.answer(request)?
        } else {
            request.wants_answer().then_some(Answer::Failed)
        };
        answers.extend(answer.map(|answer| Done { tag: *tag, answer }));
    }
    let is_committed = when != Commit::Never && turn.finish(when == Commit::Now)?;
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
