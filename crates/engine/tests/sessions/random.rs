//! Anything in any order, on several shards, against a model that knows no shards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wire::Form;

use super::*;

const ADDRESSES: u32 = 9;
const GROUPS: [&str; 3] = ["HALL", "ANNEX", "YARD"];

/// What somebody does at an address.
#[derive(Clone, Copy, Debug)]
enum Step {
    Hello(u32, bool),
    /// With the token that was given so many tokens ago.
    Resume(u32, usize),
    Join(u32, usize),
    Leave(u32, usize),
    Say(u32, &'static str),
    Beat(u32),
    Who(u32),
    Pass(u64),
}

/// Who is at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seat {
    group: Option<usize>,
    /// The token and the form of its session.
    session: Option<(String, Form)>,
    /// The token that it had before, and when it came.
    before: Option<(String, u64)>,
}

#[derive(Default)]
struct Model {
    seats: BTreeMap<u32, Seat>,
    tokens: Vec<String>,
    now: u64,
}

impl Model {
    fn form(&self, at: u32) -> Form {
        let session = self.seats.get(&at).and_then(|seat| seat.session.as_ref());
        session.map_or(Form::Base, |(_, form)| *form)
    }

    fn group(&self, at: u32) -> Option<usize> {
        self.seats.get(&at).and_then(|seat| seat.group)
    }

    fn members(&self, group: usize) -> impl Iterator<Item = u32> {
        let is_in = move |(_, seat): &(&u32, &Seat)| seat.group == Some(group);
        self.seats.iter().filter(is_in).map(|(at, _)| *at)
    }

    /// What the relay says to an address, as it hears it.
    fn spoken(&self, at: u32, text: &str) -> String {
        if self.form(at) == Form::Base { text.to_owned() } else { format!("!{text}") }
    }

    /// An address without a group and without a session is nobody's.
    fn forget_nobody(&mut self, at: u32) {
        if self.seats.get(&at).is_some_and(|seat| seat.group.is_none() && seat.session.is_none()) {
            self.seats.remove(&at);
        }
    }
}

struct Trial {
    relay: Relay,
    model: Model,
}

impl Trial {
    fn new(shards: usize) -> Self {
        let relay = relay(shards);
        let groups = GROUPS.map(|id| (id.parse().unwrap(), None));
        relay.groups.declare(&groups, engine::Tick(0));
        Self { relay, model: Model::default() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Hello(at, from) => self.hello(at, from),
            Step::Resume(at, back) => self.resume(at, back),
            Step::Join(at, group) => self.join(at, group),
            Step::Leave(at, group) => self.leave(at, group),
            Step::Say(at, words) => self.say(at, words),
            Step::Beat(at) => {
                let is_one = self.model.form(at) != Form::Base;
                let answer = if is_one { "!PONG 60.0" } else { "!ERR NO_SESSION SendHELLO" };
                assert_eq!(self.relay.say(client(at), b"!BEAT"), answer);
            }
            Step::Who(at) => {
                let answer = match self.model.group(at) {
                    Some(group) => format!("OK WHO {} {}", GROUPS[group], self.model.members(group).count()),
                    None => "ERR NOT_IN_GROUP JoinFirstUseJOIN".to_owned(),
                };
                assert_eq!(self.relay.say(client(at), b"!WHO"), self.model.spoken(at, &answer));
            }
            Step::Pass(millis) => {
                self.model.now += millis;
                self.relay.begin_turn(millis);
            }
        }
    }

    fn hello(&mut self, at: u32, from: bool) {
        let token = hello(&mut self.relay, client(at), if from { " FROM" } else { "" });
        let seat = self.model.seats.entry(at).or_default();
        match &seat.session {
            Some((known, _)) => assert_eq!(*known, token, "the same token again"),
            None => self.model.tokens.push(token.clone()),
        }
        seat.session = Some((token, if from { Form::WithSender } else { Form::Extended }));
    }

    fn resume(&mut self, at: u32, back: usize) {
        let Some(token) = self.model.tokens.iter().rev().nth(back).cloned() else { return };
        let answer = resume(&mut self.relay, client(at), &token);
        let own = self.model.seats.get(&at).cloned().unwrap_or_default();
        let is_again = own
            .before
            .as_ref()
            .is_some_and(|(before, then)| *before == token && self.model.now - then <= 30_000);
        let holds = |(_, seat): &(&u32, &Seat)| seat.session.as_ref().is_some_and(|(held, _)| *held == token);
        let holder = self.model.seats.iter().find(holds).map(|(at, _)| *at);
        if is_again && own.session.is_some() {
            let known = own.session.map(|(token, _)| token).unwrap_or_default();
            return assert_eq!(answer, resumed(own.group, &known), "the same answer again");
        }
        let Some(holder) = holder else { return assert_eq!(answer, "!ERR BAD_TOKEN") };
        let mut seat = self.model.seats.remove(&holder).unwrap();
        let next = answer.rsplit(' ').next().unwrap().to_owned();
        assert_eq!(answer, resumed(seat.group, &next));
        assert!(!self.model.tokens.contains(&next), "a new token");
        self.model.tokens.push(next.clone());
        seat.session = seat.session.map(|(_, form)| (next, form));
        seat.before = Some((token, self.model.now));
        self.model.seats.insert(at, seat);
    }

