//! All checks, in the order of the report: the machine, the process, the network.

mod addresses;
mod backlog;
mod balance;
mod buffers;
mod clock;
mod conntrack;
mod descriptors;
mod governor;
mod holder;
mod io_uring;
mod kernel;
mod memory;
mod metrics;
mod mtu;
mod nic;
mod notrack;
mod port;
mod processors;
mod proxy;
mod rp_filter;
mod sandbox;
mod steal;
mod udp_memory;

use super::finding::Finding;
use super::patient::Patient;

/// A check looks and judges; it finds one thing or several.
type Check = fn(&Patient<'_>) -> Vec<Finding>;

/// Every check.
pub const ALL: [Check; 21] = [
    kernel::check,
    processors::check,
    steal::check,
    governor::check,
    clock::check,
    memory::check,
    descriptors::check,
    io_uring::check,
    sandbox::check,
    addresses::check,
    port::check,
    metrics::check,
    buffers::check,
    udp_memory::check,
    backlog::check,
    conntrack::check,
    balance::check,
    proxy::check,
    nic::check,
    mtu::check,
    rp_filter::check,
];
