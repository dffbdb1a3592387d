//! What no answer of the relay shows of the map of groups: where they lie, and that all are counted.

use super::*;
use crate::LocalAddr;
use wire::Form;

const NOW: Tick = Tick(7);

fn client(number: u16) -> ClientAddr {
    ClientAddr::new(([10, 0, 0, 1], number + 1).into()).unwrap()
}

fn groups() -> (Groups, Entropy) {
    let mut next = 0u64;
    let hasher = RandomState::with_seeds(1, 2, 3, 4);
    let numbers = hasher.clone();
    let fill = move |bytes: &mut [u8]| {
        for byte in bytes {
            next += 1;
            *byte = numbers.hash_one(next) as u8;
        }
    };
    (Groups::with_hasher(hasher), Entropy::new(fill))
}

fn settings() -> Settings {
    Settings { max_groups_per_client: u32::MAX, ..Settings::default() }
}

fn create(groups: &Groups, entropy: &mut Entropy, proved: bool) -> GroupId {
    let creator = Creator::new(&client(0), proved);
    groups.create(creator, || true, &settings(), entropy, NOW).ok().unwrap().id
}

fn join(groups: &Groups, id: &GroupId, number: u16) -> Arc<Handle> {
    let door = Door { cap: Cap::Unlimited, admit: true, needs_proof: false };
    let member =
        Member { client: client(number), local: LocalAddr::new(0, None), proved: true, form: Form::Base };
    groups.join(id, member, door).ok().unwrap().handle
}

fn declare(groups: &Groups, ids: &[GroupId]) {
    groups.declare(&ids.iter().map(|id| (*id, None)).collect::<Vec<_>>(), NOW);
}

/// The counted groups of each queue, and those that nobody has joined.
fn counted(groups: &Groups) -> ([u32; QUEUES], u32) {
    (groups.queued.each_ref().map(|count| count.load(Ordering::Relaxed)), groups.unjoined())
}

#[test]
fn a_seed_decides_what_is_hashed_with() {
    let hash = |seed| Groups::seeded(seed).hasher().hash_one(1u64);
    assert_eq!(hash(5), hash(5));
    assert_ne!(hash(5), hash(6));
}

#[test]
fn groups_spread_over_the_locks() {
    let (groups, mut entropy) = groups();
    (0..4 * STRIPES).for_each(|_| _ = create(&groups, &mut entropy, true));
    let used = groups.stripes.iter().filter(|stripe| lock(stripe).oldest_empty().is_some()).count();
    assert!(used > STRIPES / 2, "{used}");
}

#[test]
fn wherever_the_search_begins_the_one_group_that_may_go_is_found() {
    let (groups, mut entropy) = groups();
    for first in [0, 1, STRIPES - 1] {
        create(&groups, &mut entropy, false);
        assert!(groups.evict(first, &settings()), "{first}");
        assert!(!groups.evict(first, &settings()) && groups.count() == 0);
    }
}

#[test]
fn empty_groups_are_counted_by_their_queues_however_they_come_and_go() {
    let (groups, mut entropy) = groups();
    let [spare, unjoined, left] = [false, true, true].map(|proved| create(&groups, &mut entropy, proved));
    let creator = Creator::new(&client(0), true);
    let excess = groups.create(creator, || false, &settings(), &mut entropy, NOW).ok().unwrap().id;
    assert_eq!(counted(&groups), ([2, 0, 2, 0], 4));
    let [handle, excess_handle] = [left, excess].map(|id| join(&groups, &id, 1));
    assert_eq!(counted(&groups), ([1, 0, 1, 0], 2));
    groups.leave(&excess_handle, &client(1), 0, NOW);
    assert_eq!(counted(&groups), ([1, 1, 1, 0], 2));
    // Who comes to others makes no difference, nor who leaves others behind.
    join(&groups, &left, 2);
    groups.leave(&handle, &client(1), 0, NOW);
    assert_eq!(counted(&groups), ([1, 1, 1, 0], 2));
    groups.leave(&handle, &client(2), 0, NOW);
    assert_eq!(counted(&groups), ([1, 1, 1, 1], 2));
    // What is declared is in no queue, joined or not, however often it is declared.
    let all = [spare, unjoined, left, excess];
    (0..2).for_each(|_| declare(&groups, &all));
    assert_eq!((counted(&groups), groups.count()), (([0; QUEUES], 0), 4));
    let lobby = join(&groups, &unjoined, 1);
    assert_eq!(counted(&groups), ([0; QUEUES], 0));
    groups.leave(&lobby, &client(1), 0, NOW);
    declare(&groups, &[]);
    assert_eq!(counted(&groups), ([0, 0, 1, 3], 1), "whoever made it, it is nobody's now");
    // One goes to make room, and the others with the time.
    assert!(groups.evict(0, &settings()));
    groups.sweep(&mut 0, 1, NOW, Duration::ZERO, usize::MAX);
    assert_eq!((counted(&groups), groups.count()), (([0; QUEUES], 0), 0));
}

#[test]
fn a_roster_is_that_of_its_group_and_there_is_none_without_a_group() {
    let (groups, mut entropy) = groups();
    let id = create(&groups, &mut entropy, true);
    assert_eq!(groups.roster(&id).map(|roster| roster.len()), Some(0));
    join(&groups, &id, 1);
    assert_eq!(groups.roster(&id).map(|roster| roster.len()), Some(1));
    assert!(groups.roster(&GroupId::parse(b"NOWHERE").unwrap()).is_none());
}
