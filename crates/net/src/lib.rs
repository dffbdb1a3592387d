//! How bytes move: sockets, buffers and the drivers that exchange datagrams with the kernel.
//!
//! **A [`Driver`] is turned by its owner: queue sends, call [`Driver::exchange`], read the arrivals, release
//! their buffers, repeat.** It knows addresses and buffers, never groups.

// The one crate that talks to the kernel.
#![allow(unsafe_code)]

mod address;
mod batch;
mod bind;
mod cbpf;
mod clients;
mod config;
mod control;
mod driver;
mod epoll;
mod gathered;
mod hash;
mod host;
mod inherit;
mod interface;
pub mod limits;
mod listening;
mod mmsg;
mod peer_errors;
mod poll;
mod pool;
mod queue;
mod recent;
mod routes;
mod setback;
mod sieve;
mod slots;
mod socket;
mod steer;
pub mod tcp;
mod thread;
mod transmit;
mod trial;
mod uring;
mod waker;

pub use bind::{BindError, BindErrorKind, Binding, MAX_BUFFER, SocketOptions, bind};
pub use clients::bind_clients;
pub use config::{DriverConfig, SetupError, SetupFailure, SetupStep};
pub use driver::{
    Arrival, BufferId, Driver, DriverStats, Failure, FailureKind, Full, Gather, Part, Run, SendReport,
    SocketIndex,
};
pub use epoll::Epoll;
pub use host::{
    available_cpus, broadcast_addresses, effective_user, local_addresses, parallelism, pin_current_thread,
    raise_descriptor_limit,
};
pub use inherit::{InheritError, Inherited, inherited};
pub use interface::{Interface, ReceiveHash, interfaces};
pub use listening::only_listen;
pub use mmsg::Mmsg;
pub use sieve::{Loud, Sieve, Sources};
pub use socket::{Socket, SocketGauge, SocketMemory};
pub use steer::{Home, Steering};
pub use thread::{own_descriptors, set_timer_slack, thread_cpu_time, thread_run_delay};
pub use trial::{Abilities, abilities};
pub use uring::Uring;
pub use waker::Waker;
