//! The bytes of this turn's datagrams: part lists, composed text, and the iovecs that the kernel reads them
//! by.

use std::ptr;

use nix::libc::{c_void, iovec};

use crate::driver::{Gather, Part, Run};
use crate::pool::Pool;

/// Lists of parts and the texts that were composed for them. Grows with a turn, and keeps its room for the
/// next.
#[derive(Default)]
pub(crate) struct Gathered {
    parts: Vec<Part>,
    /// One for each part; those of composed texts have no address before [`Gathered::resolve`].
    iovecs: Vec<iovec>,
    text: Vec<u8>,
    /// Parts from here on may have been composed since the last [`Gathered::resolve`].
    unresolved: usize,
    /// Where the text was when its parts were resolved; growth moves it.
    text_start: usize,
}

impl Gathered {
    pub(crate) fn compose(&mut self, text: &[u8]) -> Part {
        let len = u16::try_from(text.len()).expect("a composed text is one datagram");
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Part::Composed { start, len }
    }

    pub(crate) fn compose_before(&mut self, text: &[u8], part: Part, pool: &Pool) -> Part {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        match part {
            Part::Received { buffer, offset, len } => {
                self.text.extend_from_slice(pool.part_bytes(buffer, offset, len));
            }
            Part::Composed { start, len } => {
                self.text.extend_from_within(start as usize..start as usize + usize::from(len));
            }
        }
        let len = u16::try_from(self.text.len() - start as usize).expect("a composed text is one datagram");
        Part::Composed { start, len }
    }

    pub(crate) fn gather(&mut self, parts: &[Part], pool: &Pool) -> Gather {
        let count = u16::try_from(parts.len()).expect("a list holds one run");
        let start = self.parts.len() as u32;
        for &part in parts {
            let base = match part {
                Part::Received { buffer, offset, len } => pool.part(buffer, offset, len),
                Part::Composed { start, len } => {
                    assert!(
                        start as usize + usize::from(len) <= self.text.len(),
                        "a text of an earlier turn"
                    );
                    ptr::null()
                }
            };
            self.parts.push(part);
            self.iovecs.push(iovec { iov_base: base as *mut c_void, iov_len: part.len() });
        }
        Gather { start, count }
    }

