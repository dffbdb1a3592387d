//! TCP: messages with their length before them (RFC 4571), over thousands of connections, on one thread.
//!
//! **[`Streams`] are turned by their owner: call [`Streams::exchange`], read the events, send, repeat.** Nothing
//! here ever waits for a peer, and what a peer can make it keep is bounded by [`limits`] and [`Bounds`].

mod arena;
mod bounds;
mod census;
mod connection;
mod deadlines;
mod door;
mod event;
mod figures;
mod frame;
mod framing;
mod ledger;
pub mod limits;
mod listener;
mod output;
mod queue;
mod streams;

pub use bounds::{Bounds, Tenacity};
pub use event::{ConnectionId, Ending, Event, Message, NoRoom};
pub use figures::Figures;
pub use frame::{Frame, TooLong};
pub use listener::{Listener, listen};
pub use queue::Kind;
pub use streams::{Clock, Streams};
