//! Why the relay does not serve, in one line for the operator.

use std::io;
use std::net::SocketAddr;

use net::{BindError, BindErrorKind, SetupError};

use crate::config::Place;

/// Why the relay does not serve. Displayed as one line: where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An address that cannot be bound.
    #[error("{place}: {error}; {}", bind_remedy(.error))]
    Bind {
        /// Who asked for it.
        place: Place,
        /// What stands against it.
        error: BindError,
    },
    /// An address at which no TCP connections can be taken, although they were asked for.
    #[error("{place}: TCP: {error}; {}, or let `auto` serve UDP alone", bind_remedy(.error))]
    Tcp {
        /// Who asked for it.
        place: Place,
        /// What stands against it.
        error: BindError,
    },
    /// A socket that the service manager has passed.
    #[error("socket activation: {0}")]
    Passed(String),
    /// The metrics address that was asked for.
    #[error("{place}: cannot listen at {address}: {error}; {}", remedy(.error, "choose another address, or off"))]
    Metrics {
        /// Who asked for it.
        place: Place,
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        error: io::Error,
    },
    /// The backend that was asked for.
    #[error("{place}: {error}; {}", .error.advice())]
    Backend {
        /// Who asked for it.
        place: Place,
        /// What the kernel refused.
        error: SetupError,
    },
    /// The sandbox, all of which was asked for.
    #[error("{place}: {lacks}; mend that, or let `on` do without")]
    Sandbox {
        /// Who asked for it.
        place: Place,
        /// What could not be given up.
        lacks: String,
    },
    /// Names and mail, which cannot be kept where they were to be.
    #[error("{place}: {error}")]
    Store {
        /// Who asked for it.
        place: Place,
        /// What stands against it.
        error: store::Error,
    },
    /// Anything else that the operating system refused while starting.
    #[error("cannot start: {error}; {}", remedy(.error, SHORTAGE))]
    System {
        /// What it said.
        #[from]
        error: io::Error,
    },
    /// A shard that ended unasked, after the relay had served.
    #[error(
        "shard {shard} has ended: {reason}; the relay stops, so that whatever supervises it starts it anew"
    )]
    Shard {
        /// Which.
        shard: usize,
        /// Why.
        reason: String,
    },
}

/// The usual reason.
const SHORTAGE: &str = "it needs more memory, threads or open files than the system grants";

impl Failure {
    /// The process's exit code: 2 for what the operator can mend before starting again, 1 for what ended the relay.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Shard { .. } => 1,
            _ => 2,
        }
    }
}

fn bind_remedy(error: &BindError) -> &'static str {
    match error.kind {
        BindErrorKind::InUse => "stop that process, or choose another --port or --host",
        BindErrorKind::Ports => "choose a --port, or widen that range",
        BindErrorKind::NotAvailable => "choose another --host; `ip address` lists this machine's addresses",
        BindErrorKind::Many => "choose another --host: one that is a single machine's",
        BindErrorKind::Permission => "choose a --port from 1024 on, or grant that",
        BindErrorKind::Forbidden => "let it open and bind sockets",
        BindErrorKind::Descriptors => "raise it: ulimit -n, LimitNOFILE=",
        BindErrorKind::Other => remedy(&error.source, "choose another --port or --host"),
    }
}

/// What helps against this error, wherever it occurs; else `usual`.
fn remedy(error: &io::Error, usual: &'static str) -> &'static str {
    const EPERM: i32 = 1;
    const EACCES: i32 = 13;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match error.raw_os_error() {
        Some(ENFILE | EMFILE) => "raise the limit of open files (ulimit -n, LimitNOFILE=)",
        Some(EPERM | EACCES) if usual == SHORTAGE => {
            "a seccomp profile or a security module refuses a system call that it needs"
        }
        _ => usual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_no_shortage() {
        let text = |errno| Failure::from(io::Error::from_raw_os_error(errno)).to_string();
        assert!(text(1).contains("seccomp") && !text(1).contains("memory"), "{}", text(1));
        assert!(text(11).contains("memory, threads or open files"), "{}", text(11));
    }
}
