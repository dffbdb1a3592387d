//! What a loadgen and its workers say to each other: JSON, one message a line, over TCP.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Facts, News};
use crate::plan::{Plan, Share};

/// The version of these messages; both sides must have the same.
pub const VERSION: u32 = 1;

/// No message is longer, in bytes: an outcome with a thousand pieces has a tenth of it.
const LONGEST: u64 = 64 << 20;

/// The first message, which says what to do. Also its longest form: a few hundred bytes.
const LONGEST_HELLO: usize = 64 << 10;

/// How long a connection, the hello and its answer may take. A million clients are made in a second.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What whoever plans says first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub loadgen: u32,
    /// The word that the worker asks for.
    pub token: Option<String>,
    /// What to do.
    pub plan: Plan,
    /// The part of it that is this worker's.
    pub share: Share,
}

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromWorker {
    /// The clients have begun to join.
    Ready(Facts),
    /// What there is to tell.
    News(News),
}

/// A hello that is not whole so long after the connection was taken never comes.
pub const GREETING: Duration = Duration::from_secs(5);

/// Writes a message.
///
/// # Errors
/// What the connection answers.
pub fn write(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.flush()
}

/// Reads messages.
pub struct Reader(BufReader<TcpStream>);

impl Reader {
    /// A reader of a connection.
    pub fn new(stream: TcpStream) -> Self {
        Reader(BufReader::new(stream))
    }

    /// The next message; None when the other side has closed.
    ///
    /// # Errors
    /// What the connection answers, and a message of another form or too long.
    pub fn read<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        self.read_up_to(LONGEST)
    }

    fn read_up_to<T: DeserializeOwned>(&mut self, longest: u64) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        self.0.by_ref().take(longest).read_until(b'\n', &mut line)?;
        parse(&line)
    }

    /// The first message, which must be whole at this time, however slowly it comes.
    ///
    /// # Errors
    /// As [`Reader::read`], and that it was not whole.
    pub fn read_hello(&mut self, deadline: Instant) -> io::Result<Option<Hello>> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') && line.len() < LONGEST_HELLO {
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would mean for ever.
            self.0.get_ref().set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let more = match self.0.fill_buf() {
                Ok(more) if !left.is_zero() => more,
                Err(error) if !is_timeout(&error) => return Err(error),
                Ok(_) | Err(_) => return Err(io::Error::other("there was no whole hello in time")),
            };
            let end = more.iter().position(|byte| *byte == b'\n').map_or(more.len(), |at| at + 1);
            line.extend_from_slice(&more[..end]);
            self.0.consume(end);
            if end == 0 {
                break;
            }
        }
        parse(&line)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<Option<T>> {
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(io::Error::other("a message that was cut off, or is too long"));
    }
    let message = serde_json::from_slice(line);
    message.map(Some).map_err(|error| io::Error::other(format!("a message of another form: {error}")))
}
