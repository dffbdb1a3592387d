//! What an owner may change while connections are served.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who is let in.
type Welcome = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Whose connections are taken, and how long they may be silent.
#[derive(Clone)]
pub struct Rules {
    welcome: Welcome,
    silence: Option<Duration>,
}

impl Rules {
    /// Takes those for whom `welcome` says so, and closes who has said nothing for as long as `silence` and
    /// [`LAST_LOOK`](super::limits::LAST_LOOK).
    pub fn new(welcome: impl Fn(IpAddr) -> bool + Send + Sync + 'static, silence: Duration) -> Rules {
        Rules { welcome: Arc::new(welcome), silence: Some(silence) }
    }

    pub(super) fn admits(&self, source: IpAddr) -> bool {
        (self.welcome)(source)
    }

    /// When somebody who spoke then has been silent for too long.
    pub(super) fn due(&self, heard: Instant) -> Option<Instant> {
        self.silence.and_then(|silence| heard.checked_add(silence))
    }
}

impl Default for Rules {
    /// Everybody is welcome, and may be silent.
    fn default() -> Self {
        Rules { welcome: Arc::new(|_| true), silence: None }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("silence", &self.silence).finish_non_exhaustive()
    }
}
