//! What stories about the program need: a terminal, and the release relay.
#![allow(dead_code)] // Each test crate uses a part of it.

#[path = "../../../relay/tests/e2e/support/patience.rs"]
mod patience;
#[path = "../../../relay/tests/e2e/support/process.rs"]
pub mod process;
pub mod window;

pub use patience::{PATIENCE, eventually};
