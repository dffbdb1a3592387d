//! Cutting the payloads of a batch into runs: what each member gets, in which sends.

use net::{Driver, Gather, Part, Run};

use crate::work::Queued;

/// The sends of one batch. Members that sent nothing share the first sequence; each sender has its own, without its
/// own payloads.
#[derive(Default)]
pub struct Plan {
    /// The runs of all sequences, one sequence after the other.
    spans: Vec<Span>,
    shared: Sequence,
    /// Senders by position, ascending, with their sequence.
    senders: Vec<(u32, Sequence)>,
    rounds: usize,
    parts: Vec<Part>,
    /// Those of them that one sender hears.
    heard: Vec<Part>,
    /// The payloads of each sender, by the sender's position and their own.
    own: Vec<(u32, u16)>,
    /// One sender's payloads.
    skipped: Vec<u16>,
}

/// Runs that one receiver gets, in order, as a stretch of [`Plan::spans`].
#[derive(Clone, Copy, Default)]
struct Sequence {
    start: u32,
    count: u32,
}

/// A run, as a stretch of its sequence's gather list.
#[derive(Clone, Copy)]
pub struct Span {
    /// The datagrams.
    pub gather: Gather,
    /// Bytes of each but the last.
    pub size: u16,
    /// Bytes of all.
    pub bytes: u32,
}

impl Plan {
    /// Plans a batch, for members who get this part of each payload. Its gather lists are the driver's, so a plan is good for one turn.
    pub fn make<D: Driver>(
        &mut self,
        payloads: &[Queued],
        driver: &mut D,
        part: impl Fn(&Queued, &mut D) -> Part,
    ) {
        self.spans.clear();
        self.senders.clear();
        self.parts.clear();
        self.parts.extend(payloads.iter().map(|payload| part(payload, driver)));
        let list = driver.gather(&self.parts);
        let size = self.parts.first().map(|part| part.len());
        let common = size.filter(|size| self.parts.iter().all(|part| part.len() == *size));
        self.shared = self.add_sequence(list, common);
        self.rounds = self.shared.count as usize;
        if let [only] = payloads {
            // Nothing is left for its sender.
            self.senders.push((only.sender, Sequence::default()));
            return;
        }
        self.own.clear();
        self.own.extend(payloads.iter().zip(0..).map(|(payload, at)| (payload.sender, at)));
        self.own.sort_unstable();
        let mut first = 0;
        while first < self.own.len() {
            first = self.add_sender(first, payloads, (list, common), driver);
        }
    }

    /// How many runs the receiver with the most runs gets.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// The runs of one round for the members from `first` on, in order of their positions.
    pub fn round(&self, round: usize, first: u32) -> impl FnMut(u32) -> Option<Span> {
        let shared = self.span(self.shared, round);
        let mut next = self.senders.partition_point(|(position, _)| *position < first);
        move |position| match self.senders.get(next) {
            Some(&(sender, own)) if sender == position => {
                next += 1;
                self.span(own, round)
            }
            _ => shared,
        }
    }

    fn span(&self, sequence: Sequence, round: usize) -> Option<Span> {
        (round < sequence.count as usize).then(|| self.spans[sequence.start as usize + round])
    }

    /// Adds the sequence of the sender whose payloads begin at `first` of [`Plan::own`]; returns where the next one's
    /// begin.
    fn add_sender(
        &mut self,
        first: usize,
        payloads: &[Queued],
        (list, common): (Gather, Option<usize>),
        driver: &mut impl Driver,
    ) -> usize {
        let sender = self.own[first].0;
        let own = self.own[first..].iter().take_while(|(position, _)| *position == sender);
        self.skipped.clear();
        self.skipped.extend(own.map(|(_, at)| *at));
        let heard = driver.gather_without(list, &self.skipped);
        if common.is_none() {
            self.heard.clear();
            let others = self.parts.iter().zip(payloads).filter(|(_, payload)| payload.sender != sender);
            self.heard.extend(others.map(|(part, _)| *part));
            std::mem::swap(&mut self.parts, &mut self.heard);
        }
        let sequence = self.add_sequence(heard, common);
        if common.is_none() {
            std::mem::swap(&mut self.parts, &mut self.heard);
        }
        self.senders.push((sender, sequence));
        self.rounds = self.rounds.max(sequence.count as usize);
        first + self.skipped.len()
    }

