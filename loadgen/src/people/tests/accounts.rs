//! Each message is in one place on each side, and whatever a relay does wrong is found.

use std::time::Duration;

use proptest::prelude::*;

use crate::people::accounts::{Accounts, Seen, Told};
use crate::people::sums::Sums;

const NOW: Duration = Duration::from_secs(1);

/// So many messages of person 0 to person 1, each sent once.
fn sent(count: u32) -> Accounts {
    let mut accounts = Accounts::default();
    for index in 0..count {
        assert_eq!(accounts.write(0, 1, 64, NOW), index);
        accounts.send(index, |_| NOW);
    }
    accounts
}

#[test]
fn a_message_that_arrives_is_delivered() {
    let mut accounts = sent(1);
    assert_eq!((accounts.open(), accounts.see(0, 1, true)), (1, Seen::New));
    assert!(accounts.tell(0, Told::Delivered));
    assert!(!accounts.tell(0, Told::Delivered), "told again");
    assert_eq!(accounts.see(0, 1, true), Seen::Repeat);
    let sums =
        Sums { sent: 1, delivered: 1, shown: 1, repeats: 1, repeats_after_delivered: 1, ..Sums::default() };
    assert_eq!((accounts.sums(), accounts.open()), (sums, 0));
}

#[test]
fn mail_is_kept_until_it_is_shown() {
    let mut accounts = sent(2);
    assert!(accounts.tell(0, Told::Stored) && accounts.tell(1, Told::Stored));
    assert_eq!((accounts.open(), accounts.kept(), accounts.sums().lost), (0, 2, 2));
    accounts.see(0, 1, true);
    assert!(!accounts.tell(0, Told::Delivered), "its outcome was that it is stored");
    // The sender may hear of it first: the recipient's accounts say when it has come.
    assert!(!accounts.tell(1, Told::Delivered));
    assert_eq!(accounts.kept(), 0);
    accounts.see(1, 1, true);
    let sums = Sums { sent: 2, delivered: 2, delivered_from_mail: 2, shown: 2, ..Sums::default() };
    assert_eq!((accounts.sums(), accounts.kept()), (sums, 0));
}

#[test]
fn a_lost_message_is_found() {
    for told in [Told::Delivered, Told::Stored] {
        let mut accounts = sent(3);
        (0..3).for_each(|index| _ = accounts.tell(index, told));
        accounts.see(0, 1, true);
        accounts.see(2, 1, true);
        let sums = accounts.sums();
        assert_eq!((sums.lost, sums.delivered, sums.out_of_order), (1, 2, 0), "{told:?}");
        assert!(sums.is_balanced());
    }
}

#[test]
fn a_doubled_message_is_found() {
    let mut accounts = sent(1);
    assert_eq!(accounts.see(0, 1, true), Seen::New);
    // Under another id or sender its recipient cannot know that it is the same.
    assert_eq!(accounts.see(0, 1, false), Seen::Doubled);
    accounts.tell(0, Told::Delivered);
    assert_eq!((accounts.sums().doubled, accounts.sums().repeats, accounts.sums().shown), (1, 0, 1));
}

#[test]
fn a_message_out_of_order_is_found() {
    let mut accounts = sent(4);
    for index in [1, 0, 3, 2] {
        assert_eq!(accounts.see(index, 1, true), Seen::New);
        accounts.tell(index, Told::Delivered);
    }
    assert_eq!((accounts.sums().out_of_order, accounts.sums().delivered), (2, 4));
}

#[test]
fn what_others_write_has_an_order_of_its_own() {
    let mut accounts = sent(1);
    let other = accounts.write(2, 1, 64, NOW);
    let later = accounts.write(0, 1, 64, NOW);
    [other, later].into_iter().for_each(|index| _ = accounts.send(index, |_| NOW));
    [later, other].into_iter().for_each(|index| _ = accounts.see(index, 1, true));
    assert_eq!(accounts.sums().out_of_order, 0);
    accounts.see(0, 1, true);
    assert_eq!(accounts.sums().out_of_order, 1);
}

#[test]
fn what_reaches_another_is_misdelivered_and_what_was_never_sent_is_nobodys() {
    let mut accounts = sent(1);
    let unsent = accounts.write(0, 1, 64, NOW);
    for (index, at) in [(0, 0), (0, 2), (unsent, 1), (99, 1)] {
        assert_eq!(accounts.see(index, at, true), Seen::Misdelivered);
    }
    assert_eq!(accounts.see(0, 1, false), Seen::Mislabelled);
    let sums = accounts.sums();
    assert_eq!((sums.misdelivered, sums.corrupted, sums.shown, sums.unsent), (4, 1, 0, 1));
}

#[test]
fn refusals_are_told_apart_and_end_a_message() {
    let mut accounts = sent(3);
    assert!(accounts.tell(0, Told::NoSuchName) && accounts.tell(1, Told::MailboxFull));
    accounts.see(1, 1, true);
    assert_eq!(accounts.first(0, 1).map(|(first, _)| first), Some(2));
    let sums = accounts.sums();
    assert_eq!((sums.no_such_name, sums.mailbox_full, sums.refused_and_shown, sums.unanswered), (1, 1, 1, 1));
    assert!(sums.is_balanced());
}

#[derive(Clone, Debug)]
enum Event {
    Send(u32),
    Tell(u32, Told),
    See(u32, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let told = prop::sample::select(vec![Told::Stored, Told::Delivered, Told::NoSuchName, Told::MailboxFull]);
    prop_oneof![
        (0..8_u32).prop_map(Event::Send),
        (0..8_u32, told).prop_map(|(index, told)| Event::Tell(index, told)),
        (0..8_u32, any::<bool>()).prop_map(|(index, labelled)| Event::See(index, labelled)),
    ]
}

proptest! {
    /// Whatever a relay says and delivers, each message is counted once on each side.
    #[test]
    fn accounts_always_balance(events in prop::collection::vec(event(), 0..80)) {
        let mut accounts = Accounts::default();
        (0..8).for_each(|index| _ = accounts.write(index % 2, 2, 64, NOW));
        for event in events {
            match event {
                Event::Send(index) => _ = accounts.send(index, |_| NOW),
                // Nobody hears of what was never sent.
                Event::Tell(index, told) if accounts.get(index).is_some_and(|it| it.tries > 0) => {
                    accounts.tell(index, told);
                }
                Event::Tell(..) => {}
                Event::See(index, is_labelled) => _ = accounts.see(index, 2, is_labelled),
            }
            let sums = accounts.sums();
            prop_assert!(sums.is_balanced(), "{:?}", sums);
            prop_assert_eq!(sums.sent + sums.unsent, 8);
            prop_assert_eq!(accounts.open(), sums.unanswered + sums.unsent);
        }
    }
}
