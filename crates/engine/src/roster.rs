//! A group's members as its readers see them: a snapshot that never changes under them.

use std::sync::Arc;

use crate::limits::{ROSTER_BRANCHES, ROSTER_CHUNK};
use wire::Form;

use crate::{ClientAddr, LocalAddr};

/// One member: where to send, and where from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The client.
    pub client: ClientAddr,
    /// The relay's side, as it was when the client joined.
    pub local: LocalAddr,
    /// The client has shown that it receives what is sent to its address.
    pub proved: bool,
    /// How the client wants to be spoken to.
    pub form: Form,
}

/// The members of a group, in no particular order. A clone is a snapshot and costs one reference count.
///
/// They lie in chunks, and where one chunk is not enough these are the leaves of a tree. An edit copies what snapshots
/// share of the path to one chunk, and nothing where nobody holds a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    root: Arc<Node>,
    len: u32,
    /// Branches above each chunk: as few as the length allows.
    height: u32,
    unproved: Unproved,
    forms: Forms,
}

/// How many members are not proved, and how many of those are reached by IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unproved {
    all: u32,
    v6: u32,
}

/// How many members are extended clients, how many of those want to know who speaks, and how many members are reached by TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Forms {
    extended: u32,
    with_sender: u32,
    far: u32,
}

#[derive(Debug)]
enum Node {
    /// A chunk; only the last one is not full.
    Leaf(Vec<Member>),
    /// Only the last child is not full.
    Branch(Vec<Arc<Node>>),
}

impl Roster {
    /// The members, in the order of their positions.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        (0..self.len).step_by(ROSTER_CHUNK).flat_map(|start| self.members_from(start))
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A client's position: `hint` if it still is, else wherever it is.
    #[inline]
    pub fn position(&self, client: &ClientAddr, hint: u32) -> Option<u32> {
        if self.is_at(client, hint) {
            return Some(hint);
        }
        for start in (0..self.len).step_by(ROSTER_CHUNK) {
            let chunk = self.members_from(start);
            if let Some(position) = chunk.iter().position(|member| member.client == *client) {
                return Some(start + position as u32);
            }
        }
        None
    }

    /// The members from a position on, as far as they lie in one piece; none only behind the last.
    #[inline]
    pub fn members_from(&self, position: u32) -> &[Member] {
        if position >= self.len {
            return &[];
        }
        let (mut node, mut height) = (&*self.root, self.height);
        loop {
            match node {
                Node::Leaf(members) => return &members[position as usize % ROSTER_CHUNK..],
                Node::Branch(children) => {
                    (node, height) = (&children[child_of(position, height)], height - 1);
                }
            }
        }
    }

    /// How many members are not proved.
    #[inline]
    pub fn unproved(&self) -> u32 {
        self.unproved.all
    }

    /// How many members are extended clients.
    #[inline]
    pub fn extended(&self) -> u32 {
        self.forms.extended
    }

    /// How many members want to know who speaks.
    #[inline]
    pub fn with_sender(&self) -> u32 {
        self.forms.with_sender
    }

    /// True if not all members are base clients by UDP.
    #[inline]
    pub fn is_mixed(&self) -> bool {
        self.forms.extended | self.forms.far != 0
    }

    /// How many members are connected by TCP.
    #[inline]
    pub fn far(&self) -> u32 {
        self.forms.far
    }

    /// IP bytes of a payload's copies for all members that are not proved.
    #[inline]
    pub(crate) fn unproved_bytes(&self, payload: usize) -> u64 {
        let Unproved { all, v6 } = self.unproved;
        u64::from(all) * (payload as u64 + 28) + u64::from(v6) * 20
    }

    /// True for two clones of one snapshot.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.root, &other.root)
    }

    /// The member at a position.
    #[inline]
    pub(crate) fn get(&self, position: u32) -> Option<&Member> {
        self.members_from(position).first()
    }

    /// True if the client is the member at a position.
    #[inline]
    pub fn is_at(&self, client: &ClientAddr, position: u32) -> bool {
        self.get(position).is_some_and(|member| member.client == *client)
    }

    /// Adds a member behind the last.
    pub(crate) fn push(&mut self, member: Member) {
        if self.len() == ROSTER_CHUNK * ROSTER_BRANCHES.pow(self.height) {
            let full = std::mem::replace(&mut self.root, Arc::new(Node::branch()));
            if let Node::Branch(children) = Arc::make_mut(&mut self.root) {
                children.push(full);
            }
            self.height += 1;
        }
        Arc::make_mut(&mut self.root).push(self.height, self.len, member);
        self.len += 1;
        self.unproved.add(&member);
        self.forms.add(&member);
    }

    /// Takes a member away; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, position: u32) {
        let Some(last) = Arc::make_mut(&mut self.root).pop() else { return };
        self.len -= 1;
        self.unproved.subtract(&last);
        self.forms.subtract(&last);
        if position < self.len {
            self.replace(position, last);
        }
        while let Node::Branch(children) = &*self.root
            && let [only] = &children[..]
        {
            self.root = Arc::clone(only);
            self.height -= 1;
        }
    }

    /// Puts a member in the place of another.
    pub(crate) fn replace(&mut self, position: u32, member: Member) {
        let mut node = Arc::make_mut(&mut self.root);
        for height in (1..=self.height).rev() {
            let Node::Branch(children) = node else { return };
            node = Arc::make_mut(&mut children[child_of(position, height)]);
        }
        if let Node::Leaf(members) = node {
            let old = std::mem::replace(&mut members[position as usize % ROSTER_CHUNK], member);
            self.unproved.subtract(&old);
            self.forms.subtract(&old);
            self.unproved.add(&member);
            self.forms.add(&member);
        }
    }
}

