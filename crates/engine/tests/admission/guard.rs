//! When the relay is guarded, and when there is peace again.

use super::*;

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
