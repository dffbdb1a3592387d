//! Who people are, and what they say to each other: names, presence, messages, mail, and where to meet.
//!
//! **[`People`] is one state machine for all shards, behind one lock**: [`People::request`] does what somebody asks for,
//! [`People::turn`] what is due, and whatever is to be said goes to a [`Post`]. What must survive goes to a [`Desk`], which
//! never waits; its answers come back with a later turn. Nothing here is touched by payloads.
//!
//! `A` is an address, as the relay knows it, and `G` a group.

mod desk;
mod figures;
mod inbox;
mod letters;
pub mod limits;
mod name;
mod outcomes;
mod pace;
mod parties;
mod parts;
mod people;
mod presence;
mod quota;
mod registry;
mod rendezvous;
mod rooms;
mod signals;
#[cfg(test)]
mod tests;
mod timers;

pub use desk::Desk;
pub use figures::{Figures, Outcome};
pub use name::{BadName, Name};
pub use parties::{Address, Badge, Caller, Now, Place, Post, SessionId, Site, Turn};
pub use people::{People, Settings};
pub use signals::Signals;
