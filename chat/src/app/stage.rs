//! What waits to be printed on the terminal, and when it may be.
//!
//! The line editor takes messages only while it edits, and looks at keys first: what is handed to it may have to wait for
//! the next prompt. So nothing is printed past it between two prompts, or messages would overtake each other. Whether
//! the editor has taken the last message nobody can know: at the very end of the program that one may be lost or late.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lines that may wait. A terminal that is slower than its group skips some, and says so.
const MAX_WAITING: usize = 10_000;

/// The queue between the client and the printing thread.
#[derive(Debug, Default)]
pub struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the printing thread is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// Print this, above the line that is being typed if there is one.
    Print(String),
    /// Take the terminal from the editor.
    Release,
    /// Nothing comes any more.
    Finish,
}

#[derive(Debug, Default)]
struct State {
    orders: VecDeque<Order>,
    skipped: usize,
    editing: bool,
    /// The editor has gone, or was sent away.
    over: bool,
    finished: bool,
}

impl Stage {
    /// Queues a line, with its end.
    pub fn print(&self, line: String) {
        let mut state = self.lock();
        if state.orders.len() >= MAX_WAITING {
            state.skipped += 1;
            return;
        }
        if state.skipped > 0 {
            let skipped = std::mem::take(&mut state.skipped);
            state.orders.push_back(Order::Print(format!("! {skipped} lines came too fast to be shown\n")));
        }
        self.queue(state, Order::Print(line));
    }

    /// Sends the editor away, behind what waits already.
    pub fn release(&self) {
        let mut state = self.lock();
        // It may never edit again, and then nothing would move the queue.
        state.over |= !state.editing;
        self.queue(state, Order::Release);
    }

    /// Waits until everything is printed, but not for longer than this.
    pub fn finish(&self, patience: Duration) {
        self.queue(self.lock(), Order::Finish);
        // What could not be printed in time is given up: the program ends.
        let _ = self.changed.wait_timeout_while(self.lock(), patience, |state| !state.finished);
    }

    /// The editor takes messages from now on, or no longer.
    pub fn set_editing(&self, editing: bool) {
        self.lock().editing = editing;
        self.changed.notify_all();
    }

    /// There will be no editor any more.
    pub fn set_over(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// Waits until something may be done. True with it: print past the editor.
    pub fn next(&self) -> (Order, bool) {
        let blocked = |state: &mut State| state.orders.is_empty() || !(state.editing || state.over);
        let waited = self.changed.wait_while(self.lock(), blocked);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let order = state.orders.pop_front().unwrap_or(Order::Finish);
        state.over |= order == Order::Release;
        (order, state.over)
    }

    /// The printing thread has finished.
    pub fn set_finished(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    fn queue(&self, mut state: MutexGuard<'_, State>, order: Order) {
        state.orders.push_back(order);
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(text: &str) -> Order {
        Order::Print(text.into())
    }

    #[test]
    fn everything_comes_in_order_and_the_rest_past_the_editor() {
        let stage = Stage::default();
        stage.print("one".into());
        stage.set_editing(true);
        assert_eq!(stage.next(), (print("one"), false));
        stage.release();
        stage.print("two".into());
        assert_eq!(stage.next(), (Order::Release, true));
        assert_eq!(stage.next(), (print("two"), true));
    }

    #[test]
    fn an_editor_that_is_not_editing_blocks_nothing_after_its_release() {
        let stage = Stage::default();
        stage.print("one".into());
        stage.release();
        assert_eq!(stage.next(), (print("one"), true));
    }

    #[test]
    fn a_flood_is_bounded_and_told() {
        let stage = Stage::default();
        stage.set_over();
        for _ in 0..MAX_WAITING + 5 {
            stage.print("x".into());
        }
        assert_eq!(stage.next().0, print("x"));
        assert_eq!(stage.next().0, print("x"));
        stage.print("y".into());
        let orders = std::mem::take(&mut stage.lock().orders);
        assert_eq!(orders.len(), MAX_WAITING);
        assert_eq!(orders[MAX_WAITING - 2], print("! 5 lines came too fast to be shown\n"));
        assert_eq!(orders[MAX_WAITING - 1], print("y"));
    }
}
