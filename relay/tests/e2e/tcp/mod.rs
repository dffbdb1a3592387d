//! Clients by TCP, beside those by UDP.

mod bounds;
mod caller;
mod endings;
mod forms;
mod groups;
mod people;
mod port;
mod vanished;

pub use caller::Caller;
use caller::{at, framed};
