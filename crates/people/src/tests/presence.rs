//! Who is in a group, and who hears of it.

use super::world::{Group, World};
use crate::limits::{NEWS_AT_ONCE, NEWS_PER_MS};

#[test]
fn names_in_a_group_are_listed_present_or_not() {
    let mut world = World::new(4);
    (0..4).for_each(|session| world.enter(session, Some("x")));
    assert_eq!(world.ask(0, "!PEERS"), ["!OK PEERS ."]);
    world.register(0, "anna");
    world.register(1, "Bob");
    world.register(2, "clara");
    assert_eq!(world.ask(3, "!PEERS"), ["!OK PEERS . anna=ONLINE Bob=ONLINE clara=ONLINE"]);
    world.leave(1);
    world.enter(2, Some("y"));
    assert_eq!(world.ask(0, "!PEERS"), ["!OK PEERS . anna=ONLINE Bob=OFFLINE"]);
    assert_eq!(world.ask(0, "!PEERS >anna"), ["!OK PEERS . Bob=OFFLINE"]);
    world.enter(0, None);
    assert_eq!(world.ask(0, "!PEERS"), ["!ERR NOT_IN_GROUP JoinFirstUseJOIN"]);
}

/// It says how somebody went, not where it is.
#[test]
fn who_went_offline_as_a_member_is_shown_so_until_it_comes_back() {
    let mut world = World::new(2);
    (0..2).for_each(|session| world.enter(session, Some("x")));
    world.register(0, "anna");
    let claim = world.register(1, "bob");
    world.ask(1, "!DEREG");
    world.enter(1, Some("y"));
    world.ask(1, &format!("!REG bob {claim}"));
    assert_eq!(world.ask(1, "!PEERS"), ["!OK PEERS . bob=ONLINE"]);
    assert_eq!(world.ask(0, "!PEERS"), ["!OK PEERS . anna=ONLINE bob=OFFLINE"]);
    world.enter(1, Some("x"));
    assert_eq!(world.ask(0, "!PEERS"), ["!OK PEERS . anna=ONLINE bob=ONLINE"]);
    world.enter(1, Some("y"));
    assert_eq!(world.ask(0, "!PEERS"), ["!OK PEERS . anna=ONLINE"], "it left as one who was online");
}

#[test]
fn who_watches_hears_of_comers_and_goers() {
    let mut world = World::new(4);
    world.enter(0, Some("x"));
    assert_eq!(world.ask(0, "!WATCH"), ["!OK WATCH"]);
    assert_eq!(world.ask(0, "!WATCH"), ["!OK WATCH"]);
    world.register(1, "anna");
    world.enter(1, Some("x"));
    assert_eq!(world.pass(100), [(0, "!PEER anna JOINED".to_owned())]);
    world.enter(1, None);
    world.enter(2, Some("x"));
    world.register(2, "bob");
    assert_eq!(world.pass(100), [(0, "!PEER anna LEFT bob ONLINE".to_owned())]);
    world.leave(2);
    assert_eq!(world.pass(100), [(0, "!PEER bob OFFLINE".to_owned())]);
    assert_eq!(world.people.figures().watching, 1);
    assert_eq!(world.ask(0, "!UNWATCH"), ["!OK UNWATCH"]);
    assert_eq!(world.people.figures().watching, 0);
    world.enter(1, Some("x"));
    assert_eq!(world.pass(1000), []);
}

#[test]
fn watching_ends_with_membership() {
    let mut world = World::new(2);
    world.enter(0, Some("x"));
    world.ask(0, "!WATCH");
    world.enter(0, Some("y"));
    world.register(1, "anna");
    world.enter(1, Some("x"));
    assert_eq!(world.pass(1000), []);
    assert_eq!(world.people.figures().watching, 0);
    world.enter(0, None);
    assert_eq!(world.ask(0, "!WATCH"), ["!ERR NOT_IN_GROUP JoinFirstUseJOIN"]);
}

/// A thousand who come at once and all of whom watch: not a million messages.
#[test]
fn a_thousand_comers_cause_no_storm() {
    let mut world = World::new(1000);
    for session in 0..1000 {
        world.register(session, &format!("somebody-{session:04}"));
        world.enter(session, Some("x"));
        world.ask(session, "!WATCH");
    }
    let told = world.pass(60_000);
    let pages = told.iter().filter(|(to, _)| *to == 0).count();
    assert!(pages <= 30 && told.len() <= 30_000, "{pages} {}", told.len());
    let words: usize =
        told.iter().filter(|(to, _)| *to == 0).map(|(_, text)| text.split(' ').count() - 1).sum();
    assert!(words >= 2 * 999, "and everybody is told of: {words}");
    assert!(told.iter().all(|(_, text)| text.len() <= 1200));
}

/// However often somebody comes and goes.
#[test]
fn news_of_many_watchers_come_at_a_rate() {
    const WATCHERS: usize = 1200;
    let mut world = World::new(WATCHERS + 1);
    for session in 0..WATCHERS {
        world.enter(session, Some("x"));
        world.ask(session, "!WATCH");
    }
    world.register(WATCHERS, "anna");
    let told: usize = (0..1000)
        .map(|number| {
            world.enter(WATCHERS, Some("x").filter(|_| number % 2 == 0));
            world.pass(1).len()
        })
        .sum();
    let most = 1000 * NEWS_PER_MS as usize + WATCHERS;
    assert!(told > most / 2 && told <= most, "{told} of {most} in a second");
}

/// Others wait for a turn that tells all of them.
#[test]
fn no_turn_tells_more_news_than_so_many() {
    const WATCHERS: usize = 600;
    const NAMED: usize = 300;
    let mut world = World::new(WATCHERS + NAMED);
    for session in 0..WATCHERS {
        world.enter(session, Some("x"));
        world.ask(session, "!WATCH");
    }
    for session in WATCHERS..WATCHERS + NAMED {
        world.register(session, &format!("somebody-with-a-name-{session:05}"));
        world.enter(session, Some("x"));
    }
    let mut told = Vec::new();
    while told.len() < 7 * WATCHERS {
        world.now += 1;
        world.turn();
        let now = world.heard();
        assert!(now.len() <= NEWS_AT_ONCE.max(WATCHERS), "{} at once", now.len());
        told.extend(now);
    }
}

#[test]
fn what_is_known_of_a_group_is_not_forgotten_while_anybody_is_there() {
    let mut world = World::new(2);
    (0..2).for_each(|session| world.enter(session, Some("x")));
    world.register(0, "anna");
    world.pass(120_000);
    assert_eq!(world.ask(1, "!PEERS"), ["!OK PEERS . anna=ONLINE"]);
    world.enter(0, None);
    world.pass(120_000);
    assert!(world.people.rooms.get_mut(&Group("x")).is_none(), "nothing is known of it any more");
    assert_eq!(world.ask(1, "!PEERS"), ["!OK PEERS ."]);
}

#[test]
fn rooms_of_deleted_groups_are_forgotten() {
    let mut world = World::new(1);
    world.register(0, "anna");
    world.enter(0, Some("over"));
    world.leave(0);
    world.pass(120_000);
    assert!(world.people.rooms.get_mut(&Group("over")).is_none());
}
