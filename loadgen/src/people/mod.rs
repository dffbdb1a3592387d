//! People: clients with names who write to each other, are offline at times, and come back for their mail.
//!
//! A [`PeoplePlan`] says what to do; one thread does it with a [`crowd::Crowd`], so that what senders are told and what
//! recipients see stand in one account; an [`outcome::Outcome`] becomes a [`report::Report`]. Nothing here is shared with the
//! lanes but sockets, schedules and histograms: who is in a group needs no name, and who has a name no group.

mod absence;
pub mod accounts;
mod agenda;
pub mod crowd;
mod drive;
pub mod limits;
pub mod lines;
mod messages;
mod moves;
mod names;
mod outbox;
pub mod outcome;
mod person;
mod plan;
pub mod report;
pub mod run;
mod sessions;
pub mod sums;
#[cfg(test)]
mod tests;
mod verdict;

pub use names::Names;
pub use plan::PeoplePlan;
