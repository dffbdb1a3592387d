//! How the rest of the process speaks to a shard: the latest news of each kind, so that nothing can fill up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::Settings;
use net::Waker;

/// What a shard can be told. Later news replaces earlier news that was not read yet.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Settings have changed.
    pub settings: Option<Arc<Settings>>,
    /// The process has given up most system calls: give up what a shard does not need.
    pub sealed: bool,
    /// Send what was taken and stop.
    pub stop: bool,
}

/// The shard's end.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Shared>);

/// The end of whoever tells a shard something.
#[derive(Clone)]
pub struct Postbox {
    shared: Arc<Shared>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Shared {
    /// Looked at every turn, so that the lock is taken only when there is something to read.
    unread: AtomicBool,
    news: Mutex<News>,
}

impl Inbox {
    /// The other end; `waker` is that of the shard's driver.
    pub fn postbox(&self, waker: Waker) -> Postbox {
        Postbox { shared: Arc::clone(&self.0), waker }
    }

    /// What has come since it was last read.
    pub fn read(&self) -> Option<News> {
        if !self.0.unread.load(Ordering::Relaxed) {
            return None;
        }
        let mut news = self.0.news.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.unread.store(false, Ordering::Relaxed);
        Some(std::mem::take(&mut news))
    }
}

impl Postbox {
    /// True if the shard has read what was posted last: it has turned since.
    pub fn is_read(&self) -> bool {
        !self.shared.unread.load(Ordering::Relaxed)
    }

    /// What wakes the shard.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Posts news and wakes the shard.
    pub fn post(&self, more: &News) {
        let mut news = self.shared.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.settings = more.settings.clone().or_else(|| news.settings.take());
        news.sealed |= more.sealed;
        news.stop |= more.stop;
        self.shared.unread.store(true, Ordering::Relaxed);
        drop(news);
        self.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_of_one_kind_does_not_replace_another() {
        let inbox = Inbox::default();
        let postbox = inbox.postbox(Waker::new().unwrap());
        assert!(inbox.read().is_none() && postbox.is_read());
        postbox.post(&News { settings: Some(Arc::default()), ..News::default() });
        postbox.post(&News { stop: true, ..News::default() });
        assert!(!postbox.is_read());
        let news = inbox.read().unwrap();
        assert!(postbox.is_read());
        assert!(news.settings.is_some() && news.stop);
        assert!(inbox.read().is_none());
    }
}
