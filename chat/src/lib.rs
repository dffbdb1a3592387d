//! The chat client's logic, without sockets, clocks or terminals.
//!
//! **[`Client`] is fed with datagrams, wishes and the time; it yields datagrams to send and [`Event`]s to show.**
//! [`Talk`] puts the helpers that a person types (`join`, `who`, ...) on top of it, [`harmless()`] makes foreign text
//! safe to print, and [`cli`] has the program's arguments. The program around them is `src/main.rs` with `src/app`.

pub mod cli;
mod client;
mod harmless;
mod input;
mod talk;

pub use client::{
    Busy, Client, Event, HEARTBEAT_RANGE, MAX_UNCONFIRMED, PATIENCE, REJOIN_PAUSE, Request, SendError,
    Status, TRIES, UNTOLD_HEARTBEAT,
};
pub use harmless::{harmless, is_harmful};
pub use input::{HELP, Helper, Hint, Input, parse};
pub use talk::{Note, Talk};
