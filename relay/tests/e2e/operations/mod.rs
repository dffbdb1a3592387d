//! Operations: starting, configuring, watching and ending a relay, and what it costs.

mod busy_port;
mod catalogue;
mod chat;
mod configuration;
<<<<<<< HEAD
pub mod denied;
=======
mod denied;
mod doctor;
>>>>>>> 70a2eef (relay: doctor --measure compares the backends on this machine; the doctor end to end)
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
mod signals;
mod startup;
mod tools;
