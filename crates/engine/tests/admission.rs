//! Who is believed to be where it says it is: proofs, the three modes, and what unproved members get.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{Answer, Relay, client, text};
use engine::limits::{BUDGET_GRANT, COOKIE_EPOCH, LOOK_EVERY, SILENT_MEMBERS};
use engine::{
    AdmissionMode, Audience, Cap, Cause, ClientAddr, CopyDrop, Gate, LocalAddr, Member, Offer, Prefixes,
    Settings, Stance, Tick, Treatment,
};

const HEARTBEAT: u64 = 10_000;
/// Nobody is alarmed before.
const GRACE: u64 = 2 * HEARTBEAT;
/// IPv6 and UDP.
const HEADERS: u64 = 48;

fn settings(admission: AdmissionMode) -> Settings {
    Settings {
        admission,
        heartbeat: Duration::from_millis(HEARTBEAT),
        sweep: Duration::from_millis(100),
        cap: Cap::Unlimited,
        ..Settings::default()
    }
}

fn relay(admission: AdmissionMode) -> Relay {
    Relay::new(1, settings(admission))
}

/// With a cap that one payload reaches, guarded by it.
fn guarded() -> (Relay, String) {
    let mut relay = Relay::new(1, Settings { unproved_egress: 1, ..settings(AdmissionMode::Auto) });
    let id = relay.create(client(0));
    (0..4).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(GRACE);
    (0..3).for_each(|_| drop(relay.ask(client(0), b"too much")));
    assert_eq!(relay.admission.stance(), Stance::Guarded);
    // From now on nothing but the budgets is in the way.
    let settings = Settings { unproved_egress: 1 << 40, ..settings(AdmissionMode::Auto) };
    relay.engines[0].reload(Arc::new(settings));
    relay.begin_turn(1);
    (relay, id)
}

fn cookie(answer: &str) -> &str {
    answer.strip_prefix("ERR RETRY ").unwrap_or_else(|| panic!("{answer}"))
}

/// Who of the others gets a payload, as the fan-out does it.
fn hear(relay: &mut Relay, gate: &mut Gate, source: SocketAddr, payload: &[u8]) -> Vec<SocketAddr> {
    gate.begin_turn(Tick(relay.now));
    assert!(matches!(relay.ask(source, payload), Answer::FanOut(_)));
    let outbox = &relay.outboxes[relay.shard(source)];
    let delivery = outbox.epochs().flatten().next().unwrap();
    let Audience::Others { roster, sender } = delivery.audience else { panic!("{delivery:?}") };
    let listed = outbox.listed(roster);
    let len = payload.len();
    let offer = Offer { count: 1, size: len as u16, bytes: len as u32 };
    let others = listed.roster.members().enumerate().filter(|(at, _)| *at != sender as usize);
    others
        .filter(|(_, member)| member.proved || gate.admit(member, listed.unproved, offer) == 1)
        .map(|(_, member)| member.client.socket_addr())
        .collect()
}

#[test]
fn strict_asks_everybody_who_joins_but_the_one_who_was_told_the_id() {
    let mut relay = relay(AdmissionMode::Strict);
    let id = relay.create(client(0));
    let join = text(&["!JOIN ", &id]);
    let first = relay.say(client(1), &join);
    assert_eq!(relay.say(client(1), b"!JOIN NOWHERE"), first, "and nobody learns which groups there are");
    relay.join(client(0), &id);
    for divider in [" ", "."] {
        let with = text(&["!JOIN ", &id, divider, cookie(&first)]);
        assert_eq!(relay.say(client(1), &with), format!("OK JOINED {id}"));
        assert_ne!(
            relay.say(client(2), &with),
            format!("OK JOINED {id}"),
            "a cookie is good for one address"
        );
    }
    assert_eq!(relay.admission.unproved(), 0);
    // Who is proved stays so while it is a member.
    let other = relay.create(client(1));
    relay.join(client(1), &other);
    // The creator who comes late could have been told the id by others.
    assert!(relay.say(client(1), &text(&["!LEAVE ", &other])).starts_with("OK LEFT"));
    cookie(&relay.say(client(1), &text(&["!JOIN ", &other])));
}