    pub(crate) fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        assert!(self.holds(list), "a list of an earlier turn");
        let start = self.parts.len() as u32;
        let mut next = 0;
        for &skip in skipped.iter().chain([&list.count]) {
            assert!(next <= skip && skip <= list.count, "positions ascend, within the list");
            let stretch = list.start as usize + usize::from(next)..list.start as usize + usize::from(skip);
            self.parts.extend_from_within(stretch.clone());
            self.iovecs.extend_from_within(stretch);
            next = skip + 1;
        }
        Gather { start, count: (self.parts.len() as u32 - start) as u16 }
    }

    /// Gives every composed part its address, and returns all iovecs. They hold until the next change.
    pub(crate) fn resolve(&mut self) -> &mut [iovec] {
        let text = self.text.as_ptr();
        if text.addr() != self.text_start {
            self.text_start = text.addr();
            self.unresolved = 0;
        }
        for (part, iovec) in self.parts.iter().zip(&mut self.iovecs).skip(self.unresolved) {
            if let Part::Composed { start, .. } = *part {
                iovec.iov_base = text.wrapping_add(start as usize) as *mut c_void;
            }
        }
        self.unresolved = self.parts.len();
        &mut self.iovecs
    }

    /// True for a list of this turn.
    pub(crate) fn holds(&self, gather: Gather) -> bool {
        gather.start as usize + usize::from(gather.count) <= self.parts.len()
    }

    /// True if the sizes of a run are those of its list.
    pub(crate) fn matches(&self, run: &Run) -> bool {
        let parts = &self.parts[run.gather.start as usize..][..usize::from(run.gather.count)];
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let size = usize::from(run.size);
        let Some((last, others)) = parts.split_last() else { return true };
        total == run.bytes as usize && last.len() <= size && others.iter().all(|part| part.len() == size)
    }

    pub(crate) fn len_of(&self, part: u32) -> u32 {
        self.parts[part as usize].len() as u32
    }

    /// The listed part at this position, and its bytes.
    pub(crate) fn bytes<'a>(&'a self, at: u32, pool: &'a Pool) -> (Part, &'a [u8]) {
        let part = self.parts[at as usize];
        let bytes = match part {
            Part::Received { buffer, offset, len } => pool.part_bytes(buffer, offset, len),
            Part::Composed { start, len } => &self.text[start as usize..][..usize::from(len)],
        };
        (part, bytes)
    }

    pub(crate) fn clear(&mut self) {
        self.parts.clear();
        self.iovecs.clear();
        self.text.clear();
        self.unresolved = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(iovec: &iovec) -> &[u8] {
        // SAFETY: resolved just before, and nothing has changed since.
        unsafe { std::slice::from_raw_parts(iovec.iov_base.cast(), iovec.iov_len) }
    }

    #[test]
    fn a_text_is_composed_before_any_part() {
        let mut pool = Pool::new(64, 64);
        let buffer = pool.lend(7);
        let mut gathered = Gathered::default();
        let received =
            gathered.compose_before(b"before", Part::Received { buffer, offset: 3, len: 4 }, &pool);
        let twice = gathered.compose_before(b"twice ", received, &pool);
        gathered.gather(&[received, twice], &pool);
        let iovecs = gathered.resolve();
        assert_eq!(read(&iovecs[0]), b"before\0\0\0\0");
        assert_eq!(read(&iovecs[1]), b"twice before\0\0\0\0");
    }

    #[test]
    fn composed_text_survives_growth() {
        let pool = Pool::new(64, 64);
        let mut gathered = Gathered::default();
        for round in 0..1000_u32 {
            let part = gathered.compose(&round.to_ne_bytes());
            gathered.gather(&[part], &pool);
            if round % 7 == 0 {
                gathered.resolve();
            }
        }
        for (round, iovec) in gathered.resolve().iter().enumerate() {
            assert_eq!(read(iovec), (round as u32).to_ne_bytes());
        }
    }

    #[test]
    fn a_list_without_some_has_the_others() {
        let pool = Pool::new(64, 64);
        let mut gathered = Gathered::default();
        let parts: Vec<Part> = (0..5_u8).map(|number| gathered.compose(&[number])).collect();
        let all = gathered.gather(&parts, &pool);
        let others = |skipped: &[u16], gathered: &mut Gathered| {
            let list = gathered.gather_without(all, skipped);
            let iovecs = &gathered.resolve()[list.start as usize..][..usize::from(list.count)];
            iovecs.iter().map(|iovec| read(iovec)[0]).collect::<Vec<_>>()
        };
        assert_eq!(others(&[], &mut gathered), [0, 1, 2, 3, 4]);
        assert_eq!(others(&[0, 3], &mut gathered), [1, 2, 4]);
        assert_eq!(others(&[1, 2, 4], &mut gathered), [0, 3]);
        assert_eq!(others(&[0, 1, 2, 3, 4], &mut gathered), []);
    }

    #[test]
    #[should_panic(expected = "positions ascend")]
    fn a_list_has_no_more_than_it_has() {
        let mut gathered = Gathered::default();
        let part = gathered.compose(b"one");
        let list = gathered.gather(&[part], &Pool::new(64, 64));
        gathered.gather_without(list, &[1]);
    }

    #[test]
    #[should_panic(expected = "earlier turn")]
    fn a_text_lives_one_turn() {
        let pool = Pool::new(64, 64);
        let mut gathered = Gathered::default();
        let part = gathered.compose(b"gone");
        gathered.clear();
        gathered.gather(&[part], &pool);
    }
}
