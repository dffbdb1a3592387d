//! The protocol's words about proofs as a program: who is proved, who is asked, and how the relay stands to the others.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use engine::{Stance, Treatment};

use crate::oracle::Rules;
use crate::steps::OWN_PORT;

/// What an operator chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Open,
    Auto,
    Strict,
}

/// What stands behind the group of a JOIN, or behind CREATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    None,
    Cookie(String),
    Other,
}

/// In milliseconds: how long a cookie is new, and the calm that ends an alarm.
const EPOCH: u64 = 30_000;
const CALM: u64 = 10_000;

/// Wrong ids that may be tried at once, and the milliseconds in which one more comes: by a prefix, by an unproved address of
/// it, by a proved client.
const OF_PREFIX: (u64, u64) = (600, 100);
const OF_ADDRESS: (u64, u64) = (30, 1000);
const OF_CLIENT: (u64, u64) = (3, 30_000);

pub struct Proofs {
    pub stance: Stance,
    /// No alarm before.
    grace: u64,
    /// What each client was told, and in which epoch.
    told: BTreeMap<(SocketAddr, u64), String>,
    /// Of whoever has guessed: what is left in milliseconds, and when that was.
    guesses: BTreeMap<Guesser, (u64, u64)>,
    /// What the bucket of all unproved members holds, in thousandths of bytes, and when that was.
    level: i64,
    as_of: u64,
    /// When the last look was, and since when all is calm: nobody here asks the budgets for anything.
    looked: u64,
    calm: Option<u64>,
}

impl Proofs {
    pub fn new(rules: &Rules) -> Self {
        let (told, guesses) = (BTreeMap::new(), BTreeMap::new());
        let level = i64::MAX;
        let stance = Stance::Peace;
        let mut proofs = Self { stance, grace: 0, told, guesses, level, as_of: 0, looked: 0, calm: None };
        proofs.configure(rules);
        proofs
    }

    pub fn configure(&mut self, rules: &Rules) {
        self.grace = 2 * rules.heartbeat;
        self.stance = match rules.mode {
            Mode::Open => Stance::Open,
            Mode::Strict => Stance::Strict,
            Mode::Auto if self.stance == Stance::Guarded => Stance::Guarded,
            Mode::Auto => Stance::Peace,
        };
    }

    /// About once a second somebody looks whether the attack is over.
    pub fn look(&mut self, rules: &Rules, now: u64) {
        let passed = now - self.looked;
        if passed < 1000 {
            return;
        }
        self.looked = now;
        if self.stance != Stance::Guarded {
            self.calm = None;
            return;
        }
        self.calm.get_or_insert(now);
        if self.calm.is_some_and(|since| now - since >= CALM.max(rules.heartbeat)) {
            (self.calm, self.stance) = (None, Stance::Peace);
        }
    }

    /// True if this client has to be proved before it joins: in peace whoever may be a service.
    pub fn asks(&self, client: SocketAddr) -> bool {
        match self.stance {
            Stance::Open => false,
            Stance::Peace => client.port() == OWN_PORT || client.port() < 1024,
            Stance::Guarded | Stance::Strict => true,
        }
    }

    /// The relay has told a client this cookie.
    pub fn tell(&mut self, client: SocketAddr, cookie: &str, now: u64) {
        assert!(proof_of(cookie) == Proof::Cookie(cookie.to_owned()), "{cookie} is no cookie");
        let known = self.told.entry((client, now / EPOCH)).or_insert_with(|| cookie.to_owned());
        assert_eq!(known, cookie, "one cookie for each epoch");
        let same = self.told.values().filter(|other| *other == cookie).count();
        assert_eq!(same, 1, "nobody else's, and no earlier one");
    }

    /// What a client was told last, or of all others the first.
    pub fn told(&self, client: SocketAddr, own: bool) -> Option<&String> {
        if own {
            return self.told.range((client, 0)..=(client, u64::MAX)).next_back().map(|(_, cookie)| cookie);
        }
        self.told.iter().find(|((other, _), _)| *other != client).map(|(_, cookie)| cookie)
    }

    /// True for the cookie of this epoch or the last.
    pub fn is_valid(&self, proof: &Proof, client: SocketAddr, now: u64) -> bool {
        let epoch = now / EPOCH;
        let known = |epoch| self.told.get(&(client, epoch));
        let Proof::Cookie(cookie) = proof else { return false };
        known(epoch) == Some(cookie) || epoch > 0 && known(epoch - 1) == Some(cookie)
    }

