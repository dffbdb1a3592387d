//! Names: whose they are, and how they come back.

use super::world::{THERE, World};

#[test]
fn a_name_is_its_owners_and_the_claim_proves_it() {
    let mut world = World::new(3);
    let claim = world.register(0, "Anna");
    assert_eq!(claim.len(), 26);
    assert_eq!(world.ask(1, "!REG anna"), ["!ERR NAME_TAKEN anna"]);
    assert_eq!(world.ask(1, &format!("!REG ANNA {}", "A".repeat(26))), ["!ERR NAME_TAKEN ANNA"]);
    assert_eq!((world.people.figures().registered, world.people.figures().taken), (1, 2));
    let told = world.say(1, &format!("!REG anna {claim}"));
    let expected = [(0, "!ERR NAME_MOVED anna".to_owned()), (1, format!("!OK REG anna {claim}"))];
    assert_eq!(told, expected);
    assert_eq!(world.ask(0, "!SEND x 1 y"), ["!ERR NOT_REGISTERED"]);
    assert_eq!(world.badges[1].name().as_deref(), Some("anna"));
    assert_eq!(world.badges[0].name(), None);
}

/// Every answer can be lost.
#[test]
fn a_repeated_request_gets_the_same_answer() {
    let mut world = World::new(1);
    let claim = world.register(0, "anna");
    assert_eq!(world.ask(0, "!REG anna"), [format!("!OK REG anna {claim}")]);
    assert_eq!(world.ask(0, "!DEREG"), ["!OK DEREG anna"]);
    assert_eq!(world.ask(0, "!DEREG"), ["!OK DEREG anna"]);
    assert_eq!(
        world.ask(0, "!REG anna"),
        ["!ERR NAME_TAKEN anna"],
        "a claim is wanted, even of who gave it back"
    );
    assert_eq!(world.ask(0, &format!("!REG anna {claim}")), [format!("!OK REG anna {claim}")]);
}

#[test]
fn who_has_lost_its_name_is_not_told_of_one_that_it_had_before() {
    let mut world = World::new(2);
    world.register(0, "one");
    world.ask(0, "!DEREG");
    let claim = world.register(0, "two");
    let told = world.say(1, &format!("!REG two {claim}"));
    assert_eq!(told[0], (0, "!ERR NAME_MOVED two".to_owned()));
    assert_eq!(world.ask(0, "!DEREG"), ["!ERR NOT_REGISTERED"]);
}

/// As many as there are now.
#[test]
fn a_repeated_request_tells_of_mail_too() {
    let mut world = World::new(2);
    let claim = world.register(1, "bob");
    world.register(0, "anna");
    world.ask(1, "!DEREG");
    for number in 0..3 {
        assert_eq!(world.ask(0, &format!("!SEND bob {number} x")), [format!("!STORED bob {number}")]);
    }
    let answer = format!("!OK REG bob {claim}");
    let first = world.ask(1, &format!("!REG bob {claim}"));
    assert_eq!(first[..2], [answer.clone(), "!MAIL 3".to_owned()]);
    let registered = world.people.figures().registered;
    for request in ["!REG bob".to_owned(), format!("!REG bob {claim}")] {
        assert_eq!(world.ask(1, &request)[..2], first[..2], "{request}");
    }
    world.say(1, "!ACK anna 0");
    assert_eq!(world.ask(1, "!REG bob")[..2], [answer.clone(), "!MAIL 2".to_owned()]);
    world.say(1, "!ACK anna 1");
    world.say(1, "!ACK anna 2");
    assert_eq!(world.ask(1, "!REG bob"), [answer]);
    assert_eq!(world.people.figures().registered, registered, "it had the name all the time");
}

/// What is asked of the store for a repeat does not give a name to who has none any more.
#[test]
fn a_repeat_that_is_answered_late_brings_nothing_back() {
    let mut world = World::new(2);
    world.register(0, "anna");
    world.register(1, "bob");
    world.slow(true);
    world.say(1, "!SEND anna 1 x");
    assert_eq!(world.say(0, "!REG Anna"), []);
    assert_eq!(world.ask(0, "!REG anna"), Vec::<String>::new());
    assert_eq!(world.ask(0, "!DEREG"), ["!OK DEREG anna"]);
    world.slow(false);
    world.turn();
    assert_eq!(world.heard(), [(1, "!STORED anna 1".to_owned())]);
    assert_eq!((world.badges[0].name(), world.people.figures().online), (None, 1));
}

/// The first of two that are under way at once is the second's answer, too.
#[test]
fn a_request_that_is_repeated_too_early_gets_the_same_answer() {
    let mut world = World::new(2);
    world.slow(true);
    world.say(0, "!REG anna");
    world.say(0, "!REG anna");
    world.say(1, "!REG anna");
    world.slow(false);
    world.turn();
    let told = world.heard();
    assert!(told[0].1.starts_with("!OK REG anna ") && told[1] == told[0], "{told:?}");
    assert_eq!(told[2], (1, "!ERR NAME_TAKEN anna".to_owned()));
}