impl Unproved {
    fn add(&mut self, member: &Member) {
        self.all += u32::from(!member.proved);
        self.v6 += u32::from(!member.proved && member.client.is_v6());
    }

    fn subtract(&mut self, member: &Member) {
        self.all -= u32::from(!member.proved);
        self.v6 -= u32::from(!member.proved && member.client.is_v6());
    }
}

impl Forms {
    fn add(&mut self, member: &Member) {
        self.extended += u32::from(member.form != Form::Base);
        self.with_sender += u32::from(member.form == Form::WithSender);
        self.far += u32::from(member.client.is_stream());
    }

    fn subtract(&mut self, member: &Member) {
        self.extended -= u32::from(member.form != Form::Base);
        self.with_sender -= u32::from(member.form == Form::WithSender);
        self.far -= u32::from(member.client.is_stream());
    }
}

/// Which child of a branch of this height leads to a position.
#[inline]
fn child_of(position: u32, height: u32) -> usize {
    (position as usize / ROSTER_CHUNK) >> (ROSTER_BRANCHES.ilog2() * (height - 1)) & (ROSTER_BRANCHES - 1)
}

impl Node {
    /// Without children; room for all of them, because a branch is small beside what is below it.
    fn branch() -> Self {
        Node::Branch(Vec::with_capacity(ROSTER_BRANCHES))
    }

    /// `at`: the position behind the last, and not in a full root.
    fn push(&mut self, height: u32, at: u32, member: Member) {
        match self {
            Node::Leaf(members) => {
                if members.len() == members.capacity() {
                    // Never more than a chunk.
                    members.reserve_exact(members.len().max(4).min(ROSTER_CHUNK - members.len()));
                }
                members.push(member);
            }
            Node::Branch(children) => {
                let child = child_of(at, height);
                if child == children.len() {
                    // A chunk behind a full one is made at its full size.
                    let empty = if height == 1 {
                        Node::Leaf(Vec::with_capacity(ROSTER_CHUNK))
                    } else {
                        Node::branch()
                    };
                    children.push(Arc::new(empty));
                }
                Arc::make_mut(&mut children[child]).push(height - 1, at, member);
            }
        }
    }