#[test]
fn a_cookie_is_good_for_an_epoch_and_the_next() {
    let epoch = COOKIE_EPOCH.as_millis() as u64;
    let mut relay = relay(AdmissionMode::Strict);
    let id = relay.create(client(0));
    relay.begin_turn(7 * epoch);
    let told = relay.say(client(1), &text(&["!JOIN ", &id]));
    let with = text(&["!JOIN ", &id, " ", cookie(&told)]);
    relay.begin_turn(2 * epoch);
    let renewed = relay.say(client(1), &with);
    assert_ne!(cookie(&renewed), cookie(&told));
    relay.begin_turn(epoch);
    let with = text(&["!JOIN ", &id, " ", cookie(&renewed)]);
    assert_eq!(relay.say(client(1), &with), format!("OK JOINED {id}"));
}

#[test]
fn in_peace_a_cookie_is_told_to_who_shows_something_and_nobody_else() {
    let mut relay = relay(AdmissionMode::Auto);
    let id = relay.create(client(0));
    [0, 1].into_iter().for_each(|number| relay.join(client(number), &id));
    assert_eq!(relay.admission.unproved(), 1, "the creator is proved");
    let told = relay.say(client(1), &text(&["!JOIN ", &id, " PLEASE"]));
    let with = text(&["!JOIN ", &id, " ", cookie(&told)]);
    assert_eq!(relay.say(client(1), &with), format!("OK JOINED {id}"));
    assert_eq!((relay.admission.unproved(), relay.clients()), (0, 2));
}

#[test]
fn open_asks_nobody_and_trust_is_as_good_as_a_proof() {
    let mut open = relay(AdmissionMode::Open);
    let id = open.create(client(0));
    open.join(client(1), &id);
    assert_eq!(open.say(client(2), &text(&["!JOIN ", &id, " B"])), "ERR BAD_ARG NoSuchGroup");
    let trust = Prefixes::new(["2001:db8::/32".parse().unwrap()]);
    let mut strict = Relay::new(1, Settings { trust, ..settings(AdmissionMode::Strict) });
    let id = strict.create(client(0));
    [1, 0].into_iter().for_each(|number| strict.join(client(number), &id));
    assert_eq!(strict.say(client(2), &text(&["!JOIN ", &id, " B"])), "ERR BAD_ARG NoSuchGroup");
    assert_eq!(strict.admission.unproved(), 0);
}

#[test]
fn a_member_whose_prefix_becomes_trusted_is_proved_by_its_next_heartbeat() {
    let mut relay = relay(AdmissionMode::Auto);
    let mut gate = relay.engines[0].gate();
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    let trust = Prefixes::new([client(1).ip().into()]);
    relay.engines[0].reload(Arc::new(Settings { trust, ..settings(AdmissionMode::Strict) }));
    assert!(hear(&mut relay, &mut gate, client(0), b"nobody").is_empty());
    [1, 2].into_iter().for_each(|number| assert_eq!(relay.say(client(number), b"!PING"), "PONG 10.0"));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"one"), [client(1)]);
    assert_eq!(relay.admission.unproved(), 1);
}

fn prove(relay: &mut Relay, client: SocketAddr, id: &str) {
    let asked = relay.say(client, &text(&["!JOIN ", id]));
    let with = text(&["!JOIN ", id, " ", cookie(&asked)]);
    assert_eq!(relay.say(client, &with), format!("OK JOINED {id}"));
}

