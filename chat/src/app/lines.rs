//! Lines of the input, read one at a time, when they are wanted.

use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::thread::{self, JoinHandle};

use chat::Place;
use wire::MAX_DATAGRAM;

use super::post::Wake;

/// More of a line than this is not kept: enough to see that it is too long.
const MAX_LINE: usize = 16 * MAX_DATAGRAM;

/// A thread that reads lines.
pub struct Lines {
    asks: Option<Sender<Place>>,
    thread: Option<JoinHandle<()>>,
    /// What the prompt says at which a line is waited for.
    prompt: Option<Place>,
}

impl Lines {
    /// No input.
    pub fn none() -> Self {
        Self { asks: None, thread: None, prompt: None }
    }

    /// The lines of the standard input; the prompts are not shown.
    pub fn of_stdin(wakes: SyncSender<Wake>) -> Self {
        Self::of(move |prompts| {
            let mut input = io::stdin().lock();
            for _ in prompts {
                let line = read_line(&mut input).ok().flatten();
                let ended = line.is_none();
                if wakes.send(line.map_or(Wake::End, Wake::Line)).is_err() || ended {
                    return;
                }
            }
        })
    }

    /// A thread that answers each prompt by a line.
    pub fn of(read: impl FnOnce(Receiver<Place>) + Send + 'static) -> Self {
        let (asks, prompts) = channel();
        let thread = thread::spawn(move || read(prompts));
        Self { asks: Some(asks), thread: Some(thread), prompt: None }
    }

    /// Asks for a line, unless one is asked for already.
    pub fn ask(&mut self, prompt: Place) {
        if let Some(asks) = &self.asks
            && self.prompt.is_none()
        {
            // Nobody reads after the end of the input, and nothing needs to.
            self.prompt = asks.send(prompt.clone()).is_ok().then_some(prompt);
        }
    }

    /// The line that was asked for has come: what the prompt said.
    pub fn answered(&mut self) -> Place {
        self.prompt.take().unwrap_or_default()
    }

    /// Ends the thread, unless it is waiting for a line: that wait nothing can end.
    pub fn stop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take()
            && self.prompt.is_none()
        {
            let _ = thread.join();
        }
    }
}

/// A line without its end, cut at [`MAX_LINE`]; nothing at the end of the input.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let read = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read.is_empty() {
            return Ok((!line.is_empty()).then_some(line));
        }
        let end = read.iter().position(|&byte| byte == b'\n');
        let part = &read[..end.unwrap_or(read.len())];
        line.extend_from_slice(&part[..part.len().min(MAX_LINE - line.len())]);
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Vec<u8>> {
        let mut input = io::BufReader::with_capacity(7, input);
        std::iter::from_fn(|| read_line(&mut input).unwrap()).collect()
    }

    #[test]
    fn line_ends() {
        assert_eq!(lines(b"one\ntwo is longer\r\n\nlast"), [&b"one"[..], b"two is longer", b"", b"last"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn an_endless_line_is_cut() {
        let long = [vec![b'x'; MAX_LINE * 3], b"\nnext".to_vec()].concat();
        let lines = lines(&long);
        assert_eq!((lines[0].len(), &lines[1][..]), (MAX_LINE, &b"next"[..]));
    }
}
