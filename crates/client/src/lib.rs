//! A client's side of the relay's protocols, without sockets, clocks or threads.
//!
//! **[`Client`] is fed with datagrams, requests and the time; it yields [`Transmit`]s to carry out and [`Event`]s to show.**
//! It looks for the relay (extended, then base; by UDP, then by TCP), keeps its session, its group and its name, comes back by
//! itself when the network changes, repeats what was lost, and shows each message once.
//!
//! ```
//! use std::time::Instant;
//! use client::{Client, Config, Event, Protocol, Request, Transmit, Transport};
//!
//! let server = "192.0.2.1:5000".parse()?;
//! let mut now = Instant::now();
//! let mut client = Client::new(Config::new(server), now)?;
//!
//! // Whoever runs it opens the socket that it asks for ...
//! assert_eq!(client.poll_transmit(), Some(Transmit::Open(Transport::Udp)));
//! client.opened(now);
//! // ... sends what it has to send, and brings what arrives.
//! let Some(Transmit::Send { to, datagram }) = client.poll_transmit() else { panic!() };
//! assert_eq!((to, &datagram[..]), (server, &b"!HELLO 2"[..]));
//! client.receive(server, b"ERR BAD_CMD UnknownCommand", now);
//! let contact = Event::Contact { protocol: Protocol::Base, transport: Transport::Udp };
//! assert_eq!(client.poll_event(), Some(contact));
//!
//! client.request(Request::Join("LOBBY".parse()?), now)?;
//! client.poll_transmit();
//! client.receive(server, b"OK JOINED LOBBY", now);
//! assert_eq!(client.poll_event(), Some(Event::Joined { group: "LOBBY".parse()?, again: false }));
//!
//! // At the deadline, at the latest, time is to pass.
//! now = client.deadline(now).expect("a heartbeat");
//! client.tick(now);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/echo.rs` is a whole program. [`base`] has the base protocol's client alone.

pub mod base;
mod client;
mod direct;
mod errors;
mod event;
mod greeting;
mod harmless;
mod letters;
mod limits;
mod order;
mod output;
mod people;
mod probe;
mod random;
mod request;
mod seen;
mod session;
#[cfg(test)]
mod tests;

pub use base::SendError;
pub use client::{Client, Config};
pub use errors::{MessageError, RequestError};
pub use event::{Closing, Event, Fate, Protocol, Status};
pub use harmless::{harmless, is_harmful};
pub use output::{Transmit, Transport};
pub use people::{Person, fold};
pub use random::choose_claim;
pub use request::{NAME_RULE, Request, is_name};
// What of the bytes' meaning stands in requests and events.
pub use wire::{GroupId, InvalidGroupId, MessageId, News, Refusal, Token};

pub(crate) use output::Output;
