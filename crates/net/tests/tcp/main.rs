//! What the TCP side promises, asked over loopback with real sockets.

#![allow(unsafe_code)]

mod cable;
#[path = "../common/forbid.rs"]
mod forbid;
mod side;

mod closing;
mod crowd;
mod driver;
mod framing;
mod limits;
mod rules;
mod slow;
mod vanished;