#[test]
fn who_is_no_longer_trusted_is_no_longer_proved() {
    let trusting = |texts: &[&str]| {
        let trust = Prefixes::new(texts.iter().map(|text| text.parse().unwrap()));
        Arc::new(Settings { trust, ..settings(AdmissionMode::Strict) })
    };
    let [talker, kept, left, shown] =
        ["127.0.0.1:9", "10.1.0.1:9", "10.2.0.1:9", "10.3.0.1:9"].map(|at| at.parse().unwrap());
    let mut relay = relay(AdmissionMode::Strict);
    relay.engines[0].reload(trusting(&["127.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"]));
    let id = relay.create(talker);
    [talker, kept, left].iter().for_each(|client| relay.join(*client, &id));
    prove(&mut relay, shown, &id);
    let mut gate = relay.engines[0].gate();
    let everybody = hear(&mut relay, &mut gate, talker, b"to all");
    assert_eq!(everybody, [kept, left, shown]);
    // Twice, before anybody could be looked at.
    relay.engines[0].reload(trusting(&["127.0.0.0/8", "10.1.0.0/16"]));
    relay.engines[0].reload(trusting(&["127.0.0.0/8", "10.0.0.0/15"]));
    relay.sweep();
    assert_eq!(hear(&mut relay, &mut gate, talker, b"to some"), [kept, shown]);
    assert_eq!((relay.admission.unproved(), relay.clients()), (1, 4));
    assert!(relay.say(left, b"!PING").starts_with("PONG"), "it is a member yet");
    assert_eq!(hear(&mut relay, &mut gate, talker, b"to some"), [kept, shown]);
    // It can prove itself, as anybody.
    prove(&mut relay, left, &id);
    assert_eq!(hear(&mut relay, &mut gate, talker, b"to all"), everybody);
    assert_eq!(relay.admission.unproved(), 0);
}

#[test]
fn after_a_reload_to_strict_unproved_members_get_nothing_until_they_are_proved() {
    let mut relay = relay(AdmissionMode::Open);
    let mut gate = relay.engines[0].gate();
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"all").len(), 2);
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Strict)));
    assert!(hear(&mut relay, &mut gate, client(0), b"nobody").is_empty());
    assert_eq!(gate.dropped()[CopyDrop::Unproved as usize], 2);
    let told = relay.say(client(1), &text(&["!JOIN ", &id]));
    assert!(relay.say(client(1), &text(&["!JOIN ", &id, " ", cookie(&told)])).starts_with("OK JOINED"));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"one"), [client(1)]);
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Open)));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"all").len(), 2);
}

#[test]
fn the_cap_alarms_not_in_the_grace_of_a_start() {
    let mut relay = Relay::new(1, Settings { unproved_egress: 1, ..settings(AdmissionMode::Auto) });
    let mut gate = relay.engines[0].gate();
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"the last one overdraws").len(), 2);
    assert!(hear(&mut relay, &mut gate, client(0), b"too much").is_empty());
    assert_eq!(gate.dropped()[CopyDrop::UnprovedEgress as usize], 2);
    relay.begin_turn(GRACE - 1);
    hear(&mut relay, &mut gate, client(0), b"too much");
    assert_eq!(relay.admission.stance(), Stance::Peace);
    relay.begin_turn(1);
    for _ in 0..2 {
        hear(&mut relay, &mut gate, client(0), b"far too much");
    }
    let standing = relay.admission.standing();
    assert_eq!((standing.stance, standing.cause, standing.alarms), (Stance::Guarded, Cause::Egress, 1));
    cookie(&relay.say(client(9), &text(&["!JOIN ", &id])));
    // Members stay, and may repeat their JOIN.
    relay.join(client(1), &id);
}

/// Members that never say anything, joined at once, and so many who send their heartbeats.
fn silent(count: u32, listeners: u32) -> Relay {
    let mut relay = relay(AdmissionMode::Auto);
    let id = relay.create(client(0));
    relay.join(client(0), &id);
    relay.begin_turn(GRACE);
    (1..=count + listeners).for_each(|number| relay.join(client(number), &id));
    for _ in 0..2 {
        relay.pass_quietly(HEARTBEAT * 9 / 10);
        (count + 1..=count + listeners)
            .for_each(|number| assert!(relay.say(client(number), b"!PING") > String::new()));
    }
    relay
}

