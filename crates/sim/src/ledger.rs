//! What goes to addresses that never proved themselves, in `auto`: all of it within the cap, each one's within its budget.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::limits::{BUDGET_FACTOR, BUDGET_GRANT, EGRESS_CHUNKS, ICMP_MEMORY};
use engine::{Admission, Stance};
use net::Run;

use crate::model::PeerIndex;
use crate::network::Map;

/// The account of a relay.
pub struct Ledger {
    admission: Arc<Admission>,
    /// IP bytes a second that may be sent, as of when, and what that comes to since the start, with the bursts.
    rate: u64,
    as_of: Duration,
    allowed: f64,
    /// IP bytes.
    sent: u64,
    /// What one payment may take beyond what there is.
    overdraft: u64,
    /// Since when the relay is guarded, in milliseconds, if it is, and for which time.
    guarded: Option<(u64, u64)>,
    accounts: Map<PeerIndex, Account>,
    /// What was taken in the turn that is under way: the relay may have become guarded before it.
    recent: Vec<(PeerIndex, u64)>,
}

/// What a member has sent and was sent, in IP bytes.
#[derive(Clone, Copy, Default)]
struct Account {
    said: u64,
    heard: u64,
    /// What it has lost because somebody said that nobody is there.
    lost: u64,
    /// The beginning of the turn in which it was last sent something, in milliseconds.
    sent: u64,
}

impl Ledger {
    /// Of a relay that starts now.
    pub fn new(admission: Arc<Admission>, began: Duration) -> Self {
        let longest = Run::MAX_BYTES + Run::MAX_DATAGRAMS * 48;
        Self {
            rate: admission.egress_limit(),
            as_of: began,
            allowed: admission.egress_limit() as f64,
            admission,
            sent: 0,
            overdraft: longest as u64,
            guarded: None,
            accounts: Map::default(),
            recent: Vec::new(),
        }
    }

    /// Time has passed; a reload may have changed the cap, and a bucket of the new size may be full.
    fn pass_to(&mut self, now: Duration) {
        let (time, rate) = (now.saturating_sub(self.as_of), self.admission.egress_limit());
        self.allowed += time.as_secs_f64() * rate.max(self.rate) as f64;
        if rate != self.rate {
            self.allowed += rate as f64;
        }
        (self.rate, self.as_of) = (rate, now.max(self.as_of));
    }

    /// A turn begins at this time, in milliseconds.
    pub fn begin_turn(&mut self, now: u64) {
        self.pass_to(Duration::from_millis(now));
        let alarm = self.alarm();
        if self.guarded.map(|(_, alarm)| alarm) != alarm {
            self.accounts.clear();
            self.guarded = alarm.map(|alarm| (now, alarm));
            self.recent
                .iter()
                .for_each(|(peer, bytes)| self.accounts.entry(*peer).or_default().said += bytes);
        }
        self.recent.clear();
    }

    /// A peer has said something, which so many get.
    pub fn take(&mut self, peer: PeerIndex, source: SocketAddr, len: usize, copies: u64) {
        let bytes = cost(source, len);
        self.recent.push((peer, bytes));
        self.accounts.entry(peer).or_default().said += bytes;
        self.overdraft = self.overdraft.max(copies * (len as u64 + 48));
    }

    /// Sends somebody who never proved itself what was taken at this time, in a turn that has begun at that one, both in
    /// milliseconds.
    ///
    /// # Errors
    /// What that is too much for.
    pub fn send(
        &mut self,
        peer: PeerIndex,
        to: SocketAddr,
        len: usize,
        (taken, turn): (u64, u64),
        now: Duration,
    ) -> Result<(), String> {
        let bytes = cost(to, len);
        self.sent += bytes;
        self.pass_to(now);
        let most = self.allowed + self.overdraft.max(self.rate / EGRESS_CHUNKS) as f64;
        if self.sent as f64 > most {
            return Err(format!("{} bytes went to the unproved, {most:.0} at most", self.sent));
        }
        if self.is_guarded_since(taken) {
            let account = self.accounts.entry(peer).or_default();
            account.heard += bytes;
            account.sent = turn;
            if account.heard > account.most() {
                return Err(format!("it has heard {} bytes, {} at most", account.heard, account.most()));
            }
        }
        Ok(())
    }

    /// Somebody says, at this time, that nobody is there.
    pub fn shrink(&mut self, peer: PeerIndex, now: u64) {
        if !self.is_guarded_since(u64::MAX) {
            return;
        }
        if let Some(account) = self.accounts.get_mut(&peer).filter(|account| account.heard > 0)
            && now.saturating_sub(account.sent) < ICMP_MEMORY.as_millis() as u64
        {
            account.lost += account.most().saturating_sub(account.heard).div_ceil(2);
        }
    }

    /// True if the relay is guarded, and for as long as since a turn before this one.
    fn is_guarded_since(&self, taken: u64) -> bool {
        self.guarded.is_some_and(|(since, own)| taken > since && self.alarm() == Some(own))
    }

    /// Which alarm it is that makes the relay guarded now. It may end and begin within a turn.
    fn alarm(&self) -> Option<u64> {
        let standing = self.admission.standing();
        (standing.stance == Stance::Guarded).then_some(standing.alarms)
    }
}

impl Account {
    fn most(&self) -> u64 {
        BUDGET_GRANT + BUDGET_FACTOR * self.said - self.lost
    }
}

/// IP bytes of a datagram.
fn cost(peer: SocketAddr, len: usize) -> u64 {
    len as u64 + if peer.is_ipv4() { 28 } else { 48 }
}
