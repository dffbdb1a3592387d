//! Messages arrive as they were sent, however the stream is cut.

use std::io::Write;

use net::tcp::limits::{LARGEST_MESSAGE, TURN_MESSAGES};
use net::tcp::{Bounds, Event, Kind};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::side::{Side, framed, until};

proptest! {
    // Each case is a connection, and one that fails may wait for long.
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_of_any_messages_is_echoed_whole(
        lengths in vec(prop_oneof![0..9_u16, 0..5000_u16, Just(u16::MAX)], 1..20),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut side = Side::new(Bounds::default());
        let (mut client, connection) = side.client();
        let message = |at: usize| vec![at as u8; lengths[at].into()];
        let stream: Vec<u8> = (0..lengths.len()).flat_map(|at| framed(&message(at))).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let meant: Vec<usize> =
            (0..lengths.len()).filter(|at| (1..=LARGEST_MESSAGE as u16).contains(&lengths[*at])).collect();
        let mut large = lengths.iter().filter(|len| usize::from(**len) > LARGEST_MESSAGE).count();
        let mut echoed = 0;
        let echo = |side: &mut Side, echoed: &mut usize, large: &mut usize| {
            for (from, text) in std::mem::take(&mut side.heard) {
                assert_eq!((from, &text), (connection, &message(meant[*echoed])));
                assert!(side.send(connection, Kind::Payload, &[&text[..1], &text[1..]]));
                *echoed += 1;
            }
            let too_large = Event::TooLarge { connection };
            *large -= side.events.iter().filter(|event| **event == too_large).count();
        };
        for piece in cuts.windows(2) {
            let mut piece = &stream[piece[0]..piece[1]];
            // It may be longer than what all buffers take at once.
            client.stream.set_nonblocking(true).unwrap();
            until(|| {
                if let Ok(count) = client.stream.write(piece) {
                    piece = &piece[count..];
                }
                side.turn();
                echo(&mut side, &mut echoed, &mut large);
                piece.is_empty()
            });
        }
        client.stream.set_nonblocking(false).unwrap();
        side.turn_until(|side| {
            echo(side, &mut echoed, &mut large);
            echoed == meant.len() && large == 0
        });
        side.turn();
        for at in meant {
            assert_eq!(client.listen().unwrap(), message(at));
        }
    }
}

/// One read may hold more messages than one turn's share; the rest waits for the next.
#[test]
fn many_messages_of_one_read_are_shared_out_among_turns() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client();
    let count = 5 * TURN_MESSAGES + 7;
    let stream: Vec<u8> = (0..count).flat_map(|at| framed(&(at as u32).to_be_bytes())).collect();
    client.say_raw(&stream);
    let mut heard = 0;
    side.turn_until(|side| {
        assert!(side.heard.len() <= TURN_MESSAGES);
        for (from, text) in &side.heard {
            assert_eq!((*from, &text[..]), (connection, &(heard as u32).to_be_bytes()[..]));
            heard += 1;
        }
        heard == count
    });
    assert!(side.figures().calls < 40, "what has been read is not read again: {:?}", side.figures());
}

#[test]
fn a_message_that_never_ends_takes_no_memory_and_is_skipped() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client();
    client.stream.write_all(&framed(&[1; LARGEST_MESSAGE + 1])).unwrap();
    client.say(b"after it");
    let mut too_large = 0;
    side.turn_until(|side| {
        let event = Event::TooLarge { connection };
        too_large += side.events.iter().filter(|other| **other == event).count();
        !side.heard.is_empty()
    });
    assert_eq!((side.heard[0].1.as_slice(), too_large), (&b"after it"[..], 1));
    assert_eq!(side.figures().too_large, 1);
}
