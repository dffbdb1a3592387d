//! What goes to addresses that never proved themselves, in `auto`: all of it within the cap, each one's within its budget.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::limits::{BUDGET_FACTOR, BUDGET_GRANT, EGRESS_CHUNKS};
use engine::{Admission, Stance};
use net::Run;

use crate::model::PeerIndex;
use crate::network::Map;

/// The account of a relay.
pub struct Ledger {
    admission: Arc<Admission>,
    began: Duration,
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

#[derive(Clone, Copy, Default)]
struct Account {
    said: u64,
    heard: u64,
}

impl Ledger {
    /// Of a relay that starts now.
    pub fn new(admission: Arc<Admission>, began: Duration) -> Self {
        let longest = Run::MAX_BYTES + Run::MAX_DATAGRAMS * 48;
        Self {
            admission,
            began,
            sent: 0,
            overdraft: longest as u64,
            guarded: None,
            accounts: Map::default(),
            recent: Vec::new(),
        }
    }

    /// A turn begins at this time, in milliseconds.
    pub fn begin_turn(&mut self, now: u64) {
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

    /// Sends somebody who never proved itself what was taken at this time, in milliseconds; none if it is no member.
    ///
    /// # Errors
    /// What that is too much for.
    pub fn send(
        &mut self,
        peer: PeerIndex,
        to: SocketAddr,
        len: usize,
        taken: Option<u64>,
        now: Duration,
    ) -> Result<(), String> {
        let bytes = cost(to, len);
        self.sent += bytes;
        let time = now.saturating_sub(self.began) + Duration::from_secs(1);
        let rate = self.admission.egress_limit();
        let overdraft = self.overdraft.max(rate / EGRESS_CHUNKS);
        let most = time.as_secs_f64() * rate as f64 + overdraft as f64;
        if self.sent as f64 > most {
            return Err(format!("{} bytes went to the unproved, {most:.0} at most", self.sent));
        }
        let alarm = self.alarm();
        if self
            .guarded
            .is_some_and(|(since, own)| taken.is_some_and(|taken| taken > since) && alarm == Some(own))
        {
            let account = self.accounts.entry(peer).or_default();
            account.heard += bytes;
            let most = BUDGET_GRANT + BUDGET_FACTOR * account.said;
            if account.heard > most {
                return Err(format!("it has heard {} bytes, {most} at most", account.heard));
            }
        }
        Ok(())
    }

    /// Which alarm it is that makes the relay guarded now. It may end and begin within a turn.
    fn alarm(&self) -> Option<u64> {
        let standing = self.admission.standing();
        (standing.stance == Stance::Guarded).then_some(standing.alarms)
    }
}

/// IP bytes of a datagram.
fn cost(peer: SocketAddr, len: usize) -> u64 {
    len as u64 + if peer.is_ipv4() { 28 } else { 48 }
}
