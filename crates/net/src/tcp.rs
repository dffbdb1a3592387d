//! TCP: messages with their length before them (RFC 4571), over thousands of connections, on one thread.
//!
//! **[`Streams`] are turned by their owner: call [`Streams::exchange`], read the events, send, repeat.** Nothing
//! here ever waits for a peer, and what a peer can make it keep is bounded by [`limits`] and [`Bounds`].
//!
//! ```
//! use std::io::{Read, Write};
//! use std::time::Duration;
//! use net::tcp::{Bounds, Event, Frame, Kind, Streams, Tenacity, listen};
//!
//! let listeners = listen(&["127.0.0.1:0".parse()?], &Tenacity::default())?;
//! let mut client = std::net::TcpStream::connect(listeners[0].address())?;
//! let mut streams = Streams::new(listeners, Bounds::default())?;
//! client.write_all(b"\x00\x02hi")?;
//! let mut events = Vec::new();
//! while streams.figures().messages_out == 0 {
//!     streams.exchange(&mut events, Some(Duration::from_millis(10)))?;
//!     for event in &events {
//!         if let Event::Message { connection, message } = event {
//!             let echo = Frame::new(&[streams.bytes(message)])?;
//!             streams.send(*connection, Kind::Payload, &echo);
//!         }
//!     }
//! }
//! let mut heard = [0; 4];
//! client.read_exact(&mut heard)?;
//! assert_eq!(&heard, b"\x00\x02hi");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
mod rules;
mod stream_driver;
mod streams;

pub use bounds::{Bounds, Tenacity};
pub use event::{ConnectionId, Ending, Event, Message, NoRoom};
pub use figures::Figures;
pub use frame::{Frame, TooLong};
pub use listener::{Listener, adopt, listen};
pub use queue::Kind;
pub use rules::Rules;
pub use stream_driver::StreamDriver;
pub use streams::{Clock, Streams};
