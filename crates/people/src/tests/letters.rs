//! Direct messages: acknowledged, tried again, kept, and delivered on return.

use store::{Answer, Bound, Bounds};
use wire::MessageId;

use super::world::{At, THERE, UNIX, World};
use crate::limits::{FORGET_MS, FORGOTTEN_AT_ONCE, OUTCOME_MS, SWEEP_MS};
use crate::name::Name;
use crate::outcomes::Mark;
use crate::{Outcome, Settings};

fn pair() -> World {
    let mut world = World::new(3);
    world.register(0, "anna");
    world.register(1, "bob");
    world
}

fn to(session: u16, text: &str) -> (u16, String) {
    (session, text.to_owned())
}

#[test]
fn a_message_is_delivered_when_it_is_acknowledged() {
    let mut world = pair();
    let message = format!("!MSG anna 7 {UNIX} hello  bob");
    assert_eq!(world.say(0, "!SEND BOB 7 hello  bob"), [to(1, &message)]);
    assert_eq!(world.say(1, "!ACK anna 7"), [to(0, "!DELIVERED bob 7")]);
    assert_eq!(world.say(1, "!ACK anna 7"), [], "an ACK has no answer, and neither has its repeat");
    assert_eq!(world.say(0, "!SEND bob 7 hello  bob"), [to(0, "!DELIVERED bob 7")], "a repeat is known");
    assert_eq!(world.pass(10_000), [], "and nothing more comes of it");
}

#[test]
fn it_is_tried_as_often_as_the_protocol_says_and_then_kept() {
    let mut world = pair();
    let message = format!("!MSG anna 7 {UNIX} x");
    world.say(0, "!SEND bob 7 x");
    for (pause, expected) in [(499, 0), (1, 1), (499, 0), (1, 1), (999, 0), (1, 1), (999, 0)] {
        assert_eq!(world.pass(pause), vec![to(1, &message); expected], "at {}", world.now);
    }
    assert_eq!(world.pass(1), [to(0, "!STORED bob 7")]);
    assert_eq!(world.people.figures().silent, 1);
    assert_eq!(world.pass(60_000), [], "nobody is sent anything who does not answer");
    assert_eq!(world.say(0, "!SEND bob 8 y"), [to(0, "!STORED bob 8")], "it joins the end of what is kept");
    world.hear(1);
    let told = world.heard();
    assert_eq!(told, [to(1, &message)], "one at a time of a sender, with the time of its first acceptance");
    let told = world.say(1, "!ACK anna 7");
    assert_eq!(told, [to(0, "!DELIVERED bob 7"), to(1, &format!("!MSG anna 8 {} y", UNIX + 63_000))]);
    world.say(1, "!ACK anna 8");
    assert_eq!(world.drawer.lock().unwrap().store.figures().mails, 0, "deleted when it was acknowledged");
    let told = world.say(0, "!SEND bob 9 z");
    assert!(told[0].1.starts_with("!MSG anna 9 "), "what is new goes directly again: {told:?}");
}

/// Not to have acknowledged is no silence: its acknowledgements may be lost.
#[test]
fn who_has_said_something_since_the_last_try_is_tried_once_more() {
    let message = format!("!MSG anna 7 {UNIX} x");
    let spoken = |moments: &[u64]| {
        let mut world = pair();
        world.say(0, "!SEND bob 7 x");
        for moment in moments {
            world.pass(moment - world.now);
            world.hear(1);
        }
        world.pass(2999 - world.now);
        world.assert_counted();
        let told = [world.pass(1), world.pass(999), world.pass(1)];
        world.assert_counted();
        (world, told)
    };
    let (tried, stored) = (vec![to(1, &message)], vec![to(0, "!STORED bob 7")]);
    assert_eq!(spoken(&[2500]).1, [tried.clone(), vec![], stored.clone()]);
    assert_eq!(spoken(&[2500, 2700, 2900]).1, [tried.clone(), vec![], stored.clone()]);
    assert_eq!(spoken(&[1500]).1, [stored.clone(), vec![], vec![]], "before the last try");
    let (mut world, told) = spoken(&[2500]);
    assert_eq!((told[0].clone(), world.people.figures().silent), (tried, 1));
    world.hear(1);
    assert_eq!(world.heard(), [to(1, &message)], "from then on whatever it says brings its mail");
}

