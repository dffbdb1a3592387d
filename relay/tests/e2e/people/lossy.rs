//! Over a network that loses and repeats: each message arrives once, and those of a pair in order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::talker::Talker;
use crate::faults::router::{HERE, Habits, Router, THERE};
use crate::support::{Cable, Client, PATIENCE, RelayOptions, each_backend};

const TALKERS: usize = 4;
const MESSAGES: usize = 15;

#[test]
fn messages_arrive_once_and_in_order_however_lossy_the_way() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let habits = Habits { delay: 1.0..20.0, lose: 0.3, repeat: 0.3 };
            let _router = Router::between(cable, habits);
            let relay = RelayOptions::new(backend).with(["--host", HERE, "--shards", "4"]).start();
            let nobody = BTreeMap::new();
            let address = relay.address();
            let there =
                || cable.over_there(|| Client::from((THERE.parse::<IpAddr>().unwrap(), 0).into(), address));
            let mut talkers: Vec<_> = (0..TALKERS).map(|own| Talker::new(there(), own, &nobody)).collect();
            let ids = || (0..MESSAGES).map(|number| format!("{number:04}"));
            // Everybody has a name before anybody writes to it.
            let start = Instant::now();
            while !talkers.iter().all(Talker::is_done) {
                talkers.iter_mut().for_each(Talker::step);
                assert!(start.elapsed() < PATIENCE, "not everybody has a name");
            }
            for (own, talker) in talkers.iter_mut().enumerate() {
                (0..TALKERS)
                    .filter(|to| *to != own)
                    .for_each(|to| talker.write(&format!("talker{to}"), ids()));
            }
            let has_read = |talker: &Talker| {
                talker.read.values().map(Vec::len).sum::<usize>() == (TALKERS - 1) * MESSAGES
            };
            let start = Instant::now();
            while !talkers.iter().all(|talker| talker.is_done() && has_read(talker)) {
                talkers.iter_mut().for_each(Talker::step);
                assert!(start.elapsed() < 6 * PATIENCE, "not all of it arrives: {talkers:#?}");
            }
            for talker in &talkers {
                assert!(
                    talker.read.values().all(|read| *read == ids().collect::<Vec<_>>()),
                    "{:?}",
                    talker.read
                );
            }
        });
    });
}
