//! Every interleaving of joins, leaves, readers and sweeps in a small group, by loom.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p engine --release --lib loom`, best with a `CARGO_TARGET_DIR` of its own.
//! Seen to fail, as they should, when a join bumps the version before it edits the roster, outside the lock; and when
//! `Groups::current` reads the version after it has let the lock go.

use std::time::Duration;

use ahash::RandomState;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use wire::{Form, GroupId};

use crate::address::Creator;
use crate::groups::{CannotCreate, CannotJoin, Door};
use crate::settings::{Cap, Ceilings};
use crate::views::Views;
use crate::{ClientAddr, Entropy, Groups, LocalAddr, Member, Settings, Terms, Tick};

const DOOR: Door = Door { cap: Cap::Unlimited, admit: true, needs_proof: false };

fn member(port: u16) -> Member {
    let client = ClientAddr::new(([127, 0, 0, 1], port).into()).unwrap();
    Member { client, local: LocalAddr::new(0, None), proved: true, form: Form::Base }
}

fn id() -> GroupId {
    "TEST".parse().unwrap()
}

/// Without random keys, because loom replays what it has seen.
fn groups() -> Groups {
    Groups::with_hasher(RandomState::with_seeds(1, 2, 3, 4))
}

fn declared() -> Arc<Groups> {
    let groups = groups();
    groups.declare(&[(id(), Terms::default())], Tick(0));
    Arc::new(groups)
}

fn join(groups: &Groups, port: u16) -> Result<crate::groups::Joined, CannotJoin> {
    groups.join(&id(), member(port), DOOR)
}

/// A shard that is in the group with one client, and looks at it again and again.
struct Reader {
    groups: Arc<Groups>,
    views: Views,
    key: u32,
    seen: u64,
}

impl Reader {
    fn new(groups: &Arc<Groups>) -> Self {
        let mut views = Views::new(RandomState::with_seeds(1, 2, 3, 4));
        let key = views.enter(join(groups, 1).ok().unwrap().handle);
        Self { groups: Arc::clone(groups), views, key, seen: 0 }
    }

    /// The version, which is no older than the last one, and the ports of the members.
    fn look(&mut self) -> (u64, Vec<u16>) {
        let view = self.views.current(self.key, &self.groups);
        assert!(view.version >= self.seen, "the roster went back");
        self.seen = view.version;
        let mut ports: Vec<u16> = view.roster.members().map(|member| member.client.port()).collect();
        ports.sort_unstable();
        (view.version, ports)
    }
}

#[test]
fn loom_a_reader_never_goes_back_and_versions_tell_rosters() {
    loom::model(|| {
        let groups = declared();
        let mut reader = Reader::new(&groups);
        let writer = thread::spawn(move || {
            let joined = join(&groups, 2).ok().unwrap();
            groups.leave(&joined.handle, &member(2).client, joined.position, Tick(0));
        });
        for _ in 0..3 {
            let (version, ports) = reader.look();
            let expected = if version == 2 { vec![1, 2] } else { vec![1] };
            assert_eq!(ports, expected, "at version {version}");
        }
        writer.join().unwrap();
        assert_eq!(reader.look(), (3, vec![1]));
    });
}

#[test]
fn loom_who_hears_of_a_join_sees_it() {
    loom::model(|| {
        let groups = declared();
        let mut reader = Reader::new(&groups);
        let answered = Arc::new(AtomicBool::new(false));
        let answer = Arc::clone(&answered);
        let writer = thread::spawn(move || {
            assert!(join(&groups, 2).is_ok());
            // Stands for the reply, and whatever follows from it in the world.
            answer.store(true, Ordering::Release);
        });
        reader.look();
        let heard = answered.load(Ordering::Acquire);
        let (_, ports) = reader.look();
        assert!(!heard || ports == [1, 2], "the answer was faster than the roster");
        writer.join().unwrap();
    });
}

#[test]
fn loom_two_writers_and_a_reader_agree_in_the_end() {
    loom::model(|| {
        let groups = declared();
        let mut reader = Reader::new(&groups);
        let writers = [2, 3].map(|port| {
            let groups = Arc::clone(&groups);
            thread::spawn(move || {
                assert!(join(&groups, port).is_ok());
            })
        });
        for _ in 0..2 {
            let (version, ports) = reader.look();
            assert_eq!(ports.len() as u64, version);
        }
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(reader.look(), (3, vec![1, 2, 3]));
    });
}

#[test]
fn loom_a_group_is_joined_or_deleted_never_both() {
    loom::model(|| {
        let (groups, settings) = (Arc::new(groups()), Settings::default());
        let creator = Creator::new(&member(9).client, true);
        let mut entropy = Entropy::new(|bytes| bytes.fill(0));
        let id = groups.create(creator, || true, &settings, &mut entropy, Tick(0)).unwrap().id;
        let shard = Arc::clone(&groups);
        let sweeper = thread::spawn(move || shard.sweep(&mut 0, 1, Tick(1), Duration::from_millis(1), 9));
        let joined = groups.join(&id, member(2), DOOR);
        let deleted = sweeper.join().unwrap();
        assert_eq!(joined.is_ok(), deleted == 0);
        assert_eq!(groups.count() as usize, 1 - deleted);
        if let Ok(joined) = joined {
            assert_eq!(groups.members(&joined.handle), 1);
        }
        let again = groups.create(
            creator,
            || true,
            &Settings { max_groups_per_client: 1, ..settings },
            &mut entropy,
            Tick(1),
        );
        assert_eq!(again.is_ok(), deleted == 1, "the quota frees with the group");
    });
}

#[test]
fn loom_the_last_place_is_taken_once() {
    loom::model(|| {
        let groups = Arc::new(groups());
        let create = |groups: &Groups, port| {
            let ceilings = Ceilings { clients: 1, groups: 1, unjoined_groups: 1 };
            let settings = Settings { ceilings, ..Settings::default() };
            let mut entropy = Entropy::new(move |bytes| bytes.fill(port as u8));
            groups.create(Creator::new(&member(port).client, true), || true, &settings, &mut entropy, Tick(0))
        };
        let shard = Arc::clone(&groups);
        let other = thread::spawn(move || (create(&shard, 1), shard.reserve_client(1)));
        let (created, reserved) = (create(&groups, 2), groups.reserve_client(1));
        let (other_created, other_reserved) = other.join().unwrap();
        assert!(other_reserved != reserved && groups.clients() == 1);
        let both = [created, other_created];
        let made = both.iter().filter(|created| created.is_ok()).count();
        let evicted = both.iter().flatten().filter(|created| created.evicted).count();
        assert_eq!((groups.count() as usize, groups.unjoined() as usize), (1, 1));
        assert_eq!(made - evicted, 1, "whoever comes second has made room, or found none");
        assert!(both.iter().all(|created| created.is_ok() || *created == Err(CannotCreate::ServerFull)));
    });
}
