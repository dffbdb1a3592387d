//! Choosing a shard's driver, and running the shard on it.

use net::{DriverConfig, Mmsg, SetupError, Socket, Uring};

use crate::config::Backend;
use crate::limits::{TURN_ARRIVALS, TURN_UNITS};

/// A driver, whichever it is.
pub enum AnyDriver {
    /// io_uring.
    Uring(Box<Uring>),
    /// recvmmsg and sendmmsg.
    Mmsg(Box<Mmsg>),
}

/// A chosen driver, and why it is not io_uring if that was tried.
pub struct Chosen {
    /// The driver.
    pub driver: AnyDriver,
    /// The set-up of io_uring that failed.
    pub fallback: Option<SetupError>,
}

/// Sets a driver with so many receive buffers up, on the thread that will turn it.
///
/// # Errors
/// What failed; with `auto` only if both backends do.
pub fn choose(backend: Backend, sockets: Vec<Socket>, buffers: usize) -> Result<Chosen, SetupError> {
    let config = driver_config(buffers);
    match backend {
        Backend::Mmsg => mmsg(sockets, &config, None),
        Backend::Uring => match Uring::new(sockets, &config) {
            Ok(ring) => Ok(Chosen { driver: AnyDriver::Uring(Box::new(ring)), fallback: None }),
            Err(failure) => Err(failure.error),
        },
        Backend::Auto => match Uring::new(sockets, &config) {
            Ok(ring) => Ok(Chosen { driver: AnyDriver::Uring(Box::new(ring)), fallback: None }),
            Err(failure) => mmsg(failure.sockets, &config, Some(failure.error)),
        },
    }
}

fn mmsg(
    sockets: Vec<Socket>,
    config: &DriverConfig,
    fallback: Option<SetupError>,
) -> Result<Chosen, SetupError> {
    match Mmsg::new(sockets, config) {
        Ok(driver) => Ok(Chosen { driver: AnyDriver::Mmsg(Box::new(driver)), fallback }),
        Err(failure) => Err(failure.error),
    }
}

/// Sizes of a driver with so many receive buffers.
pub fn driver_config(buffers: usize) -> DriverConfig {
    DriverConfig {
        buffers: buffers as u16,
        arrivals_per_exchange: TURN_ARRIVALS as u16,
        // A reply to every arrival always fits beside the payloads' own allowance and one run beyond it.
        turn_budget: (TURN_UNITS + net::Run::MAX_DATAGRAMS + TURN_ARRIVALS) as u32,
        ..DriverConfig::default()
    }
}
