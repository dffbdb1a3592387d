//! What stories about the program need: a terminal, the release relay, and networks.
#![allow(dead_code)] // Each test crate uses a part of it.

#[path = "../../../relay/tests/e2e/support/namespace.rs"]
pub mod namespace;
#[path = "../../../relay/tests/e2e/support/patience.rs"]
mod patience;
#[path = "../../../relay/tests/e2e/support/process.rs"]
pub mod process;
#[path = "../../../relay/tests/e2e/support/routers.rs"]
pub mod routers;
pub mod window;

pub use namespace::ip;
pub use patience::{PATIENCE, eventually};