#[test]
fn a_site_takes_no_more_new_names_than_so_many() {
    let mut world = World::new(2);
    let claim = world.register(1, "bob");
    world.site = THERE;
    let full = "!ERR SERVER_FULL TryLater";
    let taken = (0..200).filter(|number| world.ask(0, &format!("!REG n{number}")) != [full]).count();
    assert_eq!(taken as u64, crate::limits::NAMES_AT_ONCE);
    world.pass(crate::limits::NAME_MS);
    for _ in 0..100 {
        assert_eq!(world.ask(0, "!REG bob"), ["!ERR NAME_TAKEN bob"], "which is not new");
    }
    for _ in 0..100 {
        assert_eq!(
            world.ask(0, &format!("!REG bob {claim}"))[0],
            format!("!OK REG bob {claim}"),
            "nor is one's own"
        );
        world.ask(0, "!DEREG");
    }
    assert_ne!(world.ask(0, "!REG new"), [full]);
    assert_eq!(world.ask(0, "!REG newer"), [full]);
    assert_eq!(
        world.ask(0, &format!("!REG bob {claim}")),
        [format!("!OK REG bob {claim}")],
        "which neighbours cannot keep its owner from"
    );
}

/// Others see what they write.
#[test]
fn a_name_is_shown_as_its_owner_last_wrote_it() {
    let mut world = World::new(2);
    (0..2).for_each(|session| world.enter(session, Some("x")));
    let claim = world.register(0, "anna");
    world.register(1, "bob");
    world.ask(1, "!WATCH");
    world.site = THERE;
    assert_eq!(world.ask(0, "!REG ANNA"), [format!("!OK REG ANNA {claim}")], "without a claim");
    assert_eq!(world.ask(0, "!REG ANNA"), [format!("!OK REG ANNA {claim}")]);
    assert_eq!(world.badges[0].name().as_deref(), Some("ANNA"));
    assert_eq!(world.ask(1, "!PEERS"), ["!OK PEERS . ANNA=ONLINE bob=ONLINE"]);
    assert_eq!(world.pass(100), [(1, "!PEER ANNA ONLINE".to_owned())]);
    assert!(world.say(0, "!SEND bob 1 x")[0].1.starts_with("!MSG ANNA 1 "));
    let wrong = "B".repeat(26);
    assert_eq!(world.ask(0, &format!("!REG Anna {wrong}")), [format!("!OK REG Anna {claim}")]);
    assert_eq!(world.people.figures().online, 2);
    world.leave(0);
    assert_eq!(world.ask(1, "!PEERS"), ["!OK PEERS . Anna=OFFLINE bob=ONLINE"]);
}

/// However short it is, the time to live begins when a name goes offline.
#[test]
fn a_name_that_is_online_or_was_lately_is_not_forgotten() {
    let hour = crate::limits::STORE_SWEEP_MS;
    let bounds = store::Bounds { name_ttl: std::time::Duration::from_millis(hour / 2), ..Default::default() };
    let mut world = World::with(2, crate::Settings::default(), bounds);
    let claim = world.register(0, "anna");
    world.register(1, "bob");
    let names = |world: &World| world.drawer.lock().unwrap().store.figures().names;
    for _ in 0..60 {
        world.pass(hour / 2);
        assert_eq!(names(&world), 2);
    }
    // It goes some minutes before the next sweep, and comes back after it.
    world.pass(hour - world.now % hour - hour / 10);
    world.leave(0);
    world.pass(hour / 5);
    let told = world.ask(0, &format!("!REG anna {claim}"));
    assert_eq!((told, names(&world)), (vec![format!("!OK REG anna {claim}")], 2));
    world.leave(0);
    world.pass(2 * hour);
    assert_eq!(names(&world), 1, "that was long enough");
}

/// As many as are told in some minutes, by a store that has too much to do.
#[test]
fn the_store_forgets_nothing_before_it_has_heard_of_all_who_are_online() {
    const PEOPLE: usize = crate::limits::SEEN_AT_ONCE + 500;
    let hour = crate::limits::STORE_SWEEP_MS;
    let bounds = store::Bounds { name_ttl: std::time::Duration::from_millis(1), ..Default::default() };
    let mut world = World::with(PEOPLE, crate::Settings::default(), bounds);
    (0..PEOPLE).for_each(|session| drop(world.register(session, &format!("n{session}"))));
    let names = |world: &World| world.drawer.lock().unwrap().store.figures().names;
    world.leave(0);
    world.drawer.lock().unwrap().is_busy = true;
    world.pass(2 * hour);
    world.drawer.lock().unwrap().is_busy = false;
    assert_eq!(names(&world), PEOPLE as u64);
    world.pass(hour);
    assert_eq!(names(&world), PEOPLE as u64 - 1, "of the one who has gone it has not heard");
}

