//! Two who want to talk directly.

use super::world::{At, World};

fn three() -> World {
    let mut world = World::new(4);
    world.register(0, "anna");
    world.register(1, "bob");
    world.register(2, "clara");
    world
}

fn nonce(told: &[(u16, String)]) -> String {
    told[0].1.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn two_who_name_each_other_hear_where_the_other_is() {
    let mut world = three();
    assert_eq!(world.say(0, "!BRIDGE bob"), [(0, "!OK BRIDGE WAITING".to_owned())]);
    assert_eq!(world.say(2, "!BRIDGE anna"), [(2, "!OK BRIDGE WAITING".to_owned())], "anna wants another");
    let told = world.say(1, "!BRIDGE Anna");
    let nonce = nonce(&told);
    let expected =
        [(0, format!("!PEER_AT bob 10.0.0.1 1 {nonce}")), (1, format!("!PEER_AT anna 10.0.0.1 0 {nonce}"))];
    assert_eq!(told, expected);
    assert_eq!(world.say(0, &format!("!ACK PEER_AT {nonce}")), []);
    for (pause, expected) in [(199, 0), (1, 1), (399, 0), (1, 1), (799, 0), (1, 1), (60_000, 0)] {
        let told = world.pass(pause);
        assert_eq!(told.len(), expected, "at {}", world.now);
        assert!(told.iter().all(|(to, text)| *to == 1 && text.starts_with("!PEER_AT anna ")));
    }
}

/// Whoever forges what two others say has them told what it says, and not eight times as much.
#[test]
fn who_is_matched_again_is_not_told_of_the_one_before_any_more() {
    let mut world = three();
    let mut told = Vec::new();
    for _ in 0..100 {
        told.extend(world.say(0, "!BRIDGE bob"));
        told.extend(world.say(1, "!BRIDGE anna"));
    }
    told.extend(world.pass(2000));
    let peers = told.iter().filter(|(_, text)| text.starts_with("!PEER_AT "));
    assert_eq!(peers.count(), 2 * 100 + 2 * 3, "each once, and the last ones four times");
    assert_eq!(world.people.figures().bridges, 100);
}

/// In a system that this one follows a bridge returned its caller, or crashed on an unknown name.
#[test]
fn nobody_is_matched_with_itself_or_with_nobody() {
    let mut world = three();
    for _ in 0..3 {
        assert_eq!(world.say(0, "!BRIDGE anna"), [(0, "!OK BRIDGE WAITING".to_owned())]);
        assert_eq!(world.say(0, "!BRIDGE"), [(0, "!OK BRIDGE WAITING".to_owned())]);
        assert_eq!(world.say(0, "!BRIDGE nobody"), [(0, "!OK BRIDGE WAITING".to_owned())]);
    }
    assert_eq!(world.people.figures().waiting, 1);
}

#[test]
fn who_names_nobody_is_matched_within_the_group() {
    let mut world = three();
    world.enter(0, Some("x"));
    world.say(0, "!BRIDGE");
    assert_eq!(world.say(1, "!BRIDGE"), [(1, "!OK BRIDGE WAITING".to_owned())], "it is in no group");
    assert_eq!(world.say(2, "!BRIDGE").len(), 2, "and so is this one");
    world.enter(1, Some("x"));
    assert_eq!(world.say(1, "!BRIDGE anna").len(), 1, "who names somebody is matched by nobody else");
    assert_eq!(world.say(1, "!BRIDGE").len(), 2);
    assert_eq!((world.people.figures().waiting, world.people.figures().bridges), (0, 2));
}

#[test]
fn a_wait_ends() {
    let mut world = three();
    world.say(0, "!BRIDGE bob");
    assert_eq!(world.say(0, "!UNBRIDGE"), [(0, "!OK UNBRIDGE".to_owned())]);
    assert_eq!(world.say(1, "!BRIDGE anna").len(), 1);
    world.pass(59_000);
    assert_eq!(world.say(1, "!BRIDGE anna").len(), 1, "a new one starts anew");
    world.pass(59_000);
    assert_eq!(world.people.figures().waiting, 1);
    world.pass(1000);
    assert_eq!(world.people.figures().waiting, 0);
    world.say(0, "!BRIDGE bob");
    world.leave(0);
    assert_eq!(world.people.figures().waiting, 0);
}

/// However often somebody begins to wait, there is one timer for it.
#[test]
fn waiting_again_and_again_leaves_nothing() {
    let mut world = three();
    for _ in 0..10_000 {
        world.say(0, "!BRIDGE bob");
    }
    assert!(world.people.timers.len() < 10, "{}", world.people.timers.len());
    world.pass(60_000);
    assert_eq!(world.people.figures().waiting, 0);
    world.say(0, "!BRIDGE bob");
    world.pass(60_000);
    assert_eq!(world.people.figures().waiting, 0, "and the next wait ends, too");
}

#[test]
fn only_who_is_reached_by_udp_can_be_met() {
    let mut world = three();
    world.say_from(0, At(1000), "!BRIDGE bob");
    assert_eq!(world.heard(), [(1000, "!ERR UDP_ONLY".to_owned())]);
}

/// It is as when the time is over: nobody hears of it, and its address goes to nobody.
#[test]
fn who_goes_on_by_tcp_waits_no_more() {
    for wish in ["!BRIDGE bob", "!BRIDGE"] {
        let mut world = three();
        world.say(0, wish);
        world.move_to(0, At(7));
        assert_eq!(world.people.figures().waiting, 1, "by UDP it goes on waiting");
        world.move_to(0, At(1000));
        assert_eq!((world.heard(), world.people.figures().waiting), (vec![], 0));
        let answer = if wish == "!BRIDGE" { wish } else { "!BRIDGE anna" };
        assert_eq!(world.say(1, answer), [(1, "!OK BRIDGE WAITING".to_owned())]);
        world.move_to(0, At(0));
        assert_eq!(world.say(0, wish).len(), 2, "who is back by UDP may ask again");
    }
}

#[test]
fn who_goes_on_by_tcp_after_a_match_is_told_nothing_that_it_cannot_use() {
    let mut world = three();
    world.say(0, "!BRIDGE bob");
    assert_eq!(world.say(1, "!BRIDGE anna").len(), 2);
    world.move_to(0, At(1000));
    assert_eq!(world.pass(60_000), []);
}
