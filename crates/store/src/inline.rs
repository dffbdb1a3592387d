//! The same store without a thread: in memory, on its caller's, for whoever simulates.

use std::sync::Arc;

use crate::bounds::Bounds;
use crate::error::Error;
use crate::figures::{Board, Figures};
use crate::place::Place;
use crate::queue::{Asked, queue};
use crate::request::{Answer, Request};
use crate::writer::{Home, Writer};

/// A store in memory whose every request is done at once.
pub struct Inline {
    writer: Writer,
    board: Arc<Board>,
}

impl Inline {
    /// An empty one.
    ///
    /// # Errors
    /// What is wrong with the memory.
    pub fn new(bounds: Bounds) -> Result<Self, Error> {
        let board = Arc::new(Board::new());
        let home = Home::open(Place::Memory.prepare()?, &board)?;
        let (_entrance, exit) = queue();
        Ok(Self { writer: Writer::new(exit, Arc::clone(&board), bounds, Ok(home), Box::new(|_| ())), board })
    }

    /// Does what is asked for, and answers what wants an answer.
    pub fn ask(&mut self, request: Request) -> Option<Answer> {
        self.writer.work(&[Asked { tag: 0, request }], false).pop().map(|done| done.answer)
    }

    /// What is kept, and what was done.
    pub fn figures(&self) -> Figures {
        self.board.read(0)
    }
}