    /// Cuts a list into runs: datagrams of the common size, or else those of [`Plan::parts`].
    fn add_sequence(&mut self, list: Gather, common: Option<usize>) -> Sequence {
        let first = self.spans.len();
        let (mut start, mut left) = (list.start, list.count);
        while left > 0 {
            let at = usize::from(list.count - left);
            let span = common
                .map_or_else(|| first_run(&self.parts[at..], start), |size| run_of_equals(left, size, start));
            start += u32::from(span.gather.count);
            left -= span.gather.count;
            self.spans.push(span);
        }
        Sequence { start: first as u32, count: (self.spans.len() - first) as u32 }
    }
}

/// The longest run of datagrams of one size, of which there are `left`.
fn run_of_equals(left: u16, size: usize, start: u32) -> Span {
    let most = (Run::MAX_BYTES / size.max(1)).clamp(1, Run::MAX_DATAGRAMS) as u16;
    let count = left.min(most);
    Span { gather: Gather { start, count }, size: size as u16, bytes: u32::from(count) * size as u32 }
}

/// The longest run at the beginning: datagrams of one size, of which a shorter one may be the last.
fn first_run(parts: &[Part], start: u32) -> Span {
    let size = parts[0].len();
    let (mut count, mut bytes) = (0, 0);
    for part in parts.iter().take(Run::MAX_DATAGRAMS) {
        if part.len() > size || bytes + part.len() > Run::MAX_BYTES {
            break;
        }
        count += 1;
        bytes += part.len();
        if part.len() < size {
            break;
        }
    }
    Span { gather: Gather { start, count }, size: size as u16, bytes: bytes as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net::BufferId;
    use proptest::prelude::*;

    fn part(len: u16) -> Part {
        Part::Received { buffer: BufferId(0), offset: 0, len }
    }

    fn runs(sizes: &[u16]) -> Vec<Vec<u16>> {
        let parts: Vec<Part> = sizes.iter().map(|&size| part(size)).collect();
        let (mut start, mut runs) = (0, Vec::new());
        while start < parts.len() {
            let count = usize::from(first_run(&parts[start..], start as u32).gather.count);
            runs.push(sizes[start..start + count].to_vec());
            start += count;
        }
        runs
    }

    #[test]
    fn a_run_is_cut_where_the_size_changes_and_a_shorter_one_closes_it() {
        assert_eq!(runs(&[5, 5, 5]), [vec![5, 5, 5]]);
        assert_eq!(runs(&[5, 5, 3, 5]), [vec![5, 5, 3], vec![5]]);
        assert_eq!(runs(&[3, 5, 5]), [vec![3], vec![5, 5]]);
        assert_eq!(runs(&[5, 4, 3]), [vec![5, 4], vec![3]]);
    }

    #[test]
    fn a_run_is_bounded_in_number_and_bytes() {
        assert_eq!(runs(&[1; 65]).iter().map(Vec::len).collect::<Vec<_>>(), [64, 1]);
        assert_eq!(runs(&[4096; 20]).iter().map(Vec::len).collect::<Vec<_>>(), [15, 5]);
    }

    #[test]
    fn a_run_of_equals_is_the_same_as_any() {
        for (count, size) in [(1, 4096), (3, 1), (64, 1023), (64, 1024), (200, 500), (20, 4096)] {
            let parts = vec![part(size); count];
            let (any, equals) = (first_run(&parts, 7), run_of_equals(count as u16, size.into(), 7));
            assert_eq!((any.gather, any.size, any.bytes), (equals.gather, equals.size, equals.bytes));
        }
    }

    proptest! {
        #[test]
        fn runs_keep_every_datagram_in_order(sizes in proptest::collection::vec(1u16..5, 0..200)) {
            let runs = runs(&sizes);
            prop_assert_eq!(runs.concat(), sizes);
            for run in runs {
                let (last, others) = run.split_last().unwrap();
                prop_assert!(others.iter().all(|size| *size == run[0]) && *last <= run[0]);
            }
        }
    }
}
