//! What must survive: names, the claims that prove whose they are, and mail for those who are away.
//!
//! [`Store::open`] starts one thread. [`Store::ask`] hands it a [`Request`] and never waits; the thread takes whatever
//! waits, makes it durable in one commit, and then calls back with the [`Answer`]s. So an answer that says "stored" is as
//! true as the disk's word, and the more ask at once, the more share the price of a commit.
//!
//! Times are Unix milliseconds and come with the requests: the store has no calendar. It knows neither sockets nor groups.

mod book;
mod bounds;
mod disk;
mod error;
mod figures;
mod inline;
pub mod limits;
mod medium;
mod place;
mod queue;
mod request;
mod store;
#[cfg(test)]
mod tests;
mod turn;
mod writer;

pub use bounds::Bounds;
pub use error::Error;
pub use figures::Figures;
pub use inline::Inline;
pub use place::{Place, make_directory};
pub use queue::Busy;
pub use request::{Answer, Bound, Done, Mail, Name, Request};
pub use store::Store;
pub use writer::Event;
