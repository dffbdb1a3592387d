//! Payloads that say who sent them, where, and as which, so that every alteration and every wrong receiver shows.

/// What a payload begins with; no reply of the relay does.
const MARK: u8 = b'p';
const HEAD: usize = 7;

/// The smallest payload.
pub const SMALLEST: usize = HEAD;

/// Who said something to whom, and as which of its payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    pub group: u8,
    pub sender: u8,
    pub number: u32,
}

impl Said {
    /// The payload, of this size.
    pub fn payload(self, size: usize) -> Vec<u8> {
        let seed = u32::from(self.sender) * 7919 + self.number;
        let mut payload: Vec<u8> =
            (0..size as u32).map(|at| (seed.wrapping_mul(31) + at * 7) as u8).collect();
        payload[..3].copy_from_slice(&[MARK, self.group, self.sender]);
        payload[3..HEAD].copy_from_slice(&self.number.to_be_bytes());
        payload
    }

    /// Who has said this; nobody has said a reply.
    #[track_caller]
    pub fn of(payload: &[u8]) -> Option<Self> {
        let (head, _) = payload.split_first_chunk::<HEAD>()?;
        let [MARK, group, sender, number @ ..] = *head else { return None };
        let said = Self { group, sender, number: u32::from_be_bytes(number) };
        assert!(said.payload(payload.len()) == payload, "{said:?} was altered on its way");
        Some(said)
    }
}
