//! What every story needs: a running relay, clients, and waiting for conditions.

mod client;
mod denial;
mod forge;
mod halted;
mod namespace;
mod pace;
mod patience;
mod process;
mod prometheus;
#[cfg(target_arch = "x86_64")]
mod puppet;
mod routers;

pub use client::Client;
pub use denial::{IO_URING, without};
pub use forge::{forge, forge_behind, ipv6_packet, unreachable};
pub use halted::Halted;
pub use namespace::{Cable, FAR, NEAR, add_ipv6, alone, ip, tc};
pub use pace::{Pace, stay_here, tick, undisturbed};
pub use patience::{PATIENCE, eventually};
pub use process::{Backend, Relay, RelayOptions, each_backend, field, program, while_stopped};
pub use prometheus::{Alert, Prometheus};
#[cfg(target_arch = "x86_64")]
pub use puppet::Puppet;
pub use routers::{MIDDLE, Nat, Site, lay_net, nft};
