//! Which loads the relay is measured under, and what it is to reach.

/// A load.
pub struct Case {
    /// Of each payload.
    pub payload: Size,
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
    /// More flags for the relay.
    pub relay: &'static [&'static str],
}

/// Of payloads.
#[derive(Clone, Copy)]
pub enum Size {
    /// So many bytes.
    Bytes(u16),
    /// loadgen's `mix`.
    Mixed,
}

impl Size {
    /// Bytes.
    pub fn mean(self) -> u16 {
        match self {
            Size::Bytes(bytes) => bytes,
            Size::Mixed => (7 * 64 + 4 * 512 + 1200) / 12,
        }
    }
}

const fn case(
    bytes: u16,
    (groups, size): (u32, u32),
    in_flight: u16,
    gro: bool,
    goal: Option<&'static str>,
) -> Case {
    let payload = Size::Bytes(bytes);
    Case { payload, clients: groups * size, groups, in_flight, gro, goal, relay: &[] }
}

/// Deep in each of many groups, where a hold lets the payloads of a group meet.
const DEEP: Case = case(512, (100, 10), 64, false, None);

/// All of them; those with a goal first.
pub const CASES: [Case; 17] = [
    case(512, (1, 100), 64, false, Some("2.2")),
    case(512, (1, 10), 64, false, Some("1.9")),
    case(512, (1, 100), 64, true, Some("13")),
    case(64, (1, 100), 64, true, Some("20")),
    case(512, (1, 100), 1, false, Some("0.85")),
    case(512, (100, 10), 1, false, Some("0.82")),
    case(512, (1, 10_000), 1, false, Some("0.9 of the group of 100 with 1 in flight")),
    Case { goal: Some("1.9"), relay: &["--coalesce=5ms"], ..DEEP },
    DEEP,
    Case { payload: Size::Mixed, ..case(0, (1, 100), 64, false, None) },
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
        let what = match payload {
            Size::Bytes(bytes) => format!("{bytes} B"),
            Size::Mixed => "mixed sizes".to_owned(),
        };
        let receivers = if self.gro { "GRO" } else { "plain" };
        let more: String = self.relay.iter().map(|flag| format!(", relay with {flag}")).collect();
        format!("relay: {what}, {who}, {in_flight} in flight, {receivers} receivers{more}")
    }

    /// Whether the relay waits for the last member each time before there is more to do.
    pub fn is_ping_pong(&self) -> bool {
        self.groups == 1 && self.in_flight == 1
    }

    /// For `loadgen run`.
    pub fn flags(&self) -> String {
        let Case { clients, groups, in_flight, .. } = self;
        let payload = match self.payload {
            Size::Bytes(bytes) => bytes.to_string(),
            Size::Mixed => "mix".to_owned(),
        };
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
        assert!(names.contains(
            "relay: 512 B, 100 groups of 10, 64 in flight, plain receivers, relay with --coalesce=5ms"
        ));
    }

    #[test]
    fn a_mix_weighs_its_sizes() {
        assert_eq!(Size::Mixed.mean(), 308);
    }
}
