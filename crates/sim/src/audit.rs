//! What is compared with the model, and with the driver's side of the accounts.

use engine::{ClientAddr, Engine, Event, Groups, Roster};
use net::Run;
use relay::limits::{BACKLOG_COPIES, BUFFERS, TURN_ARRIVALS};
use relay::meter::Counters;

use crate::driver::SimDriver;
use crate::fleet::{Fleet, SimShard};
use crate::model::{GroupIndex, Model, PeerIndex};
use crate::port::{Seen, SharedPort};
use crate::trace::What;
use crate::world::{SharedWorld, World};

/// After every turn of a shard: who was swept, what was counted, what waits.
pub fn after_turn(
    shard: usize,
    turned: &mut SimShard,
    port: &SharedPort,
    late: bool,
    groups: &Groups,
    world: &SharedWorld,
) {
    let turn = port.borrow().turn_at.as_millis() as u64;
    world.model.borrow_mut().begin_turn(shard, turn, late);
    sweep_members(shard, turned.engine(), turn, world);
    sweep_groups(shard, turned.engine(), groups, turn, world);
    let seen = port.borrow().seen;
    let asleep = port.borrow().asleep.is_some();
    let clients = turned.engine().clients();
    let counters = turned.counters();
    if let Some(wrong) = account(counters, &seen) {
        world.violated(|| format!("shard {shard}: {wrong}"));
    }
    let model = world.model.borrow();
    let certain = model.is_certain();
    world.check(!certain || counters.unproved == [0; _], || format!("shard {shard} asks for proofs"));
    if let Some(wrong) = model.shard(shard).counts.difference(&counters.tally, certain) {
        world.violated(|| format!("shard {shard}: {wrong}"));
    }
    world.check(clients == model.shard(shard).members.len(), || {
        format!("shard {shard} has {clients} clients, the model {}", model.shard(shard).members.len())
    });
    if let Some(wrong) = beyond(counters, &seen, asleep) {
        world.violated(|| format!("shard {shard}: {wrong}"));
    }
    if let Some(peer) = model.denied_member(shard) {
        world.violated(|| format!("{} is still a member, and denied", model.peer(peer).address));
    }
    if let Some(peer) = model.overdue_member(shard, turn) {
        let known = model.peer(peer);
        world.violated(|| format!("{} is still a member, last active at {} ms", known.address, known.active));
    }
}

/// The conservation law, and that the driver has seen what the shard has counted.
fn account(counters: &Counters, seen: &Seen) -> Option<String> {
    let failed: u64 = counters.failed.iter().sum();
    let unproved: u64 = counters.unproved.iter().sum();
    let meant = counters.tally.fanout.sum + counters.tally.replies;
    let accounts = [
        ("handed over", counters.sent.packets, seen.handed),
        ("bytes handed over", counters.sent.bytes, seen.handed_bytes),
        ("refused by the kernel", failed, seen.refused),
        // What a closed gate drops is owed, for the driver, until the buffer comes back.
        ("waiting or dropped", counters.waiting + counters.overflowed + unproved, seen.owed + seen.dropped),
        ("waiting", counters.waiting.max(seen.owed - unproved.min(seen.owed)), counters.waiting),
        ("dropped from proved members", seen.dropped_proved.saturating_sub(counters.overflowed), 0),
        (
            "meant",
            meant,
            counters.sent.packets + failed + counters.overflowed + unproved + counters.waiting + seen.queued,
        ),
    ];
    let (what, counted, seen) = accounts.into_iter().find(|(_, counted, seen)| counted != seen)?;
    Some(format!("{what}: counted {counted}, seen {seen}"))
}

/// A bound that does not hold.
fn beyond(counters: &Counters, seen: &Seen, asleep: bool) -> Option<String> {
    let most_lent = BUFFERS / 2 + TURN_ARRIVALS + Run::MAX_DATAGRAMS;
    if seen.lent > most_lent {
        return Some(format!("holds {} receive buffers, {most_lent} at most", seen.lent));
    }
    if counters.waiting > BACKLOG_COPIES {
        return Some(format!("{} copies wait, {BACKLOG_COPIES} at most", counters.waiting));
    }
    let is_stuck = asleep && seen.lent > BUFFERS / 4 + TURN_ARRIVALS;
    is_stuck.then(|| format!("waits for something to do and holds {} buffers", seen.lent))
}

