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
use crate::queue::{Asked, Exit};
use crate::request::{Answer, Done};
use crate::turn::{Deleted, Turn};

/// All that the thread owns.
pub struct Writer {
    pub exit: Exit,
    pub board: Arc<Board>,
    pub bounds: Bounds,
    pub path: PathBuf,
    pub source: Source,
    pub state: State,
    pub deleted: Lingering,
    /// Released last.
    pub _lock: Option<File>,
}

/// Whether the index says what is on the disk.
pub enum State {
    Open(Database, Book),
    /// Something failed, at that time. What of it is on the disk only the disk knows.
    Broken(Instant),
}

/// Mail that is gone from the index, and still on disk.
#[derive(Default)]
pub struct Lingering {
    mails: Vec<Deleted>,
    since: Option<Instant>,
}

impl Writer {
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
        match self.state {
            State::Broken(since) => limits::RETRY.saturating_sub(since.elapsed()),
            State::Open(..) => self.deleted.patience(),
        }
    }

    pub fn work(&mut self, batch: &[Asked], is_last: bool) -> Vec<Done> {
        // Where the database reads what it has not written, it may panic: what is in its memory is not looked at again.
        let answers = catch_unwind(AssertUnwindSafe(|| self.try_to(batch, is_last)));
        let answers = answers.unwrap_or_else(|_panic| Err(self.puzzled()));
        let answers = answers.unwrap_or_else(|error| self.fail(batch, &error));
        if let State::Open(_, book) = &self.state {
            self.board.keep(book.names.len() as u64, book.mails, book.bytes);
        }
        answers
    }

    fn try_to(&mut self, batch: &[Asked], is_last: bool) -> Result<Vec<Done>, Error> {
        self.recover()?;
        let State::Open(database, book) = &mut self.state else { return Ok(failures(batch)) };
        let is_time = is_last || self.deleted.patience().is_zero();
        let start = Instant::now();
        let outcome = commit(database, book, &mut self.deleted.mails, &self.bounds, batch, is_time);
        let outcome = outcome.map_err(|error| Error::of(self.path.clone(), error))?;
        if outcome.is_committed {
            self.board.committed(start.elapsed());
        }
        self.deleted.look();
        self.board.count(outcome.tally);
        Ok(outcome.answers)
    }

    fn puzzled(&self) -> Error {
        Error::Damaged { path: self.path.clone(), why: "the disk reads what was never written".to_owned() }
    }

    /// Opens the database again after a failure, unless it is too early for that.
    fn recover(&mut self) -> Result<(), Error> {
        let State::Broken(since) = self.state else { return Ok(()) };
        if since.elapsed() < limits::RETRY {
            return Ok(());
        }
        let (database, mut book) = disk::open(&self.source, &self.path)?;
        for (name, number) in &self.deleted.mails {
            book.remove(name, *number);
        }
        self.state = State::Open(database, book);
        self.board.recovered();
        Ok(())
    }

    fn fail(&mut self, batch: &[Asked], error: &Error) -> Vec<Done> {
        self.board.failed(error.to_string());
        let broken = std::mem::replace(&mut self.state, State::Broken(Instant::now()));
        // A database that has panicked may do so again when it is closed.
        let _closed = catch_unwind(AssertUnwindSafe(|| drop(broken)));
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
