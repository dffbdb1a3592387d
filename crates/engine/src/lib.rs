//! What the relay decides: who is in which group, who hears a payload, who is refused, and who has gone silent.
//!
//! **Each shard turns its own [`Engine`]: `begin_turn` with the time, `receive` for each datagram, `sweep`; the
//! answers are [`Delivery`]s in the [`Outbox`].** The engines of all shards share one [`Groups`], one [`Admission`],
//! one [`Directory`], and one [`Everybody`].

mod address;
mod admission;
mod buckets;
mod delivery;
mod directory;
#[allow(clippy::module_inception)] // The entry point of the crate deserves its name.
mod engine;
mod entropy;
mod everybody;
mod expiry;
mod group;
mod groups;
mod histogram;
pub mod limits;
#[cfg(all(test, loom))]
mod loom_tests;
mod marks;
mod own;
mod pace;
mod pages;
mod prefixes;
mod quota;
mod roster;
#[cfg(all(test, not(loom)))]
mod seeded;
mod sessions;
mod settings;
mod shelf;
mod stripe;
mod sync;
mod tally;
mod throttle;
mod tick;
mod views;
mod voice;
mod wheel;

pub use address::{ClientAddr, LocalAddr};
pub use admission::{Admission, Cause, CopyDrop, Gate, Offer, Stance, Standing, Treatment};
pub use delivery::{Audience, Delivery, Departure, Forms, GroupKey, Listed, Outbox, Payload, RosterIndex};
pub use directory::Directory;
pub use engine::{Datagram, Engine, Shared};
pub use entropy::Entropy;
pub use everybody::Everybody;
pub use groups::Groups;
pub use histogram::Histogram;
pub use own::OwnAddresses;
pub use prefixes::{Access, Prefixes};
pub use roster::{Member, Roster};
pub use settings::{AdmissionMode, Cap, Ceilings, Settings, Terms};
pub use tally::{CommandKind, DropReason, Event, Tally, Throttled};
pub use tick::Tick;
