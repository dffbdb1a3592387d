//! The same store without a thread: in memory, on its caller's, for whoever simulates.

use std::sync::Arc;

use crate::bounds::Bounds;
use crate::disk;
use crate::error::Error;
use crate::figures::{Board, Figures};
use crate::place::{Place, Ready};
use crate::queue::{Asked, queue};
use crate::request::{Answer, Request};
use crate::writer::{Lingering, State, Writer};

/// A store in memory whose every request is done at once.
pub struct Inline(Writer);

impl Inline {
    /// An empty one.
    ///
    /// # Errors
    /// What is wrong with the memory.
    pub fn new(bounds: Bounds) -> Result<Self, Error> {
        let Ready { path, source, lock } = Place::Memory.prepare()?;
        let (database, book) = disk::open(&source, &path)?;
        let (_entrance, exit) = queue();
        let (state, deleted) = (State::Open(database, book), Lingering::default());
        let board = Arc::new(Board::new());
        Ok(Self(Writer { exit, board, bounds, path, source, state, deleted, _lock: lock }))
    }

    /// Does what is asked for, and answers what wants an answer.
    pub fn ask(&mut self, request: Request) -> Option<Answer> {
        self.0.work(&[Asked { tag: 0, request }], false).pop().map(|done| done.answer)
    }

    /// What is kept, and what was done.
    pub fn figures(&self) -> Figures {
        self.0.board.read(0)
    }
}
