//! What waits for the store's thread: as much as fits, and no asker ever waits for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::limits;
use crate::request::Request;

/// Too much waits already. Nothing was done; ask again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store has too much to do")]
pub struct Busy;

/// A request, and its asker's tag.
pub struct Asked {
    pub tag: u64,
    pub request: Request,
}

/// Where requests go in.
pub struct Entrance {
    sender: Sender<Asked>,
    waiting: Arc<Waiting>,
}

/// Where they come out.
pub struct Exit {
    receiver: Receiver<Asked>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// An empty queue.
pub fn queue() -> (Entrance, Exit) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(Waiting::default());
    (Entrance { sender, waiting: Arc::clone(&waiting) }, Exit { receiver, waiting })
}

impl Entrance {
    /// Never waits.
    pub fn push(&self, tag: u64, request: Request) -> Result<(), Busy> {
        let bytes = request.bytes();
        if !self.waiting.enter(bytes) {
            return Err(Busy);
        }
        self.sender.send(Asked { tag, request }).map_err(|_| Busy)
    }

    /// Requests that wait.
    pub fn len(&self) -> usize {
        self.waiting.requests.load(Ordering::Relaxed)
    }
}

impl Exit {
    /// Waits for a request, or for so long, and takes whatever else waits, up to the bounds of a batch. `None`: nobody will
    /// ask again.
    pub fn take(&self, patience: Duration) -> Option<Vec<Asked>> {
        let first = match self.receiver.recv_timeout(patience) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        let mut bytes = first.request.bytes();
        let mut batch = vec![first];
        while batch.len() < limits::BATCH_REQUESTS && bytes < limits::BATCH_BYTES {
            let Ok(asked) = self.receiver.try_recv() else { break };
            bytes += asked.request.bytes();
            batch.push(asked);
        }
        self.waiting.leave(batch.len(), bytes);
        Some(batch)
    }
}

impl Waiting {
    fn enter(&self, bytes: usize) -> bool {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        let others = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = requests < limits::QUEUE_REQUESTS && others + bytes <= limits::QUEUE_BYTES;
        if !fits {
            self.leave(1, bytes);
        }
        fits
    }

    fn leave(&self, requests: usize, bytes: usize) {
        self.requests.fetch_sub(requests, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(bytes: usize) -> Request {
        let from = crate::Name { key: "a".into(), shown: "a".into() };
        Request::Put {
            to: "b".into(),
            from,
            site: None,
            id: "1".into(),
            now: 0,
            bytes: vec![0; bytes].into(),
        }
    }

    #[test]
    fn as_many_fit_as_may_wait_and_room_comes_back() {
        let (entrance, exit) = queue();
        for tag in 0..limits::QUEUE_REQUESTS as u64 {
            entrance.push(tag, Request::Sweep { now: 0 }).unwrap();
        }
        assert_eq!(entrance.push(0, Request::Sweep { now: 0 }), Err(Busy));
        assert_eq!(exit.take(Duration::MAX).unwrap().len(), limits::BATCH_REQUESTS);
        assert_eq!(entrance.len(), limits::QUEUE_REQUESTS - limits::BATCH_REQUESTS);
        entrance.push(0, Request::Sweep { now: 0 }).unwrap();
    }

    #[test]
    fn as_many_bytes_fit_as_may_wait_and_a_batch_ends_with_its_own() {
        let (entrance, exit) = queue();
        let pushed = (0..64).take_while(|tag| entrance.push(*tag, mail(1 << 20)).is_ok()).count();
        assert_eq!(pushed, 15, "16 MiB, and each has a name and a place in the queue, too");
        assert_eq!(exit.take(Duration::MAX).unwrap().len(), 4);
        assert_eq!(entrance.len(), 11);
        assert_eq!(entrance.push(0, mail(limits::QUEUE_BYTES)), Err(Busy), "that never fits");
    }
}
