//! What the outgoing queue drops is counted, and everything else arrives in order.

use crate::candidate::{Candidate, flush, reporting_on, run_of};
use crate::namespace::{Cable, FAR, NEAR, add_ipv6, tc};
use crate::peer::Peer;

crate::contract![
    a_queue_that_drops_is_counted,
    a_queue_that_drops_is_counted_over_ipv6,
    a_queue_that_drops_fragments_is_counted,
    a_queue_that_drops_whole_runs_is_counted,
];

const NEAR_V6: &str = "fd09::1";
const FAR_V6: &str = "fd09::2";

/// Runs of so many datagrams over a link that is slow and whose queue is short.
fn over_a_short_queue<C: Candidate>(from: String, to: String, count: usize, size: usize) {
    const RUNS: u32 = 200;
    Cable::lay(move |cable| {
        add_ipv6(&format!("{NEAR_V6}/64"), "near");
        cable.over_there(|| add_ipv6(&format!("{FAR_V6}/64"), "far"));
        cable.know_each_other(NEAR_V6, FAR_V6);
        let (mut driver, _) = reporting_on::<C>(&from);
        let far = cable.over_there(|| Peer::on(&to));
        tc("qdisc add dev near root tbf rate 8kbit burst 20000 limit 20000");
        let mut number = 0;
        for batch in [1, 7, 92, 100] {
            for _ in 0..batch {
                let mut text = vec![0; size];
                text[..4].copy_from_slice(&u32::to_be_bytes(number));
                number += 1;
                let run = run_of(&mut driver, far.address, &vec![&text[..]; count]);
                driver.send(&run).unwrap();
            }
            flush(&mut driver);
        }
        assert_eq!(number, RUNS);
        let report = driver.report();
        assert_eq!(report.datagrams + report.failed(), u64::from(RUNS) * count as u64);
        assert!(report.datagrams > 0 && report.failed() > 0, "{report:?}");
        assert!(report.failures.iter().all(|failure| failure.kind == net::FailureKind::BufferFull));
        let sent = report.datagrams;

        tc("qdisc change dev near root tbf rate 1gbit burst 100000 limit 10000000");
        // Behind it nothing is under way.
        let run = run_of(&mut driver, far.address, &[&u32::MAX.to_be_bytes()]);
        driver.send(&run).unwrap();
        flush(&mut driver);
        let arrived: Vec<u32> =
            std::iter::repeat_with(|| u32::from_be_bytes(*far.receive().first_chunk().unwrap()))
                .take_while(|&number| number != u32::MAX)
                .collect();
        assert!(arrived.is_sorted(), "{arrived:?}");
        assert_eq!(arrived.len() as u64, sent);
    });
}

fn a_queue_that_drops_is_counted<C: Candidate>() {
    over_a_short_queue::<C>(format!("{NEAR}:0"), format!("{FAR}:0"), 1, 1000);
    over_a_short_queue::<C>("0.0.0.0:0".into(), format!("{FAR}:0"), 1, 1000);
}

fn a_queue_that_drops_is_counted_over_ipv6<C: Candidate>() {
    over_a_short_queue::<C>(format!("[{NEAR_V6}]:0"), format!("[{FAR_V6}]:0"), 1, 1000);
    over_a_short_queue::<C>("[::]:0".into(), format!("[{FAR_V6}]:0"), 1, 1000);
}

fn a_queue_that_drops_fragments_is_counted<C: Candidate>() {
    over_a_short_queue::<C>(format!("{NEAR}:0"), format!("{FAR}:0"), 1, 4000);
    over_a_short_queue::<C>(format!("{NEAR}:0"), format!("{FAR}:0"), 3, 4000);
}

/// A bucket that is larger than a run lets it through, or drops it, as a whole.
fn a_queue_that_drops_whole_runs_is_counted<C: Candidate>() {
    over_a_short_queue::<C>(format!("{NEAR}:0"), format!("{FAR}:0"), 4, 1000);
}