    fn join(&mut self, at: u32, group: usize) {
        let answer = self.relay.say(client(at), &text(&["!JOIN ", GROUPS[group]]));
        assert_eq!(answer, self.model.spoken(at, &format!("OK JOINED {}", GROUPS[group])));
        self.model.seats.entry(at).or_default().group = Some(group);
    }

    fn leave(&mut self, at: u32, group: usize) {
        let answer = self.relay.say(client(at), &text(&["!LEAVE ", GROUPS[group]]));
        let is_in = self.model.group(at) == Some(group);
        let expected = if is_in {
            format!("OK LEFT {}", GROUPS[group])
        } else {
            "ERR NOT_IN_GROUP NotInThatGroup".into()
        };
        assert_eq!(answer, self.model.spoken(at, &expected));
        if let Some(seat) = self.model.seats.get_mut(&at).filter(|_| is_in) {
            seat.group = None;
        }
        self.model.forget_nobody(at);
    }

    fn say(&mut self, at: u32, words: &str) {
        let is_raw = words.starts_with("!RAW ");
        let payload = words.strip_prefix("!RAW ").unwrap_or(words);
        let Some(group) = self.model.group(at).filter(|_| !is_raw || self.model.form(at) != Form::Base)
        else {
            let refusal = match self.model.form(at) {
                Form::Base if is_raw => "!ERR NO_SESSION SendHELLO".to_owned(),
                _ => self.model.spoken(at, "ERR NOT_IN_GROUP JoinFirstUseJOIN"),
            };
            return assert_eq!(self.relay.say(client(at), words.as_bytes()), refusal);
        };
        let heard = heard(&mut self.relay, client(at), words.as_bytes());
        let others: Vec<u32> = self.model.members(group).filter(|member| *member != at).collect();
        assert_eq!(heard.len(), others.len(), "{heard:?}");
        for member in others {
            let got = String::from_utf8(heard[&client(member)].clone()).unwrap();
            match self.model.form(member) {
                Form::Base => assert_eq!(got, payload),
                Form::Extended if payload.starts_with('!') => assert_eq!(got, format!("!RAW {payload}")),
                Form::Extended => assert_eq!(got, payload),
                Form::WithSender => {
                    let rest = got.strip_prefix("!FROM #").and_then(|rest| rest.strip_suffix(payload));
                    assert!(rest.is_some_and(|rest| rest.split(' ').count() == 3), "{got}");
                }
            }
        }
    }

    /// Who is where, however it came there.
    fn compare(&self) {
        for (number, id) in GROUPS.iter().enumerate() {
            let roster = self.relay.groups.roster(&id.parse().unwrap()).unwrap();
            let members: BTreeMap<SocketAddr, Form> =
                roster.members().map(|member| (member.client.socket_addr(), member.form)).collect();
            let expected = self.model.members(number).map(|at| (client(at), self.model.form(at))).collect();
            assert_eq!((members, roster.len()), (expected, self.model.members(number).count()), "{id}");
        }
        let sessions = self.model.seats.values().filter(|seat| seat.session.is_some()).count();
        assert_eq!(self.relay.directory.sessions(), sessions);
        assert_eq!(self.relay.groups.clients() as usize, self.model.seats.len());
        let here: usize = self.relay.engines.iter().map(engine::Engine::clients).sum();
        assert!(here <= self.model.seats.len() + 1, "one has moved since the last turn at most");
    }
}

fn resumed(group: Option<usize>, token: &str) -> String {
    format!("!OK RESUMED {} - {token}", group.map_or("-", |group| GROUPS[group]))
}

fn step() -> impl Strategy<Value = Step> {
    let (at, group) = (0..ADDRESSES, 0..GROUPS.len());
    prop_oneof![
        3 => (at.clone(), any::<bool>()).prop_map(|(at, from)| Step::Hello(at, from)),
        5 => (at.clone(), 0usize..6).prop_map(|(at, back)| Step::Resume(at, back)),
        6 => (at.clone(), group.clone()).prop_map(|(at, group)| Step::Join(at, group)),
        2 => (at.clone(), group).prop_map(|(at, group)| Step::Leave(at, group)),
        6 => (at.clone(), prop::sample::select(vec!["x", "!RAW x", "!RAW !x", "longer words"]))
            .prop_map(|(at, words)| Step::Say(at, words)),
        1 => at.clone().prop_map(Step::Beat),
        1 => at.prop_map(Step::Who),
        1 => (0u64..20_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn sessions_are_where_their_clients_are(shards in 1usize..4, steps in prop::collection::vec(step(), 1..120)) {
        let mut trial = Trial::new(shards);
        for step in steps {
            trial.step(step);
            trial.compare();
        }
    }
}
