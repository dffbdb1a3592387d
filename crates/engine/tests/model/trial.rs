//! One case: the real engines and the oracle side by side, compared after every turn.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use engine::{
    AdmissionMode, Audience, Cap, Ceilings, CommandKind, Datagram, DropReason, Event, LocalAddr,
    OwnAddresses, Payload, Settings, Tick,
};
use wire::Refusal;

use crate::common::{Answer, Relay, answer};
use crate::oracle::{Oracle, Rules, Verdict, canonical};
use crate::order;
use crate::proofs::Mode;
use crate::steps::{Case, Id, NAMES, OWN_HOSTS, OWN_PORT, Say, Shown, Step, What};

pub struct Trial {
    pub relay: Relay,
    pub oracle: Oracle,
    drawn: Vec<String>,
    /// The clock that the shards are turned by; it may jump back.
    clock: u64,
}

/// What a shard takes in a turn, and what must come of it.
pub struct Taken {
    pub source: SocketAddr,
    pub bytes: Vec<u8>,
    pub verdict: Verdict,
}

impl Trial {
    pub fn run(case: &Case) -> Self {
        let bound = OWN_HOSTS.iter().map(|host| (host.parse::<IpAddr>().unwrap(), OWN_PORT).into()).collect();
        let is_loopback = |address: SocketAddr| address.is_ipv4() && address.ip().is_loopback();
        let own = OwnAddresses { bound, is_local: Some(is_loopback), ..OwnAddresses::default() };
        let relay = Relay::with_own_addresses(case.shards, settings(&case.rules), own);
        let mut trial = Self { relay, oracle: Oracle::new(case.rules.clone()), drawn: Vec::new(), clock: 0 };
        for step in &case.steps {
            trial.step(step);
        }
        // They only grow, so that what was counted wrongly at any time is seen.
        assert_eq!(trial.tallies(), trial.oracle.counts, "tallies");
        trial
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Turn { pass, says } => self.turn(*pass, says),
            Step::Quiet { halves } => {
                for _ in 0..*halves {
                    self.turn((self.oracle.rules.heartbeat / 2) as i64, &[]);
                }
            }
            Step::Reload(rules) => {
                self.oracle.reload(rules.clone());
                let settings = Arc::new(settings(rules));
                self.relay.engines.iter_mut().for_each(|engine| engine.reload(Arc::clone(&settings)));
            }
            Step::Declare(groups) => self.declare(groups),
        }
    }

    fn declare(&mut self, groups: &[(Id, Option<Option<usize>>)]) {
        let nobody = "10.9.9.9:9".parse().unwrap();
        let groups: BTreeMap<_, _> = groups.iter().map(|(id, cap)| (self.id(id, nobody), *cap)).collect();
        self.oracle.declare(&groups);
        let groups: Vec<_> = groups.iter().map(|(id, own)| (id.parse().unwrap(), own.map(cap))).collect();
        self.relay.groups.declare(&groups, Tick(self.oracle.now));
        self.compare_counts();
    }

    fn turn(&mut self, pass: i64, says: &[Say]) {
        self.clock = self.clock.saturating_add_signed(pass);
        self.oracle.begin_turn(self.clock);
        for (engine, outbox) in self.relay.engines.iter_mut().zip(&mut self.relay.outboxes) {
            outbox.clear();
            engine.begin_turn(Tick(self.clock));
        }
        let homes = self.homes(says);
        let mut taken: Vec<Vec<Taken>> = self.relay.engines.iter().map(|_| Vec::new()).collect();
        for say in says {
            self.say(say, &mut taken);
        }
        for (shard, taken) in taken.iter().enumerate() {
            compare_deliveries(&self.relay, shard, taken);
            let mut homes = homes.clone();
            homes.retain(|client, _| self.relay.shard(*client) == shard);
            order::check(&self.relay.outboxes[shard], taken, homes);
        }
        self.relay.now = self.oracle.now;
        self.relay.sweep();
        self.oracle.sweep();
        self.compare_counts();
    }

    /// The groups of those who will speak.
    fn homes(&self, says: &[Say]) -> BTreeMap<SocketAddr, String> {
        let sources = says.iter().map(|say| canonical(say.source));
        sources.filter_map(|source| Some((source, self.oracle.group_of(source)?.clone()))).collect()
    }

    fn say(&mut self, say: &Say, taken: &mut [Vec<Taken>]) {
        let bytes = self.bytes(say);
        let verdict = self.oracle.receive(say.source, say.socket, &bytes);
        let shard = self.relay.shard(say.source);
        let outbox = &mut self.relay.outboxes[shard];
        // Loopback clients reach a loopback address, as under a wildcard.
        let ip = say.source.ip();
        let local = LocalAddr::new(say.socket, Some(ip).filter(IpAddr::is_loopback));
        let number = taken[shard].len() as u32;
        self.relay.engines[shard]
            .receive(&Datagram { bytes: &bytes, source: say.source, local, number }, outbox);
        if verdict == Verdict::Created {
            let last = outbox.epochs().flatten().last().expect("an answer to !CREATE");
            let Answer::Reply { text, .. } = answer(outbox, last) else { panic!("{last:?}") };
            let id = text.strip_prefix("OK CREATED ").unwrap_or_else(|| panic!("{text}"));
            self.oracle.created(say.source, id, &bytes);
            self.drawn.push(id.to_owned());
        }
        if matches!(verdict, Verdict::Asked | Verdict::AskedByHello) {
            let last = outbox.epochs().flatten().last().expect("a question");
            let Answer::Reply { text, .. } = answer(outbox, last) else { panic!("{last:?}") };
            let cookie =
                text.strip_prefix(asking(&verdict)).unwrap_or_else(|| panic!("{text} for {bytes:?}"));
            self.oracle.proofs.tell(canonical(say.source), cookie, self.oracle.now);
        }
        taken[shard].push(Taken { source: canonical(say.source), bytes, verdict });
    }

    fn bytes(&self, say: &Say) -> Vec<u8> {
        match &say.what {
            What::Bytes(bytes) => bytes.clone(),
            What::Long(start, len) => {
                let mut bytes = start.to_vec();
                bytes.resize(*len, b' ');
                bytes
            }
            What::Group { command, id, style } => style.write(command, &self.id(id, say.source)),
            What::Proof { id, divider, shown } => {
                let shown = self.shown(*shown, canonical(say.source));
                let start = match id {
                    Some(id) => format!("!JOIN {}{divider}", self.id(id, say.source)),
                    None => "!CREATE ".to_owned(),
                };
                (start + &shown).into_bytes()
            }
        }
    }

    fn shown(&self, shown: Shown, client: SocketAddr) -> String {
        let told = |own| self.oracle.proofs.told(client, own).cloned();
        let none = || wire::Cookie::ASK.to_string();
        match shown {
            Shown::Told => told(true).unwrap_or_else(none),
            Shown::Lower => told(true).unwrap_or_else(none).to_ascii_lowercase(),
            Shown::Others => told(false).unwrap_or_else(none),
            Shown::Nothing => none(),
            Shown::Text(text) => text.to_owned(),
        }
    }

    /// The text of an id: of those drawn, one of the last.
    fn id(&self, id: &Id, client: SocketAddr) -> String {
        match id {
            Id::Name(name) => NAMES[*name].to_owned(),
            Id::Drawn(back) if !self.drawn.is_empty() => {
                self.drawn[self.drawn.len() - 1 - back % self.drawn.len()].clone()
            }
            Id::Own => self.oracle.group_of(client).cloned().unwrap_or_else(|| "NOWHERE".to_owned()),
            Id::Drawn(_) => "ABCD1234".to_owned(),
        }
    }

    fn compare_counts(&self) {
        assert_eq!(self.relay.groups.count() as usize, self.oracle.groups.len(), "groups");
        assert_eq!(self.relay.clients(), self.oracle.clients(), "clients");
        assert_eq!(self.relay.admission.stance(), self.oracle.proofs.stance);
        assert_eq!(self.relay.admission.unproved() as usize, self.oracle.unproved(), "unproved members");
    }

    /// The sum of all shards' tallies, by label, without zeros.
    fn tallies(&self) -> BTreeMap<String, u64> {
        let mut sum: BTreeMap<String, u64> = BTreeMap::new();
        let mut add = |kind: &str, label: &str, value: u64| {
            *sum.entry(format!("{kind}{label}")).or_default() += value;
        };
        for engine in &self.relay.engines {
            let tally = engine.tally();
            add("replies", "", tally.replies);
            add("payloads", "", tally.fanout.count);
            add("copies", "", tally.fanout.sum);
            let mut all = |kind, labels: &[&str], values: &[u64]| {
                labels.iter().zip(values).for_each(|(label, value)| add(kind, label, *value));
            };
            all("command ", &CommandKind::LABELS, &tally.commands);
            all("refused ", &Refusal::CODES, &tally.refusals);
            all("dropped ", &DropReason::LABELS, &tally.dropped);
            all("event ", &Event::LABELS, &tally.events);
        }
        sum.retain(|_, value| *value > 0);
        sum
    }
}

