//! One client, by the rules of the original: it joins, speaks, keeps its membership alive, and believes what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use wire::{GroupId, Refusal, Reply};

use crate::world::World;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Joins, and speaks.
    Talker,
    /// Joins, and only listens.
    Listener,
    /// Joins, and is never heard of again.
    Mute,
    /// Makes groups, moves between them, asks who is there.
    Wanderer,
    /// Sends what no client should.
    Fool,
}

/// Where a client believes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// In no group.
    Outside,
    /// It has asked to join one.
    Asked(GroupId),
    /// In this group.
    Inside(GroupId),
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Where it speaks from.
    pub address: SocketAddr,
    /// The relay's address that it speaks to, under a wildcard.
    pub local: Option<std::net::IpAddr>,
    /// Its number.
    pub number: usize,
    /// How it behaves.
    pub kind: Kind,
    /// Where it believes to be.
    pub belief: Belief,
    /// When its last request was made, and whether there was any answer since.
    pub asked: Option<Duration>,
    /// When it was last told why it may not join: there is no room, or no such group.
    pub refused: Option<Duration>,
    /// What it has heard of the others when everyone was to say something.
    pub probes: Vec<usize>,
    /// Its timer: entries of others than the last one are out of date.
    pub timer: u64,
    heartbeat: Duration,
    next_beat: Duration,
    next_word: Duration,
    words: u64,
    /// What it was told to repeat.
    proof: Option<String>,
}

/// What all clients know.
pub struct Hearsay {
    /// Ids of groups, first those of the configuration, which are never forgotten.
    pub groups: Vec<GroupId>,
    /// How many of them are those of the configuration.
    pub declared: usize,
    /// Mean time between two words of a talker.
    pub talk: Duration,
    /// Lengths of payloads.
    pub sizes: Vec<usize>,
    /// Everyone behaves from now on.
    pub is_calm: bool,
    /// Nobody joins any more.
    pub is_closed: bool,
}

/// Groups that clients remember, at most.
const REMEMBERED: usize = 40;

/// The shortest heartbeat that a client keeps to, whatever a damaged answer says: half of what a reload can set. The
/// original's client never goes under a second.
const FASTEST: Duration = Duration::from_millis(50);

/// How long a client waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(1);

impl Client {
    /// A client that has not said anything yet.
    pub fn new(number: usize, address: SocketAddr, kind: Kind, heartbeat: Duration) -> Self {
        Self {
            address,
            local: None,
            number,
            kind,
            belief: Belief::Outside,
            asked: None,
            refused: None,
            probes: Vec::new(),
            timer: 0,
            heartbeat,
            next_beat: Duration::ZERO,
            next_word: Duration::ZERO,
            words: 0,
            proof: None,
        }
    }

    /// Its timer: what it says now, and when it wants to be asked again.
    pub fn act(&mut self, world: &World, hearsay: &mut Hearsay) -> (Vec<Vec<u8>>, Duration) {
        let now = world.now();
        if self.kind == Kind::Fool && !hearsay.is_calm {
            return (vec![nonsense(world, hearsay)], now + self.pause(world, hearsay));
        }
        match self.belief {
            Belief::Outside | Belief::Asked(_) if hearsay.is_closed => (Vec::new(), now + PATIENCE),
            Belief::Outside | Belief::Asked(_) => (vec![self.ask(world, hearsay)], now + PATIENCE),
            // It has gone, and nobody was told.
            Belief::Inside(_) if self.kind == Kind::Mute && !hearsay.is_calm => {
                (Vec::new(), now + 20 * self.heartbeat)
            }
            Belief::Inside(group) => (self.stay(group, world, hearsay), self.next_beat.min(self.next_word)),
        }
    }

    /// A payload of its own, for a burst or a probe.
    pub fn word(&mut self, world: &World, hearsay: &Hearsay) -> Vec<u8> {
        self.words += 1;
        let mut word = format!(".{} {} ", self.number, self.words).into_bytes();
        let size = *world.pick(&hearsay.sizes);
        word.resize(word.len().max(size), b'x');
        word
    }

