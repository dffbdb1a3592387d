//! The address for scrapes and the status page: a listener of its own, or one that a service manager has passed.

use std::net::{SocketAddr, TcpListener};

use crate::config::Loaded;
use crate::failure::Failure;

/// The listener, unless it is off. A taken address is a warning if nobody asked for it.
///
/// # Errors
/// The address that was asked for cannot be used.
pub fn listen(loaded: &Loaded, passed: Option<TcpListener>) -> Result<Option<TcpListener>, Failure> {
    if passed.is_some() {
        return Ok(passed);
    }
    let Some(address) = loaded.setup.metrics_listen else { return Ok(None) };
    match TcpListener::bind(address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if !loaded.setup.metrics_source.asked_for() => {
            let advice = "no metrics: the default address cannot be used; choose one with --metrics-listen";
            tracing::warn!(%address, %error, "{advice}");
            Ok(None)
        }
        Err(error) => Err(Failure::Metrics { place: loaded.place("metrics-listen"), address, error }),
    }
}

/// Says which option is not looked at, and who can read what at this address.
pub fn warn(loaded: &Loaded, bound: Option<SocketAddr>) {
    let Some(bound) = bound else { return };
    if loaded.setup.metrics_source.asked_for() && !is_meant(loaded.setup.metrics_listen, bound) {
        tracing::warn!(
            "metrics-listen is not looked at: the service manager has passed the socket for metrics, {bound}"
        );
    }
    if !bound.ip().to_canonical().is_loopback() {
        tracing::warn!(
            address = %bound,
            "whoever reaches the metrics address reads the configuration and the process id there; let a firewall keep strangers out"
        );
    }
}

/// True if this is where somebody who asked for that would look. Port 0 means any.
fn is_meant(asked: Option<SocketAddr>, bound: SocketAddr) -> bool {
    asked.is_some_and(|asked| asked.ip() == bound.ip() && [0, bound.port()].contains(&asked.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_socket_is_meant_if_it_is_where_it_was_asked_for() {
        let bound: SocketAddr = "127.0.0.1:9500".parse().unwrap();
        for (asked, meant) in [
            ("127.0.0.1:9500", true),
            ("127.0.0.1:0", true),
            ("127.0.0.1:9501", false),
            ("[::1]:9500", false),
        ] {
            assert_eq!(is_meant(Some(asked.parse().unwrap()), bound), meant, "{asked}");
        }
        assert!(!is_meant(None, bound), "off");
    }
}