/// Whoever the shard has swept in this turn is swept from the model, if that is right.
fn sweep_members(shard: usize, engine: &Engine, turn: u64, world: &World) {
    let of = |events: &[u64]| (events[Event::Expire as usize], events[Event::Eject as usize]);
    let mut model = world.model.borrow_mut();
    let ((swept, ejected), (before, known)) =
        (of(&engine.tally().events), of(&model.shard(shard).counts.events));
    world.check(swept - before <= engine::limits::SWEEP_EXPIRIES_PER_TURN as u64, || {
        format!("shard {shard}: {} members swept in one turn", swept - before)
    });
    if (swept, ejected) == (before, known) {
        return;
    }
    let is_gone = |peer: &&PeerIndex| {
        ClientAddr::new(model.peer(**peer).address).is_none_or(|client| engine.group_of(&client).is_none())
    };
    let gone: Vec<PeerIndex> = model.shard(shard).members.iter().filter(is_gone).copied().collect();
    for peer in gone {
        let address = model.peer(peer).address;
        world.note(What::Expires, [shard as u64, world.number_of(address), 0], &[]);
        if model.is_denied(shard, address.ip()) {
            model.eject(peer, turn);
            continue;
        }
        if let Err(why) = model.may_expire(peer, turn) {
            world.violated(|| format!("shard {shard}: {address} was swept {why}"));
        }
        model.expire(peer, turn);
    }
}

/// The same for groups.
fn sweep_groups(shard: usize, engine: &Engine, groups: &Groups, turn: u64, world: &World) {
    let deleted = engine.tally().events[Event::Delete as usize];
    let mut model = world.model.borrow_mut();
    let before = model.shard(shard).counts.events[Event::Delete as usize];
    world.check(deleted - before <= engine::limits::SWEEP_GROUPS_PER_TURN as u64, || {
        format!("shard {shard}: {} groups deleted in one turn", deleted - before)
    });
    if deleted == before {
        return;
    }
    let is_gone = |model: &Model, at: GroupIndex| {
        let group = model.group(at);
        !group.deleted && group.declared.is_none() && groups.roster(&group.id).is_none()
    };
    let gone: Vec<GroupIndex> = model.groups().map(|(at, _)| at).filter(|at| is_gone(&model, *at)).collect();
    for at in gone {
        let id = model.group(at).id;
        world.note(What::Deletes, [shard as u64, u64::from(at.0), 0], id.as_str().as_bytes());
        if let Err(why) = model.may_delete(shard, at, turn) {
            world.violated(|| format!("shard {shard}: the group {id} was deleted: {why}"));
        }
        model.deleted(shard, at);
    }
}

/// Rosters, totals and overdue groups.
pub fn all(fleet: &Fleet, world: &World) {
    let model = world.model.borrow();
    let totals = (fleet.groups.clients(), fleet.groups.count(), fleet.groups.unjoined());
    world.check(totals == model.totals(), || {
        format!("clients, groups, never joined: {totals:?}, in the model {:?}", model.totals())
    });
    for (_, group) in model.groups().filter(|(_, group)| !group.deleted) {
        let roster = fleet.groups.roster(&group.id);
        let members = roster.iter().flat_map(Roster::members);
        let mut members: Vec<_> =
            members.filter_map(|member| model.find(member.client.socket_addr())).collect();
        members.sort_unstable();
        world.check(roster.is_some() && members == group.members(), || {
            format!("the roster of {} is {members:?}, in the model {:?}", group.id, group.members())
        });
    }
    if let Some(group) = model.overdue_group() {
        world.violated(|| format!("the group {} was never deleted", model.group(group).id));
    }
}

/// A shard that has stopped owes nothing and holds nothing.
pub fn at_end(shard: usize, driver: &SimDriver, port: &SharedPort, world: &World) {
    let seen = port.borrow().seen;
    world.check(driver.at_home() == BUFFERS && seen.lent == 0, || {
        format!("shard {shard} has stopped and still holds {} buffers", seen.lent)
    });
    world.check(seen.owed == 0 && seen.queued == 0, || {
        format!("shard {shard} has stopped and still owes {} copies, {} queued", seen.owed, seen.queued)
    });
}
