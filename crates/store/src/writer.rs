//! The store's thread: takes what waits, commits it at once, answers, and comes back after the disk has failed.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use redb::Database;

use crate::book::Book;
use crate::bounds::Bounds;
use crate::disk;
use crate::error::Error;
use crate::figures::Board;
use crate::limits;
use crate::medium::Source;
use crate::queue::{Asked, Exit};
use crate::request::{Answer, Done};
use crate::turn::Turn;

/// All that the thread owns.
pub struct Writer {
    pub exit: Exit,
    pub board: Arc<Board>,
    pub bounds: Bounds,
    pub path: PathBuf,
    pub source: Source,
    pub state: State,
    /// Released last.
    pub _lock: Option<File>,
}

/// Whether the index says what is on the disk.
pub enum State {
    Open(Database, Book),
    /// Something failed, at that time. What of it is on the disk only the disk knows.
    Broken(Instant),
}

impl Writer {
    /// Works until nobody can ask any more.
    pub fn run(mut self, mut done: impl FnMut(Vec<Done>)) {
        while let Some(batch) = self.exit.take() {
            let answers = self.answer(&batch).unwrap_or_else(|error| self.fail(&batch, &error));
            if let State::Open(_, book) = &self.state {
                self.board.keep(book.names.len() as u64, book.mails, book.bytes);
            }
            if !answers.is_empty() {
                done(answers);
            }
        }
    }

    fn answer(&mut self, batch: &[Asked]) -> Result<Vec<Done>, Error> {
        self.recover()?;
        let State::Open(database, book) = &mut self.state else { return Ok(failures(batch)) };
        let failed = |error| Error::of(self.path.clone(), error);
        commit(database, book, &self.bounds, &self.board, batch).map_err(failed)
    }

    /// Opens the database again after a failure, unless it is too early for that.
    fn recover(&mut self) -> Result<(), Error> {
        let State::Broken(since) = self.state else { return Ok(()) };
        if since.elapsed() < limits::RETRY {
            return Ok(());
        }
        let (database, book) = disk::open(&self.source, &self.path)?;
        self.state = State::Open(database, book);
        self.board.recovered();
        Ok(())
    }

    fn fail(&mut self, batch: &[Asked], error: &Error) -> Vec<Done> {
        self.board.failed(error.to_string());
        self.state = State::Broken(Instant::now());
        failures(batch)
    }
}

fn commit(
    database: &Database,
    book: &mut Book,
    bounds: &Bounds,
    board: &Board,
    batch: &[Asked],
) -> Result<Vec<Done>, redb::Error> {
    let start = Instant::now();
    let transaction = disk::begin(database)?;
    let mut turn = Turn::new(&transaction, book, bounds)?;
    let mut answers = Vec::with_capacity(batch.len());
    for Asked { tag, request } in batch {
        answers.extend(turn.answer(request)?.map(|answer| Done { tag: *tag, answer }));
    }
    let (changed, tally) = (turn.changed, turn.tally);
    drop(turn);
    if changed {
        transaction.commit()?;
        board.committed(start.elapsed());
    } else {
        transaction.abort()?;
    }
    board.count(tally);
    Ok(answers)
}

fn failures(batch: &[Asked]) -> Vec<Done> {
    let waiting = batch.iter().filter(|asked| asked.request.wants_answer());
    waiting.map(|asked| Done { tag: asked.tag, answer: Answer::Failed }).collect()
}
