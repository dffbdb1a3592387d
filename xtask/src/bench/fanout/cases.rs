//! Which loads the relay is measured under, and what it is to reach.

/// A load.
pub struct Case {
    /// Bytes of each payload.
    pub payload: u16,
    /// All clients, each of them a destination.
    pub clients: u32,
    /// Groups that they are spread over.
    pub groups: u32,
    /// Payloads on their way in each group.
    pub in_flight: u16,
    /// Whether the receivers let the kernel coalesce.
    pub gro: bool,
    /// The ratio to reach, where one is set.
    pub goal: Option<&'static str>,
}

const fn case(
    payload: u16,
    (groups, size): (u32, u32),
    in_flight: u16,
    gro: bool,
    goal: Option<&'static str>,
) -> Case {
    Case { payload, clients: groups * size, groups, in_flight, gro, goal }
}

/// All of them; those with a goal first.
pub const CASES: [Case; 14] = [
    case(512, (1, 100), 64, false, Some("2.2")),
    case(512, (1, 10), 64, false, Some("1.9")),
    case(512, (1, 100), 64, true, Some("13")),
    case(64, (1, 100), 64, true, Some("20")),
    case(512, (1, 100), 1, false, Some("0.85")),
    case(512, (100, 10), 1, false, Some("0.82")),
    case(512, (1, 10_000), 1, false, Some("0.9 of the group of 100 with 1 in flight")),
    case(64, (1, 100), 64, false, None),
    case(64, (1, 10), 64, false, None),
    case(512, (1, 10), 64, true, None),
    case(64, (1, 10), 64, true, None),
    case(512, (1, 10), 1, false, None),
    case(64, (1, 100), 1, false, None),
    case(64, (1, 10), 1, false, None),
];

impl Case {
    /// What `--only` looks at, and the table shows.
    pub fn name(&self) -> String {
        let Case { payload, clients, groups, in_flight, .. } = self;
        let size = clients / groups;
        let who =
            if *groups == 1 { format!("group of {size}") } else { format!("{groups} groups of {size}") };
        let receivers = if self.gro { "GRO" } else { "plain" };
        format!("relay: {payload} B, {who}, {in_flight} in flight, {receivers} receivers")
    }

    /// Whether the relay waits for the last member each time before there is more to do.
    pub fn is_ping_pong(&self) -> bool {
        self.groups == 1 && self.in_flight == 1
    }

    /// For `loadgen run`.
    pub fn flags(&self) -> String {
        let Case { payload, clients, groups, in_flight, .. } = self;
        // Joins of a few clients need no time, those of many at most 20,000 a second.
        let ramp = (clients / 20).max(100);
        // The generator keeps an account of each pair of a sender and a receiver: of 10,000 each it is busy with that.
        let senders = if clients / groups > 1000 { "--senders 1" } else { "" };
        let gro = if self.gro { "--gro" } else { "" };
        format!(
            "--payload {payload} --clients {clients} --groups {groups} --in-flight {in_flight} --ramp {ramp}ms {senders} {gro}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_cases_apart() {
        let names: std::collections::BTreeSet<String> = CASES.iter().map(Case::name).collect();
        assert_eq!(names.len(), CASES.len());
        assert!(names.contains("relay: 512 B, 100 groups of 10, 1 in flight, plain receivers"));
    }
}
