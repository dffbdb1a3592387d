//! Clients by TCP: where they connect, and what their thread begins with.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use net::tcp::{Bounds, Listener, StreamDriver, Streams, Tenacity};
use net::{BindError, BindErrorKind, DriverConfig, SetupError, Socket};

use crate::config::{Loaded, Setup, TcpMode};
use crate::failure::Failure;
use crate::ferry::Ferry;
use crate::shard::rules;

/// All that the thread of the connections needs.
pub struct Landing {
    streams: Streams,
    /// What it answers clients by UDP from: the first shard's.
    sockets: Vec<Socket>,
    /// To it, from the shards.
    pub ferry: Ferry,
}

/// Listens at these addresses, unless it is not wanted.
///
/// # Errors
/// The first address at which it cannot.
pub fn listen(setup: &Setup, addresses: &[SocketAddr]) -> Result<Vec<Listener>, BindError> {
    match setup.tcp {
        TcpMode::Off => Ok(Vec::new()),
        TcpMode::Auto | TcpMode::On => net::tcp::listen(addresses, &Tenacity::default()),
    }
}

/// It cannot be served: gives back what to [warn] of once the relay serves.
///
/// # Errors
/// It was asked for.
pub fn give_up(loaded: &Loaded, error: BindError) -> Result<BindError, Failure> {
    match loaded.setup.tcp {
        TcpMode::On => Err(Failure::Tcp { place: loaded.place("tcp"), error }),
        TcpMode::Auto | TcpMode::Off => Ok(error),
    }
}

/// Says why no connections are taken.
pub fn warn(error: &BindError) {
    let remedy = match error.kind {
        BindErrorKind::InUse => "stop that process, or choose another --port, or say --tcp off",
        _ => "say --tcp off if that is meant",
    };
    tracing::warn!(%error, "clients are served by UDP alone; {remedy}");
}

impl Landing {
    /// Of these listeners, if there are any, in a process of at most so many descriptors, of which `used` belong to others.
    ///
    /// # Errors
    /// The limit of open files, mostly.
    pub fn new(
        setup: &Setup,
        listeners: Vec<Listener>,
        sockets: &[Vec<Socket>],
        descriptors: u64,
    ) -> io::Result<Option<Self>> {
        if listeners.is_empty() {
            return Ok(None);
        }
        let used = listeners.len() + sockets.iter().map(Vec::len).sum::<usize>();
        let bounds = Bounds::default().within(descriptors.saturating_sub(used as u64));
        let mut streams = Streams::new(listeners, bounds)?;
        streams.govern(&rules(&Arc::new(setup.settings.clone())));
        let ferry = Ferry::new(streams.waker());
        let sockets = sockets.first().into_iter().flatten().map(Socket::share).collect();
        Ok(Some(Self { streams, sockets, ferry }))
    }

    /// The driver, and the way from the shards to it.
    ///
    /// # Errors
    /// What it has against its sizes.
    pub fn board(self, config: &DriverConfig) -> Result<(StreamDriver, Ferry), SetupError> {
        Ok((StreamDriver::new(self.streams, self.sockets, config)?, self.ferry))
    }
}
