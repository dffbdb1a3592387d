//! A relay that forgets everybody in the middle of a run.

use crate::accounts::{WAYS, all_at_once};
use crate::common::eventually;
use crate::common::program::Program;
use crate::common::relay::LossyRelay;

#[test]
fn everybody_joins_again() {
    all_at_once(&WAYS, |way| {
        let relay = LossyRelay::with(Default::default());
        let load =
            "--clients 40 --group-size 10 --rate 10 --ramp 200ms --duration 4s --heartbeat 1h --json -";
        let running = Program::run(relay.address(), &format!("{load} {way}")).start();
        eventually("payloads", || (relay.truth().payloads > 400).then_some(()));
        relay.restart();
        let seen = running.end().report();
        let truth = relay.truth();

        assert_eq!((seen.total("evictions"), seen.members()), (40, 40), "{way}");
        // Everybody found out by a payload of its own, or by several before the first answer.
        assert!(truth.refused >= 40, "{way}: {truth:?}");
        assert_eq!(seen.number("/sent"), truth.payloads + truth.refused, "{way}");
        assert_eq!(seen.number("/received") + seen.total("in_transition"), truth.delivered, "{way}");
        let (expected, received, lost) =
            (seen.number("/expected"), seen.number("/received"), seen.number("/lost"));
        assert!(lost >= 40 && expected == received + lost, "{way}: {expected} = {received} + {lost}");
        assert!(
            seen.reasons().iter().any(|reason| reason.contains("40 members were forgotten")),
            "{:?}",
            seen.reasons()
        );
    });
}
