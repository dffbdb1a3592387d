//! What an operator decides, resolved and checked; all of it but the ceilings can change while the relay runs.

use std::num::NonZeroU32;
use std::time::Duration;

use wire::GroupId;

use crate::prefixes::Access;
use crate::{Prefixes, limits};

/// How many members a group may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// Up to this many.
    Members(u32),
    /// Any number (`none`).
    Unlimited,
}

/// The settings of every shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The heartbeat suggested to clients. A client is idle after [`limits::IDLE_HEARTBEATS`] of them.
    pub heartbeat: Duration,
    /// How often idle clients and empty groups are swept.
    pub sweep: Duration,
    /// How long an empty group lives.
    pub empty_ttl: Duration,
    /// The cap of groups that the configuration does not declare.
    pub cap: Cap,
    /// How long the payloads of a group may wait for company, unless its [`Terms`] say otherwise: zero, or up to
    /// [`limits::MAX_COALESCE`].
    pub coalesce: Duration,
    /// Live groups of one creator, at most.
    pub max_groups_per_client: u32,
    /// Letters of the ids of new groups, [`limits::MIN_GID_LENGTH`] to [`limits::MAX_GID_LENGTH`].
    pub gid_length: u8,
    /// Payloads a second of one client at most, up to [`limits::MAX_RATE`]; `None` for any number.
    pub max_rate: Option<NonZeroU32>,
    /// Whose datagrams are taken at all.
    pub access: Access,
    /// Who has to show that it is where it says it is.
    pub admission: AdmissionMode,
    /// IP bytes a second that all unproved members together get by [`AdmissionMode::Auto`].
    pub unproved_egress: u64,
    /// Prefixes whose addresses count as proved.
    pub trust: Prefixes,
    /// The group that who registers in no group comes into. The configuration declares it, too.
    pub lobby: Option<GroupId>,
    /// Ceilings of the whole relay.
    pub ceilings: Ceilings,
}

/// Who has to show that it is where it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionMode {
    /// Nobody.
    Open,
    /// Nobody in peace; while the relay is under attack whoever joins.
    Auto,
    /// Whoever joins.
    Strict,
}

/// What the configuration says of a group that it declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Its cap; without one it has none.
    pub cap: Option<Cap>,
    /// How long its payloads may wait for company, zero for not at all; without it the common [`Settings::coalesce`]
    /// counts.
    pub coalesce: Option<Duration>,
}

/// What the relay holds at most, over all shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// Clients.
    pub clients: u32,
    /// Groups.
    pub groups: u32,
    /// Groups that nobody ever joined.
    pub unjoined_groups: u32,
}

impl Settings {
    /// Silence after which a client is swept.
    pub fn idle_limit(&self) -> Duration {
        self.heartbeat.saturating_mul(limits::IDLE_HEARTBEATS)
    }

    /// The sweep interval in milliseconds, 1 at least.
    pub(crate) fn sweep_millis(&self) -> u64 {
        u64::try_from(self.sweep.as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

impl Default for Settings {
    /// The original server's defaults.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(60),
            sweep: Duration::from_secs(30),
            empty_ttl: Duration::from_secs(300),
            cap: Cap::Members(limits::DEFAULT_CAP),
            coalesce: Duration::ZERO,
            max_groups_per_client: limits::DEFAULT_GROUPS_PER_CLIENT,
            gid_length: limits::MIN_GID_LENGTH,
            max_rate: None,
            access: Access::default(),
            admission: AdmissionMode::Auto,
            unproved_egress: limits::DEFAULT_UNPROVED_EGRESS,
            trust: Prefixes::loopback(),
            lobby: None,
            ceilings: Ceilings::default(),
        }
    }
}

impl From<Option<Cap>> for Terms {
    /// Nothing but a cap.
    fn from(cap: Option<Cap>) -> Self {
        Self { cap, ..Self::default() }
    }
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            clients: limits::MAX_CLIENTS,
            groups: limits::MAX_GROUPS,
            unjoined_groups: limits::MAX_UNJOINED_GROUPS,
        }
    }
}

impl Cap {
    /// True if a group of `members` may have one more.
    pub fn admits_one_more(self, members: usize) -> bool {
        match self {
            Cap::Members(cap) => members < cap as usize,
            Cap::Unlimited => true,
        }
    }
}