/// It ends, however much is said by who never acknowledges.
#[test]
fn who_says_much_and_acknowledges_nothing_has_it_kept() {
    let mut world = pair();
    world.say(0, "!SEND bob 7 x");
    let mut told = Vec::new();
    for _ in 0..399 {
        told.extend(world.pass(10));
        world.hear(1);
    }
    assert_eq!(told.len(), 4);
    assert_eq!(world.pass(10), [to(0, "!STORED bob 7")]);
}

/// In a system that this one follows the "retries" resent nothing, and mail was deleted before it was acknowledged.
#[test]
fn mail_is_kept_until_it_is_acknowledged() {
    let mut world = pair();
    world.leave(1);
    assert_eq!(world.say(0, "!SEND bob 1 x"), [to(0, "!STORED bob 1")]);
    let told = world.say(2, "!REG bob");
    assert_eq!(told, [to(2, "!ERR NAME_TAKEN bob")]);
    assert_eq!(world.drawer.lock().unwrap().store.figures().mails, 1);
    assert_eq!(world.pass(30 * 60_000), []);
    assert_eq!(world.say(0, "!SEND bob 1 x"), [to(0, "!STORED bob 1")], "known for as long as it is stored");
    assert_eq!(world.drawer.lock().unwrap().store.figures().mails, 1);
}

#[test]
fn a_late_acknowledgement_counts_wherever_the_message_is() {
    let mut world = pair();
    world.say(0, "!SEND bob 7 x");
    world.slow(true);
    world.pass(3000);
    assert_eq!(world.say(1, "!ACK anna 7"), [], "it is about to be kept");
    world.slow(false);
    world.turn();
    assert_eq!(world.heard(), [to(0, "!DELIVERED bob 7")]);
    assert_eq!(world.drawer.lock().unwrap().store.figures().mails, 0);
    world.say(0, "!SEND bob 8 x");
    world.pass(3000);
    let told = world.say(1, "!ACK anna 8");
    assert!(told.contains(&to(0, "!DELIVERED bob 8")), "{told:?}");
    assert_eq!(world.drawer.lock().unwrap().store.figures().mails, 0);
}

/// It has arrived, whatever the store says that was asked meanwhile to keep it.
#[test]
fn what_was_acknowledged_while_it_was_to_be_kept_is_delivered_though_it_is_not_kept() {
    for answer in [Answer::Full(Bound::Mails), Answer::Full(Bound::Store), Answer::NoSuchName, Answer::Failed]
    {
        let mut world = pair();
        world.say(0, "!SEND bob 7 x");
        world.slow(true);
        world.pass(3000);
        assert_eq!(world.say(1, "!ACK anna 7"), []);
        world.drawer.lock().unwrap().late.iter_mut().for_each(|done| done.answer = answer.clone());
        world.slow(false);
        world.turn();
        assert_eq!(world.heard(), [to(0, "!DELIVERED bob 7")], "{answer:?}");
        assert_eq!(world.say(0, "!SEND bob 7 x"), [to(0, "!DELIVERED bob 7")], "{answer:?}: and stays so");
    }
}

#[test]
fn names_that_nobody_has_are_told() {
    let mut world = pair();
    assert_eq!(world.say(0, "!SEND clara 1 x"), [to(0, "!ERR NO_SUCH_NAME clara")]);
    world.register(2, "clara");
    assert!(
        world.say(0, "!SEND clara 1 x")[0].1.starts_with("!MSG anna 1"),
        "it may come again as if it were new"
    );
    assert_eq!(world.ask(0, "!SEND a=b 1 x"), ["!ERR BAD_NAME"]);
}

#[test]
fn a_full_mailbox_refuses_and_keeps_what_it_has() {
    let bounds = Bounds { mails_per_name: 8, ..Bounds::default() };
    let mut world = World::with(3, Settings::default(), bounds);
    let claim = world.register(1, "bob");
    world.register(0, "anna");
    world.leave(1);
    for number in 0..2 {
        assert_eq!(world.ask(0, &format!("!SEND bob {number} x")), [format!("!STORED bob {number}")]);
    }
    assert_eq!(world.ask(0, "!SEND bob 2 x"), ["!ERR MAILBOX_FULL bob"], "a quarter is one sender's");
    let told = world.ask(2, &format!("!REG bob {claim}"));
    assert_eq!(told[1], "!MAIL 2");
}

