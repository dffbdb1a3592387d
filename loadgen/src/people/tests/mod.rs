//! Crowds against a relay of a few lines, and accounts that do not agree.

mod accounts;
mod crowd;
mod relay;
mod reports;

use std::time::Duration;

use super::PeoplePlan;
use crate::plan::{Plan, example};

/// So many people who are always there.
pub(super) fn plan(people: u32) -> PeoplePlan {
    let plan = Plan { clients: people, groups: 1, ..example() };
    PeoplePlan { plan, offline_share: 0.0, returns: Duration::from_secs(1), moving_share: 0.0 }
}
