//! Links that delay, reorder, lose and repeat: the relay passes on what reaches it, in the order in which it does.

use std::collections::BTreeMap;

use super::cast::Cast;
use super::figures::Lost;
use super::router::{HERE, Habits, Ledger, Router, THERE};
use super::speech::Said;
use super::{SIZES, client, explained, rounds};
use crate::support::{Cable, RelayOptions, each_backend};

fn behind_a_router(name: &str, habits: &Habits) {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let router = Router::between(cable, habits.clone());
            let relay =
                RelayOptions::new(backend).with(["--host", HERE, "--pin", "--trust", "10.0.0.0/8"]).start();
            let address = relay.address();
            let here = || client(HERE, address);
            let there = || cable.over_there(|| client(THERE, address));
            let mut cast = Cast::gather(relay, client(HERE, address), &[&here, &there]);
            cast.speak(rounds(), &SIZES);
            let books = || router.ledgers.each_ref().map(|ledger| ledger.lock().unwrap().clone());
            let figures = explained(&mut cast, |_| {
                let [before, after] = books();
                Lost {
                    before: before.lost,
                    after: after.lost,
                    repeated_before: before.repeated,
                    repeated_after: after.repeated,
                }
            });
            figures.report(name, backend.name());
            assert_eq!((figures.kernel, figures.dropped()), (0, 0), "{figures:?}");
            let [before, after] = books();
            assert_passed_on(&cast, &before, &after);
            assert!(habits.lose == 0.0 || before.lost.min(after.repeated) > 0, "{figures:?}");
            cast.end();
        });
    });
}

/// What each sender's payloads were in the order in which the relay got them.
fn by_sender<'a>(said: impl IntoIterator<Item = &'a Said>) -> BTreeMap<u8, Vec<u32>> {
    let mut all = BTreeMap::<u8, Vec<u32>>::new();
    said.into_iter().for_each(|said| all.entry(said.sender).or_default().push(said.number));
    all
}

/// Whoever is here hears them in the order in which the router delivered them, and those there are sent them in it.
#[track_caller]
fn assert_passed_on(cast: &Cast, before: &Ledger, after: &Ledger) {
    let reached = by_sender(&before.delivered);
    assert!(reached.values().any(|numbers| !numbers.is_sorted()), "nothing was reordered");
    let mut compared = 0;
    for member in &cast.members {
        let port = member.client().address().port();
        let is_here = member.client().address().ip().to_string() == HERE;
        let sent = if is_here { by_sender(&member.heard) } else { by_sender(&after.taken[&port]) };
        for (sender, numbers) in sent {
            match reached.get(&sender) {
                Some(order) => assert_eq!(&numbers, order, "{port} of {sender}"),
                // Who is here speaks to the relay without the router.
                None => assert!(numbers.is_sorted_by(|a, b| a < b), "{port} of {sender}: {numbers:?}"),
            }
            compared += 1;
        }
    }
    // Eight members, with three others each.
    assert_eq!(compared, 24);
}

#[test]
fn a_link_that_delays_and_reorders() {
    behind_a_router("delay of 1 to 20 ms, reordering", &Habits { delay: 1.0..20.0, lose: 0.0, repeat: 0.0 });
}

#[test]
fn a_link_that_does_everything() {
    let habits = Habits { delay: 0.0..50.0, lose: 0.1, repeat: 0.2 };
    behind_a_router("delay to 50 ms, reordering, loss of 10 %, duplication of 20 %", &habits);
}
