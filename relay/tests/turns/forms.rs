//! Groups in which not everybody is spoken to in the same way.

use std::collections::BTreeMap;

use super::*;

/// Members by number: base clients, extended ones, and ones that want to know who speaks, in turns.
fn form(number: u16) -> usize {
    usize::from(number % 3)
}

/// Makes an extended client of a client.
fn greet(hall: &mut Hall, number: u16, wish: &str) {
    hall.arrive(number, "!HELLO 2");
    let sent = hall.settle();
    let cookie = text(&sent[0].1).strip_prefix("!RETRY ").expect("a question").to_owned();
    hall.arrive(number, format!("!HELLO 2 {cookie}{wish}"));
    assert!(text(&hall.settle()[0].1).starts_with("!OK HELLO 2 "));
}

fn hall(members: u16) -> Hall {
    let mut hall = Hall::open();
    for number in 0..members {
        match form(number) {
            0 => {}
            1 => greet(&mut hall, number, ""),
            _ => greet(&mut hall, number, " FROM"),
        }
    }
    hall.fill(members);
    hall
}

/// What a member says, and what of it is the payload. Sizes differ, and some begin with `!`.
fn speech(from: u16, number: usize) -> (String, String) {
    let payload = format!("{from} {number} {}", "x".repeat(number * 37 % 900));
    match (form(from), number % 4) {
        (0, _) | (_, 0) => (payload.clone(), payload),
        (_, 1) => (format!("!RAW {payload}"), payload),
        (..) => (format!("!RAW !{payload}"), format!("!{payload}")),
    }
}

/// What is heard of a payload by a member, if it is the count's of its sender.
fn as_heard(by: u16, payload: &str, number: (usize, usize)) -> String {
    match form(by) {
        0 => payload.to_owned(),
        1 if payload.starts_with('!') => format!("!RAW {payload}"),
        1 => payload.to_owned(),
        _ => format!("!FROM #{} {:010} {payload}", number.0, number.1),
    }
}

/// All members speak in turns; each hears all others, whole, in order, and in its own form. `price` makes turns too short for
/// everything that there is to send.
fn everybody_speaks(members: u16, payloads: usize, price: Duration) {
    let mut hall = hall(members);
    let mut expected: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
    for number in 0..payloads {
        for from in 0..members {
            let (said, payload) = speech(from, number);
            hall.arrive(from, said);
            for by in (0..members).filter(|by| *by != from) {
                let heard = as_heard(by, &payload, (usize::from(from) + 1, number));
                expected.entry(client(by)).or_default().push(heard);
            }
        }
    }
    hall.world.borrow_mut().price = price;
    let mut heard: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
    for (to, bytes) in hall.settle() {
        heard.entry(to).or_default().push(text(&bytes).to_owned());
    }
    for (member, expected) in &expected {
        assert_eq!(&heard[member], expected, "{member}");
    }
    assert_eq!(heard.len(), expected.len());
    assert_conserved(&hall.meter.read());
}

#[test]
fn everybody_hears_everything_in_its_own_form() {
    everybody_speaks(9, 20, Duration::ZERO);
    everybody_speaks(3, 100, Duration::ZERO);
    everybody_speaks(70, 2, Duration::ZERO);
}

#[test]
fn forms_outlast_turns_that_are_too_short() {
    everybody_speaks(12, 15, Duration::from_micros(40));
}

/// A group that says far more than can be sent: whatever of it is heard, is heard as it was said, in order.
#[test]
fn what_is_left_of_too_much_keeps_its_form() {
    const MEMBERS: u16 = 30;
    let mut hall = hall(MEMBERS);
    hall.world.borrow_mut().price = Duration::from_micros(2);
    for number in 0..1000 {
        (0..MEMBERS).for_each(|from| hall.arrive(from, speech(from, number).0));
        if number % 8 == 0 {
            hall.turn();
        }
    }
    let mut last = BTreeMap::new();
    for (to, bytes) in hall.settle() {
        let heard = text(&bytes);
        let words: Vec<&str> = heard.rsplit(' ').collect();
        let (from, number) =
            (words[2].trim_start_matches('!').parse().unwrap(), words[1].parse::<usize>().unwrap());
        let by = (0..MEMBERS).find(|by| client(*by) == to).expect("a member");
        let expected = as_heard(by, &speech(from, number).1, (usize::from(from) + 1, number));
        assert_eq!(heard, expected, "{by} hears {from}");
        assert!(last.insert((by, from), number) < Some(number), "{by} hears {number} of {from} again");
    }
    let counters = hall.meter.read();
    assert!(counters.overflowed > 100_000, "{}", counters.overflowed);
    assert_conserved(&counters);
}

/// What was said to a base client is sent before the answer that makes it an extended one: behind that answer it would take somebody's
/// `!OK LEFT` for the relay's.
#[test]
fn nothing_in_the_old_form_follows_the_answer_that_changes_it() {
    for hold in [Duration::ZERO, Duration::from_millis(50)] {
        let mut hall = Hall::coalescing(hold);
        greet(&mut hall, 1, "");
        hall.fill(2);
        hall.arrive(0, "!HELLO 2");
        let sent = hall.settle();
        let cookie = text(&sent[0].1).strip_prefix("!RETRY ").expect("a question").to_owned();
        hall.arrive(1, "!RAW !OK LEFT HALL");
        if hold > Duration::ZERO {
            hall.turn();
        }
        hall.arrive(0, format!("!HELLO 2 {cookie}"));
        hall.arrive(1, "!RAW !OK LEFT HALL");
        hall.turn();
        // The last payload has waited long enough.
        hall.world.borrow_mut().now += hold;
        let sent = hall.settle();
        let heard: Vec<&str> = sent.iter().map(|(_, bytes)| text(bytes)).collect();
        assert_eq!((heard[0], heard[2]), ("!OK LEFT HALL", "!RAW !OK LEFT HALL"));
        assert!(heard[1].starts_with("!OK HELLO 2 "), "{heard:?}");
    }
}

/// Whatever the forms, datagrams of one size share a send.
#[test]
fn payloads_of_one_size_still_share_sends() {
    let mut hall = hall(3);
    hall.world.borrow_mut().messages = 0;
    (0..10).for_each(|number| hall.arrive(0, format!("payload {number}")));
    assert_eq!(hall.settle().len(), 20);
    assert_eq!(hall.world.borrow().messages, 2);
}
