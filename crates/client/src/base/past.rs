//! Requests that are answered or given up, whose late and surplus answers may still arrive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::Reply;

use super::Request;
use super::request::Asked;

/// How long an answer may be late.
const MEMORY: Duration = Duration::from_secs(5);
/// How many requests are remembered.
const REMEMBERED: usize = 8;

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Past {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    request: Request,
    outcome: Option<Reply>,
    /// Sendings whose answers have not come.
    unanswered: u32,
    forget_at: Instant,
}

/// How a reply that answers nothing on its way fits to the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Nobody asked for it.
    Unasked,
    /// The answer to this request, or to a repetition of it.
    Expected(Request),
    /// One answer too many, and it says something else than the first.
    Contradicts(Request, Reply),
}

impl Past {
    /// Remembers a request, with its outcome if it was answered.
    pub(super) fn retire(&mut self, asked: Option<Asked>, outcome: Option<Reply>, now: Instant) {
        let Some(asked) = asked else { return };
        let unanswered = asked.sent - u32::from(outcome.is_some());
        self.entries.truncate(REMEMBERED - 1);
        self.entries.push_front(Entry {
            request: asked.request,
            outcome,
            unanswered,
            forget_at: now + MEMORY,
        });
    }

    /// Looks for the youngest request that this reply could belong to.
    pub(super) fn judge(&mut self, reply: Reply, now: Instant) -> Late {
        self.entries.retain(|entry| now < entry.forget_at);
        let mut surplus = Late::Unasked;
        for entry in self.entries.iter_mut().filter(|entry| entry.request.is_answered_by(reply)) {
            if entry.unanswered > 0 {
                entry.unanswered -= 1;
                return Late::Expected(entry.request);
            }
            if let (Late::Unasked, Some(first)) = (surplus, entry.outcome)
                && first != reply
            {
                surplus = Late::Contradicts(entry.request, first);
            }
        }
        surplus
    }
}
