//! How it runs: the shard loop that introduces the engine to a driver, its configuration and its metrics.
//!
//! **A [`shard::Shard`] turns an engine and a driver on a thread of its own; [`server::run`] starts the shards, watches
//! over them, and stops them.**

mod activation;
mod alarm;
mod backend;
pub mod clock;
pub mod config;
mod crew;
pub mod doctor;
pub mod failure;
pub mod fanout;
pub mod ferry;
mod flows;
mod http;
pub mod inbox;
pub mod limits;
mod listener;
pub mod logging;
mod mailroom;
pub mod meter;
pub mod metrics;
mod movers;
mod muffler;
mod overload;
mod own;
mod plan;
mod port;
mod pulse;
pub mod sandbox;
pub mod server;
pub mod shard;
mod signals;
mod status;
mod supervisor;
mod tcp;
mod valve;
pub mod work;
pub mod worst;