    /// Hears a datagram. True if it has something to do about it, soon.
    pub fn hear(&mut self, bytes: &[u8], world: &World, hearsay: &mut Hearsay) -> bool {
        if let Some(sender) = bytes.strip_prefix(b"?") {
            self.probes.extend(std::str::from_utf8(sender).ok().and_then(|text| text.parse::<usize>().ok()));
            return false;
        }
        let Some(reply) = Reply::parse(bytes) else { return false };
        self.asked = None;
        match reply {
            Reply::Joined(group) => {
                self.belief = Belief::Inside(group);
                self.next_beat =
                    world.now() + if self.asks_at_once(hearsay) { Duration::ZERO } else { self.heartbeat };
                self.next_word = world.now() + self.pause(world, hearsay);
                true
            }
            Reply::Left(_) => self.is_out(),
            Reply::Pong(hint) => {
                self.heartbeat = Duration::from_millis(hint.0).max(FASTEST);
                let last = self.next_beat;
                self.next_beat = last.min(world.now() + self.heartbeat);
                // Its timer was set for the longer one.
                self.next_beat < last && matches!(self.belief, Belief::Inside(_))
            }
            Reply::Created(group) => {
                if hearsay.groups.len() < REMEMBERED {
                    hearsay.groups.push(group);
                } else {
                    let at = hearsay.declared + world.below((REMEMBERED - hearsay.declared) as u64) as usize;
                    hearsay.groups[at] = group;
                }
                false
            }
            Reply::Refused(Refusal::Retry(cookie)) => {
                self.proof = Some(cookie.to_string());
                matches!(self.belief, Belief::Asked(_))
            }
            Reply::Refused(Refusal::NotJoined) => self.is_out(),
            Reply::Refused(Refusal::GroupFull(_) | Refusal::ServerFull) => {
                self.refused = Some(world.now());
                false
            }
            Reply::Refused(Refusal::NoSuchGroup) => {
                self.refused = Some(world.now());
                if let Belief::Asked(gone) = self.belief {
                    let declared = hearsay.declared;
                    let mut at = 0..hearsay.groups.len();
                    hearsay
                        .groups
                        .retain(|group| at.next().is_some_and(|at| at < declared) || *group != gone);
                }
                false
            }
            Reply::Who(..) | Reply::Hello(..) | Reply::Refused(_) => false,
        }
    }

    /// Asks for the heartbeat when next there is time: what it has heard may be out of date, or damaged.
    pub fn behave(&mut self, now: Duration) {
        self.next_beat = now;
    }

    /// The original's client keeps to the heartbeat that it last heard of, and is swept for ever if that is three times the
    /// relay's; ours asks whenever it has joined. In calm all do.
    fn asks_at_once(&self, hearsay: &Hearsay) -> bool {
        hearsay.is_calm || self.number.is_multiple_of(2)
    }

    fn is_out(&mut self) -> bool {
        self.belief = Belief::Outside;
        true
    }

    fn ask(&mut self, world: &World, hearsay: &Hearsay) -> Vec<u8> {
        self.asked = Some(world.now());
        if let (Some(proof), Belief::Asked(group)) = (self.proof.take(), self.belief) {
            return format!("!JOIN {group} {proof}").into_bytes();
        }
        let group = *world.pick(&hearsay.groups);
        self.belief = Belief::Asked(group);
        format!("!JOIN {group}").into_bytes()
    }

    fn stay(&mut self, group: GroupId, world: &World, hearsay: &mut Hearsay) -> Vec<Vec<u8>> {
        let (now, mut said) = (world.now(), Vec::new());
        if now >= self.next_word {
            self.next_word = now + self.pause(world, hearsay);
            if self.kind == Kind::Wanderer && !hearsay.is_calm {
                said.push(self.wander(group, world, hearsay));
            } else if self.kind != Kind::Listener {
                said.push(self.word(world, hearsay));
            }
        }
        if now >= self.next_beat {
            // The original's jitter.
            self.next_beat = now + self.heartbeat.mul_f64(0.9 + world.below(100) as f64 / 1000.0);
            self.asked = Some(now);
            said.push(b"!PING".to_vec());
        }
        said
    }

    fn wander(&mut self, group: GroupId, world: &World, hearsay: &Hearsay) -> Vec<u8> {
        match world.below(8) {
            0 => b"!CREATE".to_vec(),
            1 => b"!WHO".to_vec(),
            2 => format!("!LEAVE {group}").into_bytes(),
            3 => format!("!LEAVE {}", world.pick(&hearsay.groups)).into_bytes(),
            4 | 5 => format!("!JOIN {}", world.pick(&hearsay.groups))
                .to_lowercase()
                .replace("!join", "!JOIN")
                .into(),
            _ => self.word(world, hearsay),
        }
    }

    fn pause(&self, world: &World, hearsay: &Hearsay) -> Duration {
        // Exponential, so that there are bursts and silences.
        let share = (1 + world.below(1_000_000)) as f64 / 1e6;
        hearsay.talk.mul_f64(-share.ln()).max(Duration::from_micros(1))
    }
}

/// What no client should send.
fn nonsense(world: &World, hearsay: &Hearsay) -> Vec<u8> {
    let group = world.pick(&hearsay.groups);
    match world.below(16) {
        0 => Vec::new(),
        1 => b"!".to_vec(),
        2 => b"!JOIN".to_vec(),
        3 => b"!JOIN \t ".to_vec(),
        4 => format!("!join {group}").into(),
        5 => format!("!LEAVE {group}").into(),
        6 => b"!PING\n".to_vec(),
        7 => b"!CREATE junk".to_vec(),
        8 => vec![b'x'; 4097],
        9 => vec![b'!'; 5000],
        10 => format!("OK LEFT {group}").into(),
        11 => b"ERR ".to_vec(),
        12 => b"PONG 1.0".to_vec(),
        13 => format!("!JOIN \x0b {group} \n").into(),
        14 => b"!JOIN NO\xff".to_vec(),
        _ => (0..world.below(60)).map(|_| world.below(256) as u8).collect(),
    }
}
