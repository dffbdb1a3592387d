//! A group's members as its readers see them: a snapshot that never changes under them.

use std::sync::Arc;

use crate::{ClientAddr, LocalAddr};

/// One member: where to send, and where from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The client.
    pub client: ClientAddr,
    /// The relay's side, as it was when the client joined.
    pub local: LocalAddr,
}

/// The members of a group. A clone is a snapshot and costs one reference count.
#[derive(Clone, Debug, Default)]
pub struct Roster(Arc<Vec<Member>>);

impl Roster {
    /// The members, in no particular order.
    pub fn members(&self) -> &[Member] {
        &self.0
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A client's position: `hint` if it still is, else wherever it is.
    pub fn position(&self, client: &ClientAddr, hint: u32) -> Option<u32> {
        let is_it = |member: &Member| member.client == *client;
        if self.0.get(hint as usize).is_some_and(is_it) {
            return Some(hint);
        }
        self.0.iter().position(is_it).map(|position| position as u32)
    }

    /// The members from a position on, as far as they lie in one piece; none only behind the last.
    pub fn members_from(&self, position: u32) -> &[Member] {
        &self.0[position as usize..]
    }

    /// True for two clones of one snapshot.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The members to edit. Copies them only if somebody holds a snapshot, so that a thousand joins without traffic
    /// copy nothing.
    pub(crate) fn edit(&mut self) -> &mut Vec<Member> {
        Arc::make_mut(&mut self.0)
    }
    /// The same with room for one more: growing a copy at once would copy it again.
    pub(crate) fn edit_for_one_more(&mut self) -> &mut Vec<Member> {
        if Arc::get_mut(&mut self.0).is_none() {
            let mut copy = Vec::with_capacity(self.len() + self.len() / 8 + 1);
            copy.extend_from_slice(&self.0);
            self.0 = Arc::new(copy);
        }
        self.edit()
    }
}
