//! The program, run as people and scripts run it.

mod names;
mod original;
mod pipe;
mod scripts;
mod tcp;
mod terminal;

#[path = "../common/mod.rs"]
mod common;