#[test]
fn many_who_are_never_heard_of_again_alarm_and_listeners_do_not() {
    assert_eq!(silent(SILENT_MEMBERS - 1, 2 * SILENT_MEMBERS).admission.stance(), Stance::Peace);
    let mut relay = silent(SILENT_MEMBERS, SILENT_MEMBERS);
    let standing = relay.admission.standing();
    assert_eq!((standing.stance, standing.cause), (Stance::Guarded, Cause::Silent));
    assert_eq!(relay.admission.silent(), SILENT_MEMBERS);
    // They go, and after a calm heartbeat all is as before.
    for _ in 0..4 {
        relay.pass_quietly(HEARTBEAT);
        (SILENT_MEMBERS + 1..=2 * SILENT_MEMBERS)
            .for_each(|number| drop(relay.say(client(number), b"!PING")));
    }
    let standing = relay.admission.standing();
    assert_eq!((standing.stance, standing.relaxations), (Stance::Peace, 1));
    assert_eq!((relay.admission.silent(), relay.admission.unproved()), (0, SILENT_MEMBERS));
    assert_eq!(relay.clients() as u32, SILENT_MEMBERS, "the silent ones and the creator are gone");
}

#[test]
fn it_stays_guarded_while_more_than_half_of_the_cap_is_wanted() {
    let cap = 10_000;
    let mut relay = Relay::new(1, Settings { unproved_egress: cap, ..settings(AdmissionMode::Auto) });
    let id = relay.create(client(0));
    (0..2).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(GRACE);
    let mut gate = relay.engines[0].gate();
    let mut second = |bytes: u64, earned: usize| {
        relay.begin_turn(1000);
        relay.ask(client(1), &vec![b'x'; earned]);
        let payload = vec![b'x'; 1000 - HEADERS as usize];
        (0..bytes / 1000).for_each(|_| drop(hear(&mut relay, &mut gate, client(0), &payload)));
        relay.admission.stance()
    };
    while second(2 * cap, 4000) == Stance::Peace {}
    for _ in 0..60 {
        assert_eq!(second(cap / 2 + 1000, 4000), Stance::Guarded);
    }
    let calm = (0..60).position(|_| second(cap / 2, 4000) == Stance::Peace);
    assert_eq!(calm, Some((HEARTBEAT / 1000) as usize), "a heartbeat after the last busy look");
    // What nobody has a budget for is no demand.
    while second(2 * cap, 1) == Stance::Peace {}
    assert!((0..60).any(|_| second(cap, 1) == Stance::Peace));
}

#[test]
fn a_budget_is_the_grant_and_three_times_what_was_sent_to_the_byte() {
    let (mut relay, _) = guarded();
    let mut gate = relay.engines[0].gate();
    let payload = vec![b'x'; 1000 - HEADERS as usize];
    let mut got = |relay: &mut Relay| {
        let mut got = 0;
        while hear(relay, &mut gate, client(0), &payload).contains(&client(1)) {
            got += 1000;
        }
        // What is left is less than a whole one.
        while hear(relay, &mut gate, client(0), b"x").contains(&client(1)) {
            got += HEADERS + 1;
        }
        got
    };
    let got_at_first = got(&mut relay);
    assert!(got_at_first <= BUDGET_GRANT && BUDGET_GRANT < got_at_first + HEADERS + 1);
    let left = BUDGET_GRANT - got_at_first;
    // A heartbeat and a payload; the answer is a part of what it gets.
    let answer = relay.say(client(1), b"!PING").len() as u64 + HEADERS;
    relay.ask(client(1), &[b'y'; 500]);
    let earned = left + 3 * (5 + HEADERS + 500 + HEADERS) - answer;
    let got_then = got(&mut relay);
    assert!(got_then <= earned && earned < got_then + HEADERS + 1, "{got_then} of {earned}");
    assert!(gate.dropped()[CopyDrop::UnprovedBudget as usize] > 0);
}

#[test]
fn who_leaves_has_no_second_budget_for_copies_that_still_wait() {
    let (mut relay, id) = guarded();
    let mut gate = relay.engines[0].gate();
    let large = vec![b'x'; 4000];
    while hear(&mut relay, &mut gate, client(0), &large).contains(&client(1)) {}
    assert!(relay.say(client(1), &text(&["!LEAVE ", &id])).starts_with("OK LEFT"));
    let gone = ClientAddr::new(client(1)).unwrap();
    let member = Member { client: gone, local: LocalAddr::new(0, None), proved: false };
    let offer = Offer { count: 1, size: 4000, bytes: 4000 };
    assert_eq!(gate.admit(&member, Treatment::Budgeted, offer), 0);
}

