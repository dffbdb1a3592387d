//! Whatever arrives, and from wherever: nothing breaks, and nothing goes to anybody but the relay and the peer.

use proptest::prelude::*;

use super::relay;
use super::world::World;
use crate::{Event, Request, Transmit};

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "!OK HELLO 2 AAAAAAAAAAAAAAAAAAAAAAAAAA 60.0",
        "!OK RESUMED HOME anna AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "!OK REG anna AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "!OK PEERS > bob=ONLINE",
        "!OK JOINED OTHER",
        "!OK LEFT HOME",
        "!OK BRIDGE WAITING",
        "!PEER_AT bob 203.0.113.5 7 AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "!PUNCH AAAAAAAAAAAAAAAAAAAAAAAAAA",
        "!D AAAAAAAAAAAAAAAAAAAAAAAAAA 7 hello",
        "!MSG bob 7 17 hello",
        "!DELIVERED bob 7",
        "!STORED bob 7",
        "!ERR NO_SUCH_NAME bob",
        "!ERR NO_SESSION SendHELLO",
        "!ERR BAD_TOKEN",
        "!ERR NAME_MOVED anna",
        "!ERR NOT_IN_GROUP JoinFirstUseJOIN",
        "!ERR NOT_REGISTERED",
        "!RETRY AAAAAAAAAAAAAAAA",
        "!PONG 0.0",
        "!PONG 99999999.0",
        "!FROM bob 0000000003 hello",
        "!PEER bob JOINED",
        "ERR BAD_CMD UnknownCommand",
        "hello",
    ]);
    prop_oneof![
        words.prop_map(|text| text.as_bytes().to_vec()),
        ("!(OK|ERR|MSG|FROM|PEER|PEER_AT|MAIL|PONG|[A-Z]{0,5}) ", prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(head, rest)| [head.as_bytes(), &rest].concat()),
    ]
}

proptest! {
    #[test]
    fn the_relay_may_say_anything(said in prop::collection::vec((datagram(), any::<bool>(), 0u64..5), 0..40)) {
        let mut world = World::of(&["anna"], 1);
        world.ask(0, Request::Bridge(None));
        let (mut now, stranger) = (world.now, "203.0.113.5:7".parse().unwrap());
        let client = world.client(0);
        let _ = client.message("bob", b"hello", now);
        for (datagram, is_relay, seconds) in said {
            client.receive(if is_relay { relay::address() } else { stranger }, &datagram, now);
            now += std::time::Duration::from_secs(seconds);
            client.tick(now);
            while let Some(transmit) = client.poll_transmit() {
                match transmit {
                    Transmit::Open(_) => client.opened(now),
                    Transmit::Send { to, datagram } => {
                        prop_assert!(to == relay::address() || to == stranger);
                        prop_assert!(to == relay::address() || datagram.starts_with(b"!"));
                    }
                }
            }
            prop_assert!(client.deadline(now).is_none_or(|at| at >= now || client.is_ready(now)));
        }
    }

    #[test]
    fn strangers_may_say_anything(said in prop::collection::vec(datagram(), 0..20)) {
        let mut world = World::of(&["anna"], 1);
        let (now, stranger) = (world.now, "203.0.113.5:7".parse().unwrap());
        let client = world.client(0);
        for datagram in said {
            client.receive(stranger, &datagram, now);
        }
        prop_assert_eq!(client.poll_transmit(), None);
        prop_assert_eq!(client.poll_event(), None::<Event>);
    }
}
