//! What unproved members get of a guarded relay, and what counts in the cap.

use super::*;

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
    let member =
        Member { client: gone, local: LocalAddr::new(0, None), proved: false, form: wire::Form::Base };
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