#[test]
fn a_proved_member_has_no_budget_and_an_unproved_one_becomes_proved() {
    let (mut relay, id) = guarded();
    let mut gate = relay.engines[0].gate();
    let large = vec![b'x'; 4000];
    let told = relay.say(client(1), &text(&["!JOIN ", &id, " PLEASE"]));
    assert!(relay.say(client(1), &text(&["!JOIN ", &id, " ", cookie(&told)])).starts_with("OK JOINED"));
    for _ in 0..100 {
        assert!(hear(&mut relay, &mut gate, client(2), &large).contains(&client(1)));
    }
    assert_eq!(relay.admission.unproved(), 2);
    assert!(!hear(&mut relay, &mut gate, client(2), &large).contains(&client(3)));
}

#[test]
fn an_error_shrinks_one_budget_of_a_guarded_relay_within_a_second_of_a_send() {
    let (mut relay, _) = guarded();
    let mut gate = relay.engines[0].gate();
    let budget = |relay: &mut Relay, gate: &mut Gate, number| {
        let mut got = 0;
        while hear(relay, gate, client(0), &[b'x'; 52]).contains(&client(number)) {
            got += 100;
        }
        got
    };
    let heard = hear(&mut relay, &mut gate, client(0), &[b'x'; 52]);
    assert_eq!(heard.len(), 3);
    relay.begin_turn(999);
    relay.engines[0].unreached(client(1));
    relay.begin_turn(1);
    relay.engines[0].unreached(client(2));
    let proved = client(0);
    relay.engines[0].unreached(proved);
    let left = BUDGET_GRANT - 100;
    assert_eq!(budget(&mut relay, &mut gate, 1), left / 2 / 100 * 100);
    let spent = left / 2 / 100 * 100 + 100;
    assert_eq!(budget(&mut relay, &mut gate, 2), (left - spent) / 100 * 100, "too late for this one");
    let mut peace = self::relay(AdmissionMode::Auto);
    peace.create(client(0));
    assert!(!peace.admission.shrink(&ClientAddr::new(client(0)).unwrap(), Tick(0)));
}

#[test]
fn what_is_made_without_a_proof_does_not_use_up_the_quota_of_who_has_one() {
    let mut relay = relay(AdmissionMode::Auto);
    (0..3).for_each(|_| drop(relay.create(client(1))));
    // Others may have made them.
    let told = relay.say(client(1), b"!CREATE");
    assert_eq!(relay.say(client(1), b"!CREATE AAAAAAAAAAAAAAAA"), told);
    let with = text(&["!CREATE ", cookie(&told)]);
    (0..3).for_each(|_| assert!(relay.say(client(1), &with).starts_with("OK CREATED")));
    assert_eq!(relay.say(client(1), &with), "ERR CLIENT_LIMIT 3/3");
}

#[test]
fn what_unproved_members_get_in_peace_is_booked_to_the_byte_without_the_senders_own() {
    let mut relay = relay(AdmissionMode::Auto);
    assert_eq!(relay.admission.egress_limit(), Settings::default().unproved_egress);
    let id = relay.create(client(0));
    (0..4).for_each(|number| relay.join(client(number), &id));
    relay.ask(client(0), &[b'x'; 100]);
    assert_eq!(relay.engines[0].unproved_bytes(), 3 * (100 + HEADERS));
    relay.ask(client(1), &[b'x'; 10]);
    assert_eq!(relay.engines[0].unproved_bytes(), 3 * (100 + HEADERS) + 2 * (10 + HEADERS));
}

#[test]
fn budgets_end_with_the_guard() {
    let budgeted = || {
        let (mut relay, _) = guarded();
        let mut gate = relay.engines[0].gate();
        assert_eq!((hear(&mut relay, &mut gate, client(0), b"x").len(), relay.admission.budgets()), (3, 3));
        relay
    };
    let mut relay = budgeted();
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Auto)));
    assert_eq!(relay.admission.budgets(), 3);
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Open)));
    assert_eq!(relay.admission.budgets(), 0);
    let mut relay = budgeted();
    for second in 0..=HEARTBEAT / 1000 {
        let (now, due) = (Tick(relay.now), relay.engines[0].deadline());
        assert!(now < due && due <= now + LOOK_EVERY, "the watch does not wait for a datagram");
        assert_eq!((relay.admission.stance(), relay.admission.budgets()), (Stance::Guarded, 3), "{second}");
        relay.begin_turn(1000);
    }
    assert_eq!((relay.admission.stance(), relay.admission.budgets()), (Stance::Peace, 0));
}