    /// True if a client has tried too many wrong ids lately, and its prefix has.
    pub fn is_guessing(&self, client: SocketAddr, proved: bool, now: u64) -> bool {
        let is_empty = |(guesser, rate): (_, (u64, u64))| self.left(guesser, rate, now) < rate.1;
        self.is_limited(client) && guessers(client, proved).into_iter().all(is_empty)
    }

    pub fn note_guess(&mut self, client: SocketAddr, proved: bool, now: u64) {
        if !self.is_limited(client) {
            return;
        }
        // The second pays when the first cannot. What those behind one address may guess together is more than a case has.
        for (guesser, rate) in guessers(client, proved) {
            if let Some(left) = self.left(guesser, rate, now).checked_sub(rate.1) {
                self.guesses.insert(guesser, (left, now));
                return;
            }
        }
    }

    fn left(&self, guesser: Guesser, (burst, interval): (u64, u64), now: u64) -> u64 {
        let most = burst * interval;
        self.guesses.get(&guesser).map_or(most, |(left, then)| (left + now - then).min(most))
    }

    fn is_limited(&self, client: SocketAddr) -> bool {
        self.stance != Stance::Open && !is_trusted(client)
    }

    /// How the unproved members of a group are treated that a payload of so many IP bytes in all is for.
    pub fn treat(&mut self, rules: &Rules, bytes: u64, now: u64) -> Treatment {
        match self.stance {
            Stance::Open => Treatment::Served,
            Stance::Strict => Treatment::Refused,
            Stance::Guarded => Treatment::Budgeted,
            Stance::Peace => {
                if self.pay(rules, bytes, now) {
                    return Treatment::Served;
                }
                if now >= self.grace {
                    self.stance = Stance::Guarded;
                }
                Treatment::OverCap
            }
        }
    }

    /// What an unproved member is answered counts in the cap; with nothing it is no answer.
    pub fn answer(&mut self, rules: &Rules, client: SocketAddr, len: Option<usize>, now: u64) {
        let headers = if client.is_ipv4() { 28 } else { 48 };
        if let (Some(len), Stance::Peace) = (len, self.stance) {
            self.treat(rules, len as u64 + headers, now);
        }
    }

    /// The last payment may overdraw the bucket.
    fn pay(&mut self, rules: &Rules, bytes: u64, now: u64) -> bool {
        if bytes == 0 {
            return true;
        }
        let (rate, passed) = (rules.egress as i64, (now - self.as_of) as i64);
        self.level = self.level.saturating_add(rate * passed).min(1000 * rate);
        self.as_of = now;
        let has_some = self.level > 0;
        if has_some {
            self.level -= 1000 * bytes as i64;
        }
        has_some
    }
}

/// Loopback, by default.
pub fn is_trusted(client: SocketAddr) -> bool {
    client.ip().is_loopback()
}

/// Whose wrong ids are counted: proved or not, a prefix or not, and with which port.
type Guesser = (bool, bool, IpAddr, u16);

/// Who a wrong id is charged to: the prefix, and a client that shows its cookie, or else its IPv4 address or /64.
fn guessers(client: SocketAddr, proved: bool) -> [(Guesser, (u64, u64)); 2] {
    let prefix = match client.ip() {
        IpAddr::V4(v4) => IpAddr::from((v4.to_bits() >> 8 << 8).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() >> 64 << 64).to_be_bytes()),
    };
    let host = if client.is_ipv4() { client.ip() } else { prefix };
    let (ip, port, rate) = match proved {
        true => (client.ip(), client.port(), OF_CLIENT),
        false => (host, 0, OF_ADDRESS),
    };
    [((proved, true, prefix, 0), OF_PREFIX), ((proved, false, ip, port), rate)]
}

/// A text behind a group, or behind CREATE, in capitals.
pub fn proof_of(text: &str) -> Proof {
    let is_letter = |char: char| char.is_ascii_uppercase() && char != 'O' || ('1'..='9').contains(&char);
    match text {
        _ if text.chars().count() == 16 && text.chars().all(is_letter) => Proof::Cookie(text.to_owned()),
        _ => Proof::Other,
    }
}
