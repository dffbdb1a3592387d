//! The generator against a relay that loses, repeats, reorders and spoils copies: what it reports is exactly what happened.

mod accounts;
mod churn;
mod closed;
mod faults;
mod people;
mod restart;
mod silent;
mod stalls;

#[path = "../common/mod.rs"]
mod common;
