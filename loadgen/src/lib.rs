//! How we measure it: many simulated clients of a relay, and the truth about what they saw.
//!
//! A [`plan::Plan`] says what to do; threads (here or in worker processes) do a part of it each and tell an
//! [`outcome::Outcome`]; merged, it becomes a [`report::Report`].

pub mod capacity;
pub mod exporter;
pub mod hdr;
pub mod machine;
pub mod outcome;
pub mod plan;
pub mod relay_view;
pub mod report;
pub mod view;
