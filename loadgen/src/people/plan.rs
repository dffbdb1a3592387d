//! What a crowd is to do, resolved and checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::SPARE_PLACES;
use crate::plan::{Arrivals, Load, Plan};

/// What a crowd is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeoplePlan {
    /// Who sends how much for how long, from which sockets. It has no groups to speak of: all people are in one.
    pub plan: Plan,
    /// Part of the people who are offline at any time, 0 to 1.
    pub offline_share: f64,
    /// How long people stay offline, and those who move at one address, on average.
    pub returns: Duration,
    /// Part of the people who change their address again and again, 0 to 1.
    pub moving_share: f64,
}

impl PeoplePlan {
    /// Messages per second of each who is online.
    pub fn rate(&self) -> f64 {
        match self.plan.load {
            Load::Open { rate, .. } => rate,
            Load::InFlight(_) => 0.0,
        }
    }

    /// How the times of messages are spread.
    pub fn arrivals(&self) -> Arrivals {
        match self.plan.load {
            Load::Open { arrivals, .. } => arrivals,
            Load::InFlight(_) => Arrivals::Constant,
        }
    }

    /// People who change their address again and again.
    pub fn movers(&self) -> u32 {
        (f64::from(self.plan.clients) * self.moving_share).round() as u32
    }

    /// Addresses of all people, and for those who move some that nobody has.
    pub fn places(&self) -> u32 {
        self.plan.clients.saturating_add(self.movers().saturating_mul(SPARE_PLACES))
    }

    /// People who are offline at any time.
    pub fn offline(&self) -> u32 {
        (f64::from(self.plan.clients) * self.offline_share).round() as u32
    }
}
