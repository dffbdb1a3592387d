//! A search for capacity, small and on shared cores: it ends, and does not claim what it cannot know.

use crate::common::process::{Backend, RelayOptions};
use crate::common::program::Program;
use crate::common::report::Seen;

#[test]
fn what_shares_its_cores_is_not_called_a_capacity() {
    let relay = RelayOptions::new(Backend::Uring).start();
    let (target, metrics) = (relay.address(), relay.metrics_address());
    let search =
        "--clients 10 --group-size 5 --ramp 0 --min 1 --max 8 --trial 500ms --max-time 30s --max-loss 50%";
    let words = format!("capacity --target {target} --relay-metrics http://{metrics}/metrics {search}");
    let text = Program::new(&words).end();
    let first = text.stdout.lines().find(|line| line.contains("apacity")).unwrap_or_default();
    assert!(matches!(text.code, Some(98)), "{text:?}");
    assert!(text.stderr.is_empty() && first.contains("Not a capacity"), "{text:?}");

    let json = Program::new(&words).word("--json").word("-").end();
    let card = Seen::read(&json.stdout);
    assert_eq!((json.code, card.text("/schema")), (Some(98), "loadgen-capacity/1"));
    assert!(card.text("/title").starts_with("Not a capacity"), "{}", card.text("/title"));
    assert_ne!(card.0["standing"], "capacity");
    let trials = card.0["trials"].as_array().unwrap();
    assert!(
        !trials.is_empty() && trials.iter().all(|trial| trial["load"].as_f64().unwrap() <= 8.0),
        "{trials:?}"
    );
}
