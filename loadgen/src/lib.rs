//! How we measure it: many simulated clients of a relay, and the truth about what they saw.
//!
//! A [`plan::Plan`] says what to do; threads (here or in worker processes) do a part of it each and tell an
//! [`outcome::Outcome`]; merged, it becomes a [`report::Report`].

pub mod args;
pub mod capacity;
pub mod crew;
pub mod exporter;
pub mod hdr;
pub mod laboratory;
pub mod lane;
pub mod machine;
pub mod observer;
pub mod outcome;
pub mod payload;
pub mod people;
pub mod plan;
pub mod program;
pub mod relay_view;
pub mod report;
pub mod run;
pub mod session;
mod show;
pub mod verdict;
pub mod view;
pub mod worker;
