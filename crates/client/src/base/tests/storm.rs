//! Whatever is lost, delayed or forged: once it ends, the client knows again where it is.

use super::world::{Way, World, id, secs};
use crate::Event;
use crate::base::Request;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(Request),
    Say,
    Hear(&'static str),
    Pass(u64),
    /// The relay restarts, with its groups from the configuration file.
    Restart,
    Unreachable,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop_oneof![
            Just(Request::Create),
            Just(Request::Join(id("HOME"))),
            Just(Request::Join(id("OTHER"))),
            Just(Request::Join(id("NOWHERE"))),
            Just(Request::Leave(id("HOME"))),
            Just(Request::Leave(id("OTHER"))),
            Just(Request::Ping),
            Just(Request::Who),
        ]
        .prop_map(Step::Ask),
        Just(Step::Say),
        prop::sample::select(vec![
            "hello",
            "OK JOINED HOME",
            "OK JOINED OTHER",
            "OK LEFT HOME",
            "OK WHO OTHER 2",
            "OK WHO HOME 3",
            "PONG 5.0",
            "PONG 100000.0",
            "ERR NOT_IN_GROUP JoinFirstUseJOIN",
            "ERR NOT_IN_GROUP NotInThatGroup",
            "ERR BAD_ARG NoSuchGroup",
            "ERR NEW words",
        ])
        .prop_map(Step::Hear),
        (0u64..20_000).prop_map(Step::Pass),
        Just(Step::Restart),
        Just(Step::Unreachable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn ends_with_the_truth(steps in prop::collection::vec(step(), 0..60), losses in prop::collection::vec(0u8..4, 1..40)) {
        let mut world = World::new();
        let mut turn = 0;
        world.loses = Box::new(move |_: Way, _: &[u8]| { turn += 1; losses[turn % losses.len()] == 0 });
        for step in steps {
            match step {
                Step::Ask(request) => { let _ = world.client.ask(request, world.now); }
                Step::Say => { let _ = world.client.send(b"talk", world.now); }
                // Only a member hears other members.
                Step::Hear(text) if world.member.is_some() => world.hear(text),
                Step::Hear(_) => {}
                Step::Pass(millis) => world.pass(secs(millis as f64 / 1000.0)),
                Step::Restart => world.member = None,
                Step::Unreachable => world.client.unreachable(),
            }
            world.exchange();
        }
        world.loses = Box::new(|_, _| false);
        world.pass(secs(30.0));
        if world.member.is_some() && world.client.group().is_none() {
            // Nothing tells a client that believes to be nowhere, until somebody speaks.
            world.hear("anybody?");
        }
        world.exchange();
        world.pass(*crate::base::HEARTBEAT_RANGE.end() * 3);
        prop_assert_eq!(world.client.group(), world.member);
        prop_assert!(world.client.is_ready(world.now));
        world.events();
        if world.member.is_some() {
            world.ask(Request::Who);
            let answered = matches!(world.events()[..], [Event::Members { .. }]);
            prop_assert!(answered);
        }
        world.client.goodbye(world.now);
        world.exchange();
        prop_assert!(world.client.is_finished());
        prop_assert!(world.member.is_none());
    }
}