    /// Takes the last member away, and what is empty without it.
    fn pop(&mut self) -> Option<Member> {
        match self {
            Node::Leaf(members) => members.pop(),
            Node::Branch(children) => {
                let child = Arc::make_mut(children.last_mut()?);
                let member = child.pop();
                if child.is_empty() {
                    children.pop();
                }
                member
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Node::Leaf(members) => members.is_empty(),
            Node::Branch(children) => children.is_empty(),
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Node::Leaf(Vec::new())
    }
}

impl Clone for Node {
    /// With room for a few more: growing a copy at once would copy it again.
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(members) => {
                let room = (members.len() + members.len() / 8 + 1).min(ROSTER_CHUNK);
                let mut copy = Vec::with_capacity(room);
                copy.extend_from_slice(members);
                Node::Leaf(copy)
            }
            Node::Branch(children) => {
                let mut copy = Vec::with_capacity(ROSTER_BRANCHES);
                copy.extend(children.iter().map(Arc::clone));
                Node::Branch(copy)
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;

    const FORMS: [Form; 3] = [Form::Base, Form::Extended, Form::WithSender];

    fn member(number: u32) -> Member {
        let port = (number % 60_000 + 1) as u16;
        let host = std::net::Ipv4Addr::from(number / 60_000);
        let client = match number % 3 {
            0 => (host.to_ipv6_compatible(), port).into(),
            _ => (host, port).into(),
        };
        let is_stream = number.is_multiple_of(7);
        let client = if is_stream { ClientAddr::by_stream(client) } else { ClientAddr::new(client) };
        Member {
            client: client.unwrap(),
            local: LocalAddr::new(0, None),
            proved: number.is_multiple_of(2),
            form: FORMS[number as usize % 5 % 3],
        }
    }

    /// The same members at the same positions, by every way to read them.
    fn check(roster: &Roster, model: &[Member]) {
        assert_eq!((roster.len(), roster.is_empty()), (model.len(), model.is_empty()));
        let unproved = model.iter().filter(|member| !member.proved);
        assert_eq!(roster.unproved() as usize, unproved.clone().count());
        assert_eq!(
            roster.unproved_bytes(100),
            unproved.map(|member| 100 + member.client.ip_header()).sum::<u64>()
        );
        let far = model.iter().filter(|member| member.client.is_stream());
        assert_eq!(roster.far() as usize, far.count());
        let is_plain = |member: &Member| member.form == Form::Base && !member.client.is_stream();
        assert_eq!(roster.is_mixed(), !model.iter().all(is_plain));
        assert!(roster.members().eq(model));
        let mut from = 0;
        while let [first, ..] = roster.members_from(from as u32) {
            assert_eq!(*first, model[from]);
            let last = roster.members_from(from as u32).len() - 1;
            assert_eq!(roster.members_from((from + last) as u32), [model[from + last]]);
            from += last + 1;
        }
        assert_eq!(from, model.len());
        assert_eq!(roster.members_from(u32::MAX), []);
    }

    #[test]
    fn grows_and_shrinks_through_every_height_and_leaves_snapshots_alone() {
        const MEMBERS: usize = ROSTER_CHUNK * ROSTER_BRANCHES * ROSTER_BRANCHES + 1;
        let sizes =
            [0, 1, ROSTER_CHUNK, ROSTER_CHUNK + 1, ROSTER_CHUNK * ROSTER_BRANCHES, MEMBERS - 1, MEMBERS];
        let all: Vec<Member> = (0..MEMBERS as u32).map(member).collect();
        let (mut roster, mut snapshots) = (Roster::default(), Vec::new());
        for number in 0..=MEMBERS {
            if sizes.contains(&number) {
                snapshots.push(roster.clone());
            }
            all.get(number).iter().for_each(|member| roster.push(**member));
        }
        for number in (0..MEMBERS).rev() {
            roster.swap_remove(number as u32);
            if sizes.contains(&number) {
                check(&roster, &all[..number]);
            }
        }
        assert_eq!(roster.height, 0, "what is not needed goes");
        for (size, snapshot) in sizes.into_iter().zip(&snapshots) {
            check(snapshot, &all[..size]);
        }
    }

    fn room(roster: &Roster) -> usize {
        match &*roster.root {
            Node::Leaf(members) => members.capacity(),
            Node::Branch(_) => panic!("one chunk is enough"),
        }
    }

    #[test]
    fn a_chunk_grows_seldom_and_never_beyond_its_size() {
        let (mut roster, mut rooms) = (Roster::default(), std::collections::BTreeSet::new());
        for number in 0..ROSTER_CHUNK {
            roster.push(member(number as u32));
            assert!(room(&roster) <= (2 * roster.len()).max(4));
            rooms.insert(room(&roster));
        }
        assert!(
            rooms.len() <= 1 + ROSTER_CHUNK.ilog2() as usize && room(&roster) == ROSTER_CHUNK,
            "{rooms:?}"
        );
    }

    #[test]
    fn a_copy_has_room_for_a_few_more() {
        for first in [4, 7, 64, 100] {
            let mut roster = Roster::default();
            (0..first).for_each(|number| roster.push(member(number)));
            let _snapshot = roster.clone();
            roster.push(member(first));
            assert!(room(&roster) <= (first + first / 8 + 1) as usize, "{} for {first}", room(&roster));
            (first + 1..ROSTER_CHUNK as u32).for_each(|number| roster.push(member(number)));
            assert_eq!(room(&roster), ROSTER_CHUNK);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..seeded::config() })]

        #[test]
        fn is_a_vector_whose_clones_do_not_change(
            first in 0..3 * ROSTER_CHUNK * ROSTER_BRANCHES,
            steps in prop::collection::vec((0u8..8, any::<prop::sample::Index>()), 1..100),
        ) {
            let (mut roster, mut model) = (Roster::default(), Vec::new());
            let mut next = 0;
            let mut add = |roster: &mut Roster, model: &mut Vec<Member>| {
                roster.push(member(next));
                model.push(member(next));
                next += 1;
            };
            (0..first).for_each(|_| add(&mut roster, &mut model));
            let mut snapshots = Vec::new();
            for (kind, which) in steps {
                match kind {
                    0..3 => add(&mut roster, &mut model),
                    3..6 if !model.is_empty() => {
                        let position = which.index(model.len());
                        roster.swap_remove(position as u32);
                        model.swap_remove(position);
                    }
                    6 if !model.is_empty() => {
                        let position = which.index(model.len());
                        let moved = Member { local: LocalAddr::new(kind, None), proved: which.index(2) == 0, form: FORMS[which.index(3)], ..model[position] };
                        roster.replace(position as u32, moved);
                        model[position] = moved;
                    }
                    _ => snapshots.push((roster.clone(), model.clone())),
                }
                if !model.is_empty() {
                    let (position, hint) = (which.index(model.len()) as u32, which.index(model.len() + 9) as u32);
                    prop_assert_eq!(roster.position(&model[position as usize].client, hint), Some(position));
                }
            }
            snapshots.push((roster, model));
            snapshots.iter().for_each(|(roster, model)| check(roster, model));
        }
    }
}