/// Who chooses its claim has the name even if the relay ends before it answers.
#[test]
fn a_free_name_takes_the_claim_that_is_shown() {
    let mut world = World::new(2);
    let claim = "B".repeat(26);
    let told = world.ask(0, &format!("!REG anna {claim}"));
    let claim = told[0].strip_prefix("!OK REG anna ").unwrap_or_else(|| panic!("{told:?}")).to_owned();
    world.leave(0);
    assert_eq!(world.ask(1, &format!("!REG anna {claim}")), [format!("!OK REG anna {claim}")]);
}

/// In a system that this one follows anybody could.
#[test]
fn nobody_can_deregister_anybody_else() {
    let mut world = World::new(2);
    world.register(0, "anna");
    assert_eq!(world.ask(1, "!DEREG"), ["!ERR NOT_REGISTERED"]);
    assert_eq!(world.ask(1, "!DEREG anna"), ["!ERR NOT_REGISTERED"]);
    assert_eq!(world.people.figures().online, 1);
}

/// In a system that this one follows a mailbox was whoever's registered next.
#[test]
fn a_mailbox_is_nobodys_but_its_owners() {
    let mut world = World::new(3);
    let claim = world.register(0, "anna");
    world.register(1, "bob");
    world.ask(0, "!DEREG");
    assert_eq!(world.ask(1, "!SEND anna 1 secret"), ["!STORED anna 1"]);
    assert_eq!(world.say(2, "!REG anna"), [(2, "!ERR NAME_TAKEN anna".to_owned())]);
    let told = world.ask(2, &format!("!REG anna {claim}"));
    assert_eq!(told[..2], [format!("!OK REG anna {claim}"), "!MAIL 1".to_owned()]);
    assert!(told[2].starts_with("!MSG bob 1 ") && told[2].ends_with(" secret"), "{told:?}");
}

#[test]
fn a_session_has_one_name() {
    let mut world = World::new(2);
    let claim = world.register(0, "anna");
    world.register(0, "berta");
    assert_eq!(world.people.figures().online, 1);
    assert_eq!(
        world.ask(1, &format!("!REG anna {claim}")),
        [format!("!OK REG anna {claim}")],
        "it is offline"
    );
    world.leave(0);
    assert_eq!(world.people.figures().online, 1);
}

#[test]
fn what_can_be_no_name_is_refused() {
    let mut world = World::new(1);
    for text in ["!REG a=b", "!REG -", "!REG \u{1f600}"] {
        assert_eq!(world.ask(0, text), ["!ERR BAD_NAME"], "{text}");
    }
    for text in ["!REG", "!REG ", "!REG a b c", "!REG a ", "!REG a  "] {
        assert_eq!(world.ask(0, text), ["!ERR BAD_ARG Usage:!REG <NAME> [CLAIM]"], "{text}");
    }
    assert_eq!(world.ask(0, "!SEND bob 1 x"), ["!ERR NOT_REGISTERED"]);
    for text in ["!SEND bob", "!SEND bob 1", "!SEND bob  x"] {
        assert_eq!(world.ask(0, text), ["!ERR BAD_ARG Usage:!SEND <NAME> <ID> <BYTES>"], "{text}");
    }
    assert_eq!(world.ask(0, "!SEND bob 1 "), ["!ERR NOT_REGISTERED"], "a text may be empty");
    assert_eq!(world.ask(0, "!BRIDGE"), ["!ERR NOT_REGISTERED"]);
}

#[test]
fn who_registers_in_no_group_comes_into_the_lobby() {
    let settings = crate::Settings { has_lobby: true };
    let mut world = World::with(3, settings, store::Bounds::default());
    world.enter(1, Some("x"));
    world.register(0, "anna");
    world.register(1, "bob");
    assert!(world.people.signals.is_called());
    assert_eq!(world.people.arrivals(0), [super::world::At(0)]);
    assert_eq!(world.people.arrivals(1), []);
    assert!(!world.people.signals.is_called());
    // Once more while it is in none, whether it has left it or the lobby's answer is lost.
    world.register(0, "anna");
    assert_eq!(world.people.arrivals(0), [super::world::At(0)]);
    world.enter(0, Some("hall"));
    world.register(0, "anna");
    world.register(0, "ANNA");
    assert_eq!(world.people.arrivals(0), []);
}

/// A claim that is durable is answered later, and its session may be gone or have changed its mind.
#[test]
fn a_late_answer_finds_its_session_as_it_is() {
    let mut world = World::new(2);
    world.slow(true);
    world.ask(0, "!REG anna");
    world.ask(1, "!REG berta");
    world.ask(1, "!REG clara");
    world.leave(0);
    world.slow(false);
    world.turn();
    let told: Vec<_> = world.heard();
    assert!(told.iter().all(|(to, _)| *to == 1) && told.len() == 2, "{told:?}");
    assert_eq!(world.badges[1].name().as_deref(), Some("clara"));
    assert_eq!(world.people.figures().online, 1);
}

#[test]
fn a_disk_that_does_nothing_is_said_to() {
    let mut world = World::new(1);
    world.drawer.lock().unwrap().is_busy = true;
    assert_eq!(world.ask(0, "!REG anna"), ["!ERR SERVER_FULL TryLater"]);
}
