//! The program as its users meet it: what it says, where it says it, and how it ends.

mod endings;
mod merge;
mod output;
mod refusals;
mod signals;
mod terminal;
mod unreachable;
mod usage;
mod workers;

#[path = "../common/mod.rs"]
mod common;
