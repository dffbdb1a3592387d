//! What the TCP side promises, asked over loopback with real sockets.

mod cable;
mod side;

mod closing;
mod crowd;
mod framing;
mod limits;
mod slow;
mod vanished;
