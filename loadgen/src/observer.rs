//! Looks at the relay's own metrics before and after a measurement, where they can be had.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::relay_view::{Reading, default_url, read};
use crate::report::RelayView;

/// The relay publishes its counters every 50 ms (`PUBLISH_EVERY` in its limits); as much again for a busy machine.
const PUBLISHED: Duration = Duration::from_millis(100);

/// Commands that are sent to find out whether the metrics are the target's.
const SIGNS: u64 = 5;

/// Where the relay's metrics are, if anywhere.
#[derive(Clone, Debug)]
pub struct Observer {
    url: Result<String, String>,
}

impl Observer {
    /// Finds the metrics: `auto` (the default port of the target), `off`, or a URL.
    ///
    /// They are believed only if they count what is sent to the target.
    pub fn find(wanted: &str, target: SocketAddr) -> Self {
        let url = match wanted {
            "off" => Err("the relay's metrics were not asked for".to_owned()),
            "auto" => verified(default_url(target), target),
            url => verified(url.to_owned(), target),
        };
        Observer { url }
    }

    /// Reads the metrics, when all that was counted so far has been published.
    pub fn look(&self) -> Option<Reading> {
        let url = self.url.as_ref().ok()?;
        thread::sleep(PUBLISHED);
        read(url).ok()
    }

    /// What the relay did between two readings, or why that cannot be said.
    ///
    /// # Errors
    /// A sentence.
    pub fn view(&self, before: Option<&Reading>, after: Option<&Reading>) -> Result<RelayView, String> {
        self.url.as_ref().map_err(Clone::clone)?;
        let gone = || "the relay's metrics could not be read any more".to_owned();
        let (before, after) = (before.ok_or_else(gone)?, after.ok_or_else(gone)?);
        after.since(before).map_err(|error| error.to_string())
    }
}

fn verified(url: String, target: SocketAddr) -> Result<String, String> {
    let before = read(&url).map_err(|error| error.to_string())?.commands();
    speak(target).map_err(|error| error.to_string())?;
    thread::sleep(PUBLISHED);
    let after = read(&url).map_err(|error| error.to_string())?.commands();
    if after >= before + SIGNS {
        Ok(url)
    } else {
        Err(format!("the metrics at {url} do not count what is sent to {target}: they are another relay's"))
    }
}

/// Sends commands that the relay counts and answers.
fn speak(target: SocketAddr) -> std::io::Result<()> {
    let any: SocketAddr = if target.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    (0..SIGNS).try_for_each(|_| socket.send_to(b"!WHO", target).map(drop))
}