/// How a cookie is asked for.
fn asking(verdict: &Verdict) -> &'static str {
    if *verdict == Verdict::Asked { "ERR RETRY " } else { "!RETRY " }
}

/// The deliveries are those that the verdicts ask for, in the order of the datagrams.
fn compare_deliveries(relay: &Relay, shard: usize, taken: &[Taken]) {
    let outbox = &relay.outboxes[shard];
    let mut deliveries = outbox.epochs().flatten();
    let mut payloads = 0;
    for (number, Taken { source, bytes, verdict }) in taken.iter().enumerate() {
        let mut next = || deliveries.next().unwrap_or_else(|| panic!("nothing came of {bytes:?}"));
        match verdict {
            Verdict::Dropped(_) => {}
            Verdict::Created => {
                assert!(matches!(answer(outbox, next()), Answer::Reply { to, .. } if to == *source));
            }
            Verdict::Asked | Verdict::AskedByHello => {
                let Answer::Reply { to, text } = answer(outbox, next()) else { panic!("{bytes:?}") };
                assert!(to == *source && text.starts_with(asking(verdict)), "{to} {text}");
            }
            Verdict::Reply(text) => {
                assert_eq!(answer(outbox, next()), Answer::Reply { to: *source, text: text.clone() });
            }
            Verdict::FanOut { receivers, .. } if receivers.is_empty() => {}
            Verdict::FanOut { receivers, treatment, .. } => {
                let delivery = next();
                assert_eq!(delivery.payload, Payload::Received(number as u32), "the bytes as they came");
                let Audience::Others { roster, sender } = delivery.audience else { panic!("{delivery:?}") };
                let listed = outbox.listed(roster);
                assert!(treatment.is_none_or(|treatment| treatment == listed.unproved), "{treatment:?}");
                let members = outbox.listed(roster).roster.members_from(sender);
                assert_eq!(members[0].client.socket_addr(), *source, "the sender is left out");
                let Answer::FanOut(others) = answer(outbox, delivery) else { panic!("{delivery:?}") };
                assert_eq!(others.len(), receivers.len(), "nobody twice");
                let others: BTreeMap<_, _> = others
                    .iter()
                    .map(|member| (member.client.socket_addr(), member.local.socket()))
                    .collect();
                assert_eq!(&others, receivers);
                payloads += 1;
            }
        }
    }
    assert_eq!(deliveries.next(), None, "and nothing else");
    assert_eq!(outbox.payloads(), payloads);
}

fn settings(rules: &Rules) -> Settings {
    Settings {
        heartbeat: Duration::from_millis(rules.heartbeat),
        sweep: Duration::from_millis(rules.sweep),
        empty_ttl: Duration::from_millis(rules.ttl),
        cap: cap(rules.cap),
        coalesce: Duration::ZERO,
        max_groups_per_client: rules.quota as u32,
        admission: match rules.mode {
            Mode::Open => AdmissionMode::Open,
            Mode::Auto => AdmissionMode::Auto,
            Mode::Strict => AdmissionMode::Strict,
        },
        unproved_egress: rules.egress,
        ceilings: Ceilings {
            clients: rules.max_clients as u32,
            groups: rules.max_groups as u32,
            unjoined_groups: rules.max_unjoined as u32,
        },
        ..Settings::default()
    }
}

fn cap(cap: Option<usize>) -> Cap {
    cap.map_or(Cap::Unlimited, |members| Cap::Members(members as u32))
}