#[test]
fn only_unproved_members_of_a_guarded_relay_have_budgets() {
    let (mut relay, _) = guarded();
    for word in [&b"!PING"[..], b"!WHO", b"!CREATE", b"hello"] {
        relay.ask(client(0), word);
        relay.ask(client(9), word);
        assert_eq!(relay.admission.budgets(), 0, "one is proved, and one is no member");
    }
    relay.ask(client(1), b"!WHO");
    relay.ask(client(2), b"hello");
    assert_eq!(relay.admission.budgets(), 2);
    let mut peace = self::relay(AdmissionMode::Auto);
    let id = peace.create(client(0));
    peace.join(client(1), &id);
    peace.ask(client(1), b"!WHO");
    assert_eq!(peace.admission.budgets(), 0);
}

#[test]
fn what_is_wanted_in_bursts_counts_by_the_second() {
    let cap = 10_000;
    let mut relay = Relay::new(1, Settings { unproved_egress: cap, ..settings(AdmissionMode::Auto) });
    let id = relay.create(client(0));
    (0..2).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(GRACE);
    let payload = vec![b'x'; 1000 - HEADERS as usize];
    while relay.admission.stance() == Stance::Peace {
        relay.ask(client(0), &payload);
    }
    let mut gate = relay.engines[0].gate();
    // Half of the cap, all of it in one of ten turns.
    for _ in 0..2 * HEARTBEAT / 1000 {
        relay.ask(client(1), &[b'x'; 4000]);
        (0..cap / 2 / 1000).for_each(|_| drop(hear(&mut relay, &mut gate, client(0), &payload)));
        (0..10).for_each(|_| relay.begin_turn(100));
    }
    assert_eq!(relay.admission.stance(), Stance::Peace);
}

#[test]
fn silent_members_are_counted_only_where_silence_tells_something() {
    let mut relay = relay(AdmissionMode::Auto);
    let id = relay.create(client(0));
    (0..5).for_each(|number| relay.join(client(number), &id));
    relay.pass_quietly(HEARTBEAT);
    relay.say(client(1), b"!PING");
    relay.say(client(2), b"!WHO");
    relay.pass_quietly(HEARTBEAT / 2 - 1);
    assert_eq!(relay.admission.silent(), 0, "one heartbeat can be lost");
    relay.pass_quietly(200);
    assert_eq!(relay.admission.silent(), 3, "not the proved one, and not the one with a heartbeat");
    relay.say(client(3), &text(&["!LEAVE ", &id]));
    assert_eq!(relay.admission.silent(), 2);
    relay.begin_turn(1);
    relay.say(client(4), b"!PING");
    relay.say(client(1), b"!PING");
    // Who has spoken is looked at again when it could be idle, and who has not is gone by then.
    relay.pass_quietly(2 * HEARTBEAT);
    assert_eq!((relay.admission.silent(), relay.clients()), (0, 2));
    let mut open = self::relay(AdmissionMode::Open);
    let id = open.create(client(0));
    (0..5).for_each(|number| open.join(client(number), &id));
    open.pass_quietly(2 * HEARTBEAT);
    assert_eq!(open.admission.silent(), 0);
}

#[test]
fn answers_to_an_unproved_member_count_in_the_cap() {
    let mut relay = relay(AdmissionMode::Auto);
    let group = relay.create(client(0));
    relay.join(client(0), &group);
    relay.join(client(1), &group);
    let before = relay.engines[0].unproved_bytes();
    let answer = relay.say(client(1), b"!PING").len() as u64 + HEADERS;
    assert_eq!(relay.engines[0].unproved_bytes() - before, answer);
    relay.say(client(0), b"!PING");
    assert_eq!(relay.engines[0].unproved_bytes() - before, answer, "the creator is proved");
}