/// Whether the recipient's mailbox is full, or everybody's together: only the one is for good.
#[test]
fn a_full_store_is_no_end() {
    let bounds = Bounds { bytes: 1000, ..Bounds::default() };
    let mut world = World::with(2, Settings::default(), bounds);
    let claim = world.register(1, "bob");
    world.register(0, "anna");
    world.leave(1);
    let text = "x".repeat(400);
    assert_eq!(world.ask(0, &format!("!SEND bob 1 {text}")), ["!STORED bob 1"]);
    world.site = THERE;
    assert_eq!(world.ask(0, &format!("!SEND bob 2 {}", "x".repeat(100))), ["!ERR SERVER_FULL TryLater"]);
    world.site.is_trusted = true;
    assert_eq!(world.ask(0, &format!("!SEND bob 3 {text}{text}")), ["!ERR SERVER_FULL TryLater"]);
    let counted = |world: &World, outcome| world.people.figures().messages[outcome as usize];
    assert_eq!([Outcome::NoRoom, Outcome::MailboxFull].map(|of| counted(&world, of)), [2, 0]);
    world.ask(1, &format!("!REG bob {claim}"));
    world.ask(1, "!ACK anna 1");
    world.leave(1);
    let told = world.ask(0, &format!("!SEND bob 3 {text}{text}"));
    assert_eq!(told, ["!STORED bob 3"], "by its repeat, when there is room");
}

/// Outcomes are forgotten when there are too many; what is on its way is known all the same.
#[test]
fn a_repeat_of_what_is_under_way_is_one_even_if_its_outcome_is_forgotten() {
    let mut world = pair();
    assert_eq!(world.say(0, "!SEND bob 1 x").len(), 1);
    let key = |name: &str| Name::parse(name.as_bytes()).unwrap().key;
    let id = MessageId::parse(b"1").unwrap();
    world.people.outcomes.forget(&Mark { from: key("anna"), to: key("bob"), id });
    assert_eq!(world.say(0, "!SEND bob 1 x"), []);
    assert_eq!(world.people.figures().under_way, 1);
    assert_eq!(world.say(1, "!ACK anna 1"), [(0, "!DELIVERED bob 1".to_owned())]);
    assert_eq!(world.pass(10_000), []);
}

/// Not all at once, and yet soon.
#[test]
fn old_outcomes_are_forgotten_however_many() {
    const SENDERS: usize = 12;
    let mut world = World::new(SENDERS + 1);
    world.register(0, "bob");
    for sender in 1..=SENDERS {
        world.register(sender, &format!("s{sender}"));
        for number in 0..1000 {
            world.say(sender, &format!("!SEND bob {number} x"));
            world.say(0, &format!("!ACK s{sender} {number}"));
        }
    }
    assert_eq!(world.people.outcomes.len(), SENDERS * 1000);
    const _: () = assert!(SENDERS * 1000 > 2 * FORGOTTEN_AT_ONCE);
    world.pass(OUTCOME_MS + SWEEP_MS + 10 * FORGET_MS);
    assert_eq!(world.people.outcomes.len(), 0);
}

#[test]
fn eight_are_under_way_and_one_of_each_sender() {
    let mut world = World::new(12);
    world.register(0, "anna");
    (1..11).for_each(|sender| drop(world.register(sender, &format!("s{sender}"))));
    let mut sent = 0;
    for sender in 1..11 {
        for number in 0..2 {
            sent += world.say(sender, &format!("!SEND anna {number} x")).len();
        }
    }
    assert_eq!(sent, 8);
    let told = world.ask(0, "!ACK s1 0");
    assert!(told[0].starts_with("!MSG s1 1 "), "{told:?}");
    assert_eq!(world.people.figures().under_way, 19);
}

#[test]
fn one_sender_cannot_fill_the_line() {
    let mut world = pair();
    for number in 0..100 {
        world.say(0, &format!("!SEND bob {number} x"));
    }
    assert_eq!(world.people.figures().under_way, 17);
    world.register(2, "clara");
    assert!(world.say(2, "!SEND bob 1 x")[0].1.starts_with("!MSG clara 1"));
}

