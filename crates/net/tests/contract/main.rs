//! What every driver promises, asked of every driver in every run.
//!
//! Set `RELAY_TEST_NO_URING=1` where the kernel forbids io_uring; otherwise a ring that cannot be set up is
//! a failure.

#![allow(unsafe_code)]

mod candidate;
#[path = "../common/forbid.rs"]
mod forbid;
mod forge;
mod namespace;
mod peer;

mod buffers;
mod clients;
mod coalesce;
mod crowd;
mod drops;
mod errors;
mod exchange;
mod killed;
mod lifecycle;
mod order;
mod peer_errors;
mod refusal;
mod segments;
mod sieve;
mod sources;

/// Runs each function once for every driver.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        crate::contract_of_few!($($name),*);
        mod epoll {
            $(#[test] fn $name() { super::$name::<net::Epoll>(); })*
        }
    };
}
pub(crate) use contract;

/// Runs each function once for the drivers of few sockets.
macro_rules! contract_of_few {
    ($($name:ident),* $(,)?) => {
        mod mmsg {
            $(#[test] fn $name() { super::$name::<net::Mmsg>(); })*
        }
        mod uring {
            $(#[test] fn $name() {
                if crate::candidate::uring_is_expected() {
                    super::$name::<net::Uring>();
                }
            })*
        }
    };
}
pub(crate) use contract_of_few;
