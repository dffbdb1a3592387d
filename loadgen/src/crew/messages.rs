//! What a loadgen and its workers say to each other: JSON, one message a line, over TCP.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Facts, News};
use crate::plan::{Plan, Share};

/// The version of these messages; both sides must have the same.
pub const VERSION: u32 = 1;

/// No message is longer, in bytes: an outcome with a thousand pieces has a tenth of it.
const LONGEST: u64 = 64 << 20;

/// The first message, which says what to do. Also its longest form: a few hundred bytes.
pub const LONGEST_HELLO: u64 = 64 << 10;

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

    /// The next message, of so many bytes at most.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_up_to<T: DeserializeOwned>(&mut self, longest: u64) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        self.0.by_ref().take(longest).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(io::Error::other("a message that was cut off, or is too long"));
        }
        Ok(Some(serde_json::from_slice(&line)?))
    }
}
