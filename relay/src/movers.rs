//! Those who have left a group while something that they said there still waits: what they say elsewhere goes after it.

use std::collections::HashMap;

use engine::{ClientAddr, Listed};

use crate::flows::{FlowIndex, Flows};

/// Who they are, and where what they have said waits. All that waits of one of them is in one flow, whatever groups it goes
/// to, so its order is that of the flow.
#[derive(Default)]
pub struct Movers {
    trails: HashMap<ClientAddr, Trail>,
}

/// A flow with something of a mover's, until its batch of this number is sent or dropped.
#[derive(Clone, Copy)]
struct Trail {
    flow: FlowIndex,
    last: u64,
}

impl Movers {
    /// Forgets those of whom nothing waits any more. The others are no more than payloads that wait, or did so while the
    /// batch was sent that is under way.
    pub fn forget(&mut self, flows: &Flows) {
        if !self.trails.is_empty() {
            self.trails.retain(|_, trail| trail.is_open(flows));
        }
    }

    /// A client has left the group of this flow.
    pub fn note(&mut self, client: ClientAddr, flow: FlowIndex, flows: &Flows) {
        if !self.trails.get(&client).is_some_and(|trail| trail.is_open(flows))
            && let Some(last) = flows.last_of(flow, &client)
        {
            self.trails.insert(client, Trail { flow, last });
        }
    }

    /// The flow that a payload of a roster's member goes to, if it is not that of its group. It becomes the flow's last.
    #[inline(always)] // Once for each payload, of whom there is usually none.
    pub fn follow(&mut self, listed: &Listed, sender: u32, flows: &Flows) -> Option<FlowIndex> {
        if self.trails.is_empty() {
            return None;
        }
        let client = listed.roster.members_from(sender).first()?.client;
        let trail = self.trails.get_mut(&client).filter(|trail| trail.is_open(flows))?;
        trail.last = flows.newest();
        Some(trail.flow)
    }
}

impl Trail {
    fn is_open(self, flows: &Flows) -> bool {
        flows.first_number(self.flow).is_some_and(|first| first <= self.last)
    }
}
