//! The accounts of several shards, or windows, as one list.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use net::FailureKind;

use super::Sketch;

/// Who lost for certain less than this part of what it can have lost is not listed: under a flood of receivers that fail
/// once, it is one of them, and the range says nothing of it.
const LITTLE: u64 = 20;

/// Who lost most, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// Copies lost by all receivers together.
    pub total: u64,
    /// The worst: who lost most for certain.
    pub rows: Vec<Row>,
    /// What anybody who is not listed has lost, at most.
    pub others_at_most: u64,
}

/// One receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its address.
    pub to: SocketAddr,
    /// Copies that it has lost for certain: the sum of `lost`.
    pub at_least: u64,
    /// Copies that it has lost at most. The same as `at_least` unless the list was too short for all who lost any.
    pub at_most: u64,
    /// Copies lost, by [`FailureKind`].
    pub lost: [u64; FailureKind::ALL.len()],
    /// When it last lost one, by the relay's clock.
    pub last: Duration,
}

/// Merges sketches of different parts of the stream and lists so many at most.
pub fn rank<'a>(sketches: impl Iterator<Item = &'a Sketch>, most: usize) -> Ranking {
    let mut ranking = Ranking::default();
    let mut rows: HashMap<SocketAddr, Row> = HashMap::new();
    let mut unseen = 0;
    for sketch in sketches {
        ranking.total += sketch.total();
        let here = sketch.unseen();
        unseen += here;
        for account in sketch.accounts() {
            let row = rows.entry(account.to).or_insert(Row {
                to: account.to,
                at_least: 0,
                at_most: 0,
                lost: Default::default(),
                last: Duration::ZERO,
            });
            row.at_least += account.at_least();
            // What this sketch adds to what the receiver would have lost if it were in none.
            row.at_most += account.before + account.at_least() - here;
            row.lost.iter_mut().zip(account.lost).for_each(|(sum, lost)| *sum += lost);
            row.last = row.last.max(account.last);
        }
    }
    let rows = rows.into_values().map(|row| Row { at_most: row.at_most + unseen, ..row });
    let (listed, mut others): (Vec<_>, Vec<_>) = rows.partition(|row| row.at_least >= row.at_most / LITTLE);
    ranking.rows = listed;
    ranking.rows.sort_by_key(|row| (Reverse((row.at_least, row.at_most)), row.to));
    others.extend(ranking.rows.drain(most.min(ranking.rows.len())..));
    ranking.others_at_most = others.iter().map(|row| row.at_most).fold(unseen, u64::max);
    ranking
}
