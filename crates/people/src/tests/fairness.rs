//! Nobody's many names keep others' messages from somebody.

use std::num::NonZeroU64;

use super::world::{THERE, World};
use crate::Site;
use crate::limits::{QUEUE, WINDOW};

/// Who floods, and from where.
const FLOODERS: usize = 8;
const ELSEWHERE: Site = Site { number: NonZeroU64::MAX, is_trusted: true };

/// The recipient is 0, those who flood come next, and the last one comes from elsewhere.
fn flooded() -> World {
    let mut world = World::new(FLOODERS + 2);
    world.register(0, "bob");
    (1..=FLOODERS).for_each(|flooder| drop(world.register(flooder, &format!("f{flooder}"))));
    world.register(FLOODERS + 1, "anna");
    world.site = THERE;
    for number in 0..20 {
        (1..=FLOODERS).for_each(|flooder| drop(world.say(flooder, &format!("!SEND bob {number} x"))));
    }
    assert_eq!(world.people.figures().under_way, (WINDOW + QUEUE) as u64);
    world
}

fn say_from(world: &mut World, site: Site, session: usize, text: &str) -> Vec<(u16, String)> {
    world.site = site;
    world.say(session, text)
}

/// Sender and id of the first message that the recipient was told.
fn message(told: &[(u16, String)]) -> Option<(String, String)> {
    let words = |text: &str| {
        let mut words = text.strip_prefix("!MSG ")?.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?))
    };
    told.iter().filter(|(to, _)| *to == 0).find_map(|(_, text)| words(text))
}

#[test]
fn who_comes_from_elsewhere_gets_in_and_is_served_in_its_turn() {
    let mut world = flooded();
    let before = world.people.figures();
    assert_eq!(say_from(&mut world, ELSEWHERE, FLOODERS + 1, "!SEND bob hi x"), []);
    let after = world.people.figures();
    assert_eq!(after.under_way, before.under_way, "one of those who flood has made room");
    assert_eq!(after.messages.iter().sum::<u64>(), before.messages.iter().sum::<u64>() + 1);
    let mut flying: Vec<_> = (1..=FLOODERS).map(|flooder| (format!("f{flooder}"), "0".to_owned())).collect();
    for read in 0..=QUEUE {
        let (from, id) = flying.remove(0);
        let next = message(&world.say(0, &format!("!ACK {from} {id}")));
        if next.as_ref().is_some_and(|(from, _)| from == "anna") {
            return;
        }
        flying.extend(next);
        // They go on as before.
        (1..=FLOODERS).for_each(|flooder| {
            drop(say_from(&mut world, THERE, flooder, &format!("!SEND bob more-{read} x")));
        });
    }
    panic!("not served after {QUEUE} others");
}

#[test]
fn those_of_one_site_do_not_push_each_other_out() {
    let mut world = flooded();
    let before = world.people.figures();
    world.say(1, "!SEND bob one-more x");
    assert_eq!(world.people.figures().under_way, before.under_way);
    // Two of the same, in the place of which one of another name would come.
    let told = world.say(FLOODERS + 1, "!SEND bob hi x");
    assert_eq!((told, world.people.outcomes.len()), (vec![], WINDOW + QUEUE));
}

/// Two sites share the room until each has as much as the other, and no message goes to and fro between them.
#[test]
fn sites_share_what_there_is() {
    let mut world = flooded();
    let mut taken = 0;
    for number in 0..2 * QUEUE {
        let before = world.people.outcomes.len();
        let session = 1 + number % FLOODERS;
        say_from(&mut world, ELSEWHERE, session, &format!("!SEND bob e{number} x"));
        taken += usize::from(world.people.outcomes.is_known(&format!("f{session}"), &format!("e{number}")));
        assert_eq!(world.people.outcomes.len(), before);
    }
    assert_eq!(taken, QUEUE / 2);
}

/// What was put out comes again, and then in the order in which it was accepted.
#[test]
fn who_makes_room_loses_nothing_and_keeps_its_order() {
    let mut world = flooded();
    for number in 0..QUEUE / 4 {
        say_from(&mut world, ELSEWHERE, FLOODERS + 1, &format!("!SEND bob e{number} x"));
    }
    let mut out: Vec<u32> = vec![0; FLOODERS + 1];
    let mut waiting: Vec<_> = (1..=FLOODERS).map(|flooder| (format!("f{flooder}"), "0".to_owned())).collect();
    let mut of_elsewhere = 0;
    for _ in 0..5000 {
        let Some((from, id)) = waiting.pop() else { break };
        if from == "anna" {
            assert_eq!(id, format!("e{of_elsewhere}"));
            of_elsewhere += 1;
        } else {
            let own: usize = from[1..].parse().unwrap();
            assert_eq!(id, out[own].to_string(), "{from}");
            out[own] += 1;
        }
        let told = world.say(0, &format!("!ACK {from} {id}"));
        waiting.extend(message(&told));
        // Each repeats the first of which it has not heard.
        for (flooder, number) in out.iter().enumerate().skip(1).filter(|(_, number)| **number < 20) {
            let told = say_from(&mut world, THERE, flooder, &format!("!SEND bob {number} x"));
            waiting.extend(message(&told));
        }
    }
    assert_eq!((&out[1..], of_elsewhere), (&[20; FLOODERS][..], QUEUE / 4));
}
