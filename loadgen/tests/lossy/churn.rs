//! Members leave and join all the time, and the accounts are exact nevertheless.

use crate::accounts::{WAYS, all_at_once};
use crate::common::program::Program;
use crate::common::relay::{Faults, LossyRelay, Truth};
use crate::common::report::Seen;

/// At any time a third of the clients is about to leave or to join.
const LOAD: &str = "--clients 60 --group-size 10 --rate 8 --churn 20 --duration 4s --ramp 500ms";

/// A run under churn, in which the generator knows of every payload and of every copy that was delivered.
fn churned(faults: Faults, words: &str) -> (Seen, Truth) {
    let relay = LossyRelay::with(faults);
    let seen = Program::run(relay.address(), &format!("{LOAD} {words}")).report();
    let truth = relay.truth();
    assert_eq!((seen.number("/sent"), 0), (truth.payloads, truth.refused), "{words}");
    assert_eq!(seen.number("/received") + seen.total("in_transition"), truth.delivered, "{words}");
    assert_eq!((seen.total("evictions"), seen.total("misdelivered")), (0, 0), "{words}");
    assert!(seen.total("leaves") > 0 && seen.total("in_transition") > 0, "{words}: {:?}", seen.0);
    (seen, truth)
}

#[test]
fn who_comes_and_goes_loses_nothing() {
    all_at_once(&WAYS, |way| {
        let (seen, truth) = churned(Faults::default(), way);
        assert_eq!(seen.number("/expected"), seen.number("/received"), "{way}");
        let all = ["/lost", "/duplicated", "/reordered", "/corrupted"].map(|key| seen.number(key));
        assert_eq!(all, [0; 4], "{way}");
        assert_eq!(truth.delivered, truth.copies, "{way}");
    });
}

#[test]
fn what_is_lost_is_what_members_were_to_get() {
    all_at_once(&WAYS, |way| {
        let (seen, truth) = churned(Faults { drop_from_present: 0.1, ..Faults::default() }, way);
        assert!(truth.dropped > 0, "{way}: {truth:?}");
        assert_eq!(seen.number("/lost"), truth.dropped, "{way}");
    });
}

/// Here the relay cannot know whom the generator counts: it drops copies of those that come and go, too.
#[test]
fn what_comers_and_goers_lose_does_not_count() {
    let (seen, truth) = churned(Faults { drop: 0.1, ..Faults::default() }, "");
    let lost = seen.number("/lost");
    assert!(0 < lost && lost < truth.dropped, "{lost} of {}", truth.dropped);
}

#[test]
fn repeats_of_what_comers_and_goers_get_do_not_count() {
    let (seen, truth) = churned_with_repeats();
    assert_eq!(seen.number("/lost"), 0);
    let duplicated = seen.number("/duplicated");
    assert!(0 < duplicated && duplicated <= truth.duplicated, "{duplicated} of {}", truth.duplicated);
    let all = seen.number("/received") + duplicated + seen.total("in_transition");
    assert_eq!(all, truth.delivered + truth.duplicated);
}

fn churned_with_repeats() -> (Seen, Truth) {
    let relay = LossyRelay::with(Faults { duplicate: 0.1, ..Faults::default() });
    let seen = Program::run(relay.address(), LOAD).report();
    (seen, relay.truth())
}
