//! What every story about the generator needs: a relay with known faults, the program, and the release relay.
#![allow(dead_code)] // Each test crate uses a part of it.

#[path = "../../../relay/tests/e2e/support/namespace.rs"]
pub mod namespace;
#[path = "../../../relay/tests/e2e/support/patience.rs"]
mod patience;
#[path = "../../../relay/tests/e2e/support/process.rs"]
pub mod process;
pub mod program;
pub mod relay;
pub mod report;

pub use patience::{PATIENCE, eventually};
