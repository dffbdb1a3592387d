//! Operations: starting, configuring, watching and ending a relay, and what it costs.

mod activation;
mod busy_port;
mod catalogue;
mod chat;
mod configuration;
mod confined;
mod container;
pub mod denied;
mod doctor;
mod doctor_elsewhere;
mod footprint;
mod http;
mod idle;
mod kernel_drops;
mod killed;
mod limits;
mod logs;
mod process;
mod prometheus;
mod reload;
mod sandbox;
mod signals;
mod stalled;
mod startup;
mod supervised;
pub mod tools;
