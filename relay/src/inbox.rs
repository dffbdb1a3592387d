//! How the rest of the process speaks to a shard: one bounded inbox each.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use engine::{OwnAddresses, Settings};
use net::Waker;

use crate::limits::INBOX;

/// What a shard can be told.
#[derive(Clone, Debug)]
pub enum Control {
    /// Settings have changed.
    Reload(Arc<Settings>),
    /// The relay's own addresses have changed.
    OwnAddresses(Arc<OwnAddresses>),
    /// Send what is queued and stop.
    Stop,
}

/// The sender's end of a shard's inbox.
#[derive(Clone)]
pub struct Postbox {
    sender: SyncSender<Control>,
    waker: Waker,
}

/// The shard has not read its inbox for long, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shard does not read its inbox")]
pub struct Unread;

/// Makes an inbox; the waker is that of the shard's driver.
pub fn inbox(waker: Waker) -> (Postbox, Receiver<Control>) {
    let (sender, receiver) = sync_channel(INBOX);
    (Postbox { sender, waker }, receiver)
}

impl Postbox {
    /// Posts a message and wakes the shard.
    ///
    /// # Errors
    /// [`Unread`] if the inbox is full or its shard has ended.
    pub fn post(&self, message: Control) -> Result<(), Unread> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Unread,
        })?;
        self.waker.wake();
        Ok(())
    }
}