#[test]
fn what_is_under_way_follows_its_recipient() {
    let mut world = pair();
    world.say(0, "!SEND bob 7 x");
    world.pass(600);
    world.move_to(1, At(501));
    let message = format!("!MSG anna 7 {UNIX} x");
    assert_eq!(world.heard(), [to(501, &message)]);
    assert_eq!(world.pass(499), []);
    assert_eq!(world.pass(1), [to(501, &message)]);
    world.say_from(1, At(501), "!ACK anna 7");
    assert_eq!(world.heard(), [to(0, "!DELIVERED bob 7")]);
}

/// A client that has missed something, and comes back where it was.
#[test]
fn who_registers_again_is_sent_again_what_it_has_not_acknowledged() {
    let mut world = pair();
    world.say(0, "!SEND bob 7 x");
    world.pass(2100);
    let told = world.ask(1, "!REG bob");
    assert!(told[0].starts_with("!OK REG bob ") && told[1].starts_with("!MSG anna 7 "), "{told:?}");
    assert_eq!(world.pass(2900).iter().filter(|(to, _)| *to == 0).count(), 0, "and is not silent at once");
}

/// Whoever registers again and again does not have it sent as often: it would be a way to have a victim sent hundreds of times as much.
#[test]
fn what_is_under_way_is_not_sent_anew_all_the_time() {
    let mut world = pair();
    let claim = world.ask(1, "!REG bob").remove(0).replace("!OK REG bob ", "");
    world.pass(500);
    world.say(0, "!SEND bob 7 x");
    let mut sent = 0;
    for number in 0..200 {
        let told = world.say(1 + number % 2, &format!("!REG bob {claim}"));
        sent += told.iter().filter(|(_, text)| text.starts_with("!MSG")).count();
    }
    assert_eq!(sent, 1);
    world.pass(500);
    let told = world.say(1, &format!("!REG bob {claim}"));
    let told: Vec<_> = told.iter().map(|(to, text)| (*to, &text[..text.len().min(8)])).collect();
    assert_eq!(
        told,
        [(2, "!ERR NAM"), (1, "!OK REG "), (1, "!MAIL 1"), (1, "!MSG ann")],
        "it was kept while nobody was to get it"
    );
}

#[test]
fn who_goes_offline_has_it_kept() {
    let mut world = pair();
    world.say(0, "!SEND bob 7 x");
    world.say(0, "!SEND bob 8 y");
    world.leave(1);
    world.turn();
    assert_eq!(world.heard(), [to(0, "!STORED bob 7"), to(0, "!STORED bob 8")]);
}

#[test]
fn a_store_that_has_too_much_to_do_loses_nothing() {
    let mut world = pair();
    world.say(0, "!SEND bob 7 x");
    world.drawer.lock().unwrap().is_busy = true;
    world.pass(3000);
    world.drawer.lock().unwrap().is_busy = false;
    assert_eq!(world.say(0, "!SEND bob 7 x"), [to(0, "!STORED bob 7")], "its sender goes on");
}

/// Only what those say who are awaited themselves is worth the lock of all.
#[test]
fn who_is_awaited_wears_it() {
    let mut world = pair();
    let awaited = |world: &World| [0, 1, 2].map(|session: usize| world.badges[session].is_awaited());
    let claim = world.ask(1, "!REG bob").remove(0).replace("!OK REG bob ", "");
    world.say(0, "!SEND bob 7 x");
    world.pass(1999);
    assert_eq!(awaited(&world), [false; 3]);
    world.pass(1);
    assert_eq!(awaited(&world), [false, true, false], "after the last try");
    world.hear(1);
    assert_eq!(awaited(&world), [false; 3]);
    world.pass(2000);
    assert_eq!((awaited(&world), world.people.figures().silent), ([false, true, false], 1));
    world.say(2, &format!("!REG bob {claim}"));
    assert_eq!(awaited(&world), [false; 3], "it has gone to another session, which has spoken");
    world.pass(10_000);
    assert_eq!(awaited(&world), [false, false, true]);
    world.leave(2);
    assert_eq!(awaited(&world), [false; 3]);
    world.assert_counted();
}

#[test]
fn messages_to_oneself_arrive() {
    let mut world = pair();
    assert!(world.say(0, "!SEND anna 1 x")[0].1.starts_with("!MSG anna 1"));
    assert_eq!(world.say(0, "!ACK anna 1"), [to(0, "!DELIVERED anna 1")]);
}
