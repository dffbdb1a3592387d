//! What a relay's metrics say at a moment.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// An answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Values by their names, labels included.
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    /// Reads them at an `http://` address.
    pub fn read(url: &str) -> anyhow::Result<Metrics> {
        let (host, path) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context("a URL")?;
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(Metrics::parse(&text))
    }

    /// Reads them until they are as wanted.
    pub fn wait(
        url: &str,
        patience: Duration,
        mut is_good: impl FnMut(&Metrics) -> bool,
    ) -> anyhow::Result<Metrics> {
        let start = Instant::now();
        loop {
            let metrics = Metrics::read(url)?;
            if is_good(&metrics) {
                return Ok(metrics);
            }
            if start.elapsed() > patience {
                bail!("the relay's metrics do not become what they should within {} s", patience.as_secs());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Lines of any other form are passed over.
    fn parse(text: &str) -> Metrics {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Metrics(pairs.collect())
    }

    /// The sum over all labels; 0 if there is none.
    pub fn sum(&self, name: &str) -> f64 {
        self.sum_with(name, "")
    }

    /// The sum over a shard's other labels; 0 if there is none.
    pub fn of_shard(&self, name: &str, shard: usize) -> f64 {
        self.sum_with(name, &format!("shard=\"{shard}\""))
    }

    fn sum_with(&self, name: &str, label: &str) -> f64 {
        let is_it = |key: &str| {
            let labels = key.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('{'));
            labels.is_some_and(|labels| labels.contains(label))
        };
        self.0.iter().filter(|(key, _)| is_it(key)).map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_single_values() {
        let text = "HTTP/1.1 200 OK\r\n\r\n# HELP a text 7\na{shard=\"0\"} 1\na{shard=\"1\",reason=\"x\"} 2.5\nab 9\nc 1e3\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("a"), 3.5);
        assert_eq!(metrics.of_shard("a", 1), 2.5);
        assert_eq!((metrics.sum("c"), metrics.sum("d")), (1000.0, 0.0));
    }
}
