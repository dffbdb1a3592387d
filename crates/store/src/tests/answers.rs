//! Each request and each of its answers.

use std::time::Duration;

use super::desk::{Bytes, Desk, claim, delete, name, put, put_from, read};
use crate::{Answer, Bound, Bounds, Mail, Name, Place, Request};

const DAY: u64 = 24 * 3600 * 1000;

fn small() -> Bounds {
    Bounds { mails_per_name: 8, bytes_per_name: 4000, bytes: 6000, names: 3, ..Bounds::default() }
}

fn desk() -> Desk {
    let mut desk = Desk::open(&Place::Memory, small()).unwrap();
    assert_eq!(desk.ask(claim("bob", None, "B", 1)), new("B"));
    desk
}

fn claimed(claim: &str, mails: u32) -> Answer {
    Answer::Claimed { claim: claim.into(), mails, is_new: false }
}

fn new(claim: &str) -> Answer {
    Answer::Claimed { claim: claim.into(), mails: 0, is_new: true }
}

fn number(answer: &Answer) -> u64 {
    let Answer::Stored { number } = answer else { panic!("{answer:?}") };
    *number
}

#[test]
fn a_name_is_its_first_owners_and_the_claim_never_changes() {
    let mut desk = desk();
    assert_eq!(desk.ask(claim("bob", None, "X", 2)), Answer::Taken);
    for wrong in ["", "X", "BB", "b"] {
        assert_eq!(desk.ask(claim("bob", Some(wrong), "X", 2)), Answer::Taken, "{wrong:?}");
    }
    assert_eq!(desk.ask(claim("bob", Some("B"), "X", 2)), claimed("B", 0));
    assert_eq!(
        desk.ask(claim("eve", Some("B"), "E", 2)),
        new("E"),
        "a free name takes no claim that is shown"
    );
    let known = |key: &str| Request::Has { name: key.into() };
    assert_eq!(desk.ask(known("bob")), Answer::Known(true));
    assert_eq!(desk.ask(known("BOB")), Answer::Known(false));
    assert_eq!(desk.ask(claim("cat", None, "CD", 2)), new("CD"));
    assert_eq!(
        desk.ask(claim("cat", Some("DC"), "X", 2)),
        Answer::Taken,
        "one difference makes up for no other"
    );
    assert_eq!(desk.ask(claim("dan", None, "D", 2)), Answer::NamesFull);
    assert_eq!(
        desk.ask(claim("cat", Some("CD"), "X", 2)),
        claimed("CD", 0),
        "not full for those who have one"
    );
    assert_eq!(desk.store.figures().names, 3);
}

#[test]
fn a_repeat_is_answered_alike_and_stored_once() {
    let mut desk = desk();
    let first = desk.ask(put("bob", "eve", "1", 5, b"hello"));
    assert_eq!(desk.ask(put("bob", "eve", "1", 6, b"hello")), first);
    let others =
        [put("bob", "eve", "2", 7, b""), put("bob", "dan", "1", 7, b"x")].map(|other| desk.ask(other));
    let [second, third] = others.each_ref().map(number);
    assert!(number(&first) < second && second < third);
    let mail = desk.mails("bob");
    assert_eq!(mail.len(), 3);
    let expected = Mail {
        number: number(&first),
        from: Name { key: "eve".into(), shown: "EVE".into() },
        id: "1".into(),
        time: 5,
        bytes: (*b"hello").into(),
    };
    assert_eq!(mail[0], expected);
    desk.post(delete("bob", number(&first)));
    desk.post(delete("bob", number(&first)));
    desk.post(delete("nobody", second));
    assert_eq!(desk.mails("bob").len(), 2);
    let again = number(&desk.ask(put("bob", "eve", "1", 8, b"hello")));
    assert!(again > third, "what was deleted is new, and comes last");
    assert_eq!(desk.store.figures().deleted, 1);
}

#[test]
fn mail_is_for_names_and_read_in_pages() {
    let mut desk = desk();
    assert_eq!(desk.ask(put("nobody", "eve", "1", 5, b"hello")), Answer::NoSuchName);
    let numbers: Vec<_> = (0..4)
        .flat_map(|sender| (0..2).map(move |id| (format!("s{sender}"), id.to_string())))
        .map(|(from, id)| number(&desk.ask(put("bob", &from, &id, 5, b"hello"))))
        .collect();
    assert_eq!(desk.ask(claim("bob", Some("B"), "X", 6)), claimed("B", 8));
    assert_eq!(desk.ask(read("nobody", 0, 10)), Answer::Mails(Vec::new()));
    assert_eq!(desk.ask(read("bob", 0, 0)), Answer::Mails(Vec::new()));
    let Answer::Mails(page) = desk.ask(read("bob", numbers[2], 3)) else { panic!() };
    assert_eq!(page.iter().map(|mail| mail.number).collect::<Vec<_>>(), numbers[3..6]);
    let Answer::Mails(page) = desk.ask(read("bob", u64::MAX, 3)) else { panic!() };
    assert!(page.is_empty());
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_dropped() {
    let mut desk = desk();
    for id in ["1", "2"] {
        number(&desk.ask(put("bob", "eve", id, 5, b"")));
    }
    assert_eq!(desk.ask(put("bob", "eve", "3", 5, b"")), Answer::Full(Bound::Sender), "a quarter of eight");
    assert_eq!(
        desk.ask(put("bob", "dan", "1", 5, &[0; 1000])),
        Answer::Full(Bound::Sender),
        "a quarter of 4000"
    );
    for sender in ["s1", "s2", "s3"] {
        number(&desk.ask(put("bob", sender, "1", 5, &[0; 900])));
    }
    assert_eq!(desk.ask(put("bob", "s4", "1", 5, &[0; 900])), Answer::Full(Bound::Bytes));
    for sender in ["s4", "s5", "s6"] {
        number(&desk.ask(put("bob", sender, "1", 5, b"")));
    }
    assert_eq!(desk.ask(put("bob", "s7", "1", 5, b"")), Answer::Full(Bound::Mails));
    desk.ask(claim("cat", None, "C", 1));
    for sender in ["s1", "s2"] {
        number(&desk.ask(put("cat", sender, "1", 5, &[0; 900])));
    }
    assert_eq!(desk.ask(put("cat", "s3", "1", 5, &[0; 900])), Answer::Full(Bound::Store));
    let first = number(&desk.ask(put("bob", "s1", "1", 9, b"")));
    desk.post(delete("bob", first));
    number(&desk.ask(put("cat", "s3", "1", 5, &[0; 900])));
    let figures = desk.store.figures();
    assert_eq!((figures.stored, figures.refused, figures.mails), (11, 5, 10));
}

/// However many names and mailboxes it uses; and what is delivered, or too old, is not its any more.
#[test]
fn what_was_deleted_makes_as_much_room_as_it_took() {
    let mut desk = desk();
    let put = |sender: &str| put("bob", sender, "1", 5, &[0; 900]);
    let [first, ..] = ["s1", "s2", "s3", "s4"].map(|sender| number(&desk.ask(put(sender))));
    assert_eq!(desk.ask(put("s5")), Answer::Full(Bound::Bytes));
    desk.post(delete("bob", first));
    number(&desk.ask(put("s5")));
    assert_eq!(desk.ask(put("s6")), Answer::Full(Bound::Bytes));
}

#[test]
fn a_site_has_a_part_of_the_whole_and_a_trusted_one_has_all() {
    let bounds = Bounds { bytes: 80_000, age: Duration::from_millis(DAY), ..Bounds::default() };
    let bytes = Bytes::default();
    let mut desk = Desk::on(bytes.source(), bounds).unwrap();
    let keys: Vec<String> = (0..200).map(|key| key.to_string()).collect();
    for key in &keys {
        desk.ask(claim(key, None, "C", 0));
    }
    let flood = |desk: &mut Desk, site, id: &str| {
        let fits = |key: &&String| {
            matches!(desk.ask(put_from(site, key, key, id, 0, &[0; 900])), Answer::Stored { .. })
        };
        keys.iter().take_while(fits).count()
    };
    assert_eq!(flood(&mut desk, Some(1), "1"), 10, "an eighth of 80,000, each some 970");
    assert_eq!(desk.ask(put_from(Some(1), "150", "x", "2", 0, &[0; 900])), Answer::Full(Bound::Site));
    assert_eq!(flood(&mut desk, Some(2), "2"), 10);
    let first = number(&desk.ask(put_from(Some(1), "0", "0", "1", 0, b"")));
    desk.post(delete("0", first));
    number(&desk.ask(put_from(Some(1), "150", "x", "2", 0, &[0; 900])));
    assert_eq!(flood(&mut desk, None, "3"), 62, "all of the rest");
    assert_eq!(desk.ask(put_from(Some(3), "150", "x", "3", 0, &[0; 900])), Answer::Full(Bound::Store));
    desk.ask(Request::Sweep { now: DAY });
    assert_eq!(flood(&mut desk, Some(1), "4"), 10);
    drop(desk);
    let mut desk = Desk::on(bytes.source(), bounds).unwrap();
    assert_eq!(flood(&mut desk, Some(1), "5"), 0, "what it has is its own after a restart, too");
    assert_eq!(flood(&mut desk, Some(2), "5"), 10);
}

/// However many names it uses, and after a restart as before.
#[test]
fn a_site_fills_half_of_a_mailbox_and_a_trusted_one_all() {
    let bounds = Bounds { mails_per_name: 8, bytes_per_name: 8_000, ..Bounds::default() };
    let bytes = Bytes::default();
    for _ in 0..2 {
        let mut desk = Desk::on(bytes.source(), bounds).unwrap();
        desk.ask(claim("bob", None, "B", 0));
        for sender in ["f1", "f2", "f3", "f4"] {
            number(&desk.ask(put_from(Some(1), "bob", sender, "1", 0, b"")));
        }
        let more = put_from(Some(1), "bob", "f5", "1", 0, b"");
        assert_eq!(desk.ask(more), Answer::Full(Bound::SiteInMailbox));
    }
    let mut desk = Desk::on(bytes.source(), bounds).unwrap();
    number(&desk.ask(put_from(Some(2), "bob", "anna", "1", 0, b"")));
    for sender in ["s1", "s2", "s3"] {
        number(&desk.ask(put_from(None, "bob", sender, "1", 0, b"")));
    }
    assert_eq!(desk.ask(put_from(None, "bob", "s4", "1", 0, b"")), Answer::Full(Bound::Mails));
    desk.ask(claim("cat", None, "C", 0));
    for sender in ["f1", "f2"] {
        number(&desk.ask(put_from(Some(1), "cat", sender, "1", 0, &[0; 1800])));
    }
    let more = put_from(Some(1), "cat", "f3", "1", 0, &[0; 1800]);
    assert_eq!(desk.ask(more), Answer::Full(Bound::SiteInMailbox), "half of 8,000 bytes");
    number(&desk.ask(put_from(None, "cat", "anna", "1", 0, &[0; 1800])));
}

#[test]
fn a_single_mail_fits_however_small_a_quarter_is() {
    let bounds = Bounds { mails_per_name: 2, ..Bounds::default() };
    let mut desk = Desk::open(&Place::Memory, bounds).unwrap();
    desk.ask(claim("bob", None, "B", 1));
    number(&desk.ask(put("bob", "eve", "1", 5, b"")));
    assert_eq!(desk.ask(put("bob", "eve", "2", 5, b"")), Answer::Full(Bound::Sender));
}

#[test]
fn old_mail_and_names_go_when_swept_and_are_counted() {
    let bounds = Bounds {
        age: Duration::from_millis(10 * DAY),
        name_ttl: Duration::from_millis(30 * DAY),
        ..Bounds::default()
    };
    let mut desk = Desk::open(&Place::Memory, bounds).unwrap();
    for key in ["bob", "eve"] {
        desk.ask(claim(key, None, "C", 0));
    }
    for day in [0, 5, 25] {
        desk.ask(put("bob", "eve", &day.to_string(), day * DAY, b""));
    }
    let swept = |names, mails| Answer::Swept { names, mails, more: false };
    assert_eq!(desk.ask(Request::Sweep { now: 10 * DAY - 1 }), swept(0, 0));
    assert_eq!(desk.ask(Request::Sweep { now: 10 * DAY }), swept(0, 1));
    desk.post(Request::Seen { name: "eve".into(), now: 20 * DAY });
    desk.post(Request::Seen { name: "nobody".into(), now: 20 * DAY });
    assert_eq!(desk.ask(Request::Sweep { now: 30 * DAY - 1 }), swept(0, 1));
    assert_eq!(desk.ask(Request::Sweep { now: 30 * DAY }), swept(1, 1));
    assert_eq!(desk.ask(claim("bob", Some("C"), "N", 30 * DAY)), new("N"), "a new name, without old mail");
    assert_eq!(desk.ask(claim("eve", Some("C"), "N", 30 * DAY)), claimed("C", 0));
    let figures = desk.store.figures();
    assert_eq!((figures.forgotten, figures.expired, figures.mails, figures.bytes), (1, 3, 0, 0));
}

#[test]
fn a_sweep_stops_in_time_for_others() {
    let bounds = Bounds { names: 20_000, ..Bounds::default() };
    let mut desk = Desk::open(&Place::Memory, bounds).unwrap();
    let tags: Vec<_> = (0..15_000).map(|i| desk.post(claim(&i.to_string(), None, "C", 0))).collect();
    for tag in tags {
        assert_eq!(desk.wait(tag), new("C"));
    }
    let swept = |names, more| Answer::Swept { names, mails: 0, more };
    assert_eq!(desk.ask(Request::Sweep { now: 100 * DAY }), swept(10_000, true));
    assert_eq!(desk.ask(Request::Sweep { now: 100 * DAY }), swept(5_000, false));
}

#[test]
fn being_seen_costs_a_commit_a_day() {
    let bytes = Bytes::default();
    let mut desk = Desk::on(bytes.source(), Bounds::default()).unwrap();
    desk.ask(claim("bob", None, "B", 0));
    let commits = |desk: &mut Desk, now| {
        desk.post(Request::Seen { name: "bob".into(), now });
        desk.ask(Request::Has { name: "bob".into() });
        desk.store.figures().commits
    };
    assert_eq!([DAY - 1, DAY, DAY + 1, 2 * DAY].map(|now| commits(&mut desk, now)), [1, 2, 2, 3]);
    let ttl = Bounds::default().name_ttl.as_millis() as u64;
    drop(desk);
    let mut desk = Desk::on(bytes.source(), Bounds::default()).unwrap();
    let swept = |names| Answer::Swept { names, mails: 0, more: false };
    assert_eq!(desk.ask(Request::Sweep { now: ttl + 2 * DAY - 1 }), swept(0), "it was on disk");
    assert_eq!(desk.ask(Request::Sweep { now: ttl + 2 * DAY }), swept(1));
}

/// Where names do not live for days, what is on disk lags behind for less than that.
#[test]
fn a_name_that_lives_for_an_hour_is_seen_on_disk_within_a_quarter() {
    const MINUTE: u64 = 60_000;
    let bounds = Bounds { name_ttl: Duration::from_millis(60 * MINUTE), ..Bounds::default() };
    let bytes = Bytes::default();
    let mut desk = Desk::on(bytes.source(), bounds).unwrap();
    desk.ask(claim("bob", None, "B", 0));
    for minute in 1..=500 {
        desk.post(Request::Seen { name: "bob".into(), now: minute * MINUTE });
    }
    desk.ask(Request::Has { name: "bob".into() });
    drop(desk);
    let mut desk = Desk::on(bytes.source(), bounds).unwrap();
    let swept = |names| Answer::Swept { names, mails: 0, more: false };
    assert_eq!(
        desk.ask(Request::Sweep { now: (495 + 59) * MINUTE }),
        swept(0),
        "it was seen at 495 at least"
    );
    assert_eq!(desk.ask(Request::Sweep { now: (500 + 60) * MINUTE }), swept(1));
}

#[test]
fn the_spelling_last_claimed_is_kept() {
    let bytes = Bytes::default();
    let mut desk = Desk::on(bytes.source(), Bounds::default()).unwrap();
    desk.ask(claim("bob", None, "B", 0));
    let spelt = Request::Claim {
        name: Name { key: "bob".into(), shown: "Bob".into() },
        claim: Some("B".into()),
        fresh: Some("X".into()),
        now: 1,
    };
    assert_eq!(desk.ask(spelt), claimed("B", 0));
    assert_eq!(desk.store.figures().commits, 2);
    drop(desk);
    let mut desk = Desk::on(bytes.source(), Bounds::default()).unwrap();
    assert_eq!(desk.ask(claim("bob", Some("B"), "X", 2)), claimed("B", 0));
    assert_eq!(desk.store.figures().commits, 1, "it was Bob, not BOB");
    assert_eq!(name("bob").shown, "BOB".into());
}

#[test]
fn what_was_delivered_goes_with_the_next_commit_or_after_a_while() {
    let bytes = Bytes::default();
    let mut desk = Desk::on(bytes.source(), Bounds::default()).unwrap();
    desk.ask(claim("bob", None, "B", 0));
    let numbers = ["1", "2", "3"].map(|id| number(&desk.ask(put("bob", "eve", id, 0, b""))));
    let commits = desk.store.figures().commits;
    desk.post(delete("bob", numbers[0]));
    assert_eq!(desk.mails("bob").len(), 2);
    assert_eq!(desk.store.figures().commits, commits, "nobody waits for that");
    desk.ask(put("bob", "eve", "4", 0, b""));
    assert_eq!(desk.store.figures().commits, commits + 1);
    desk.post(delete("bob", numbers[1]));
    while desk.store.figures().commits < commits + 2 {
        std::thread::yield_now();
    }
    desk.post(delete("bob", numbers[2]));
    drop(desk);
    let mut desk = Desk::on(bytes.source(), Bounds::default()).unwrap();
    assert_eq!(desk.mails("bob").len(), 1, "a store that is closed leaves nothing behind");
}

#[test]
fn many_who_ask_at_once_share_a_commit_and_those_who_only_look_need_none() {
    let mut desk = desk();
    let before = desk.store.figures().commits;
    let tags: Vec<_> = (0..1000).map(|_| desk.post(Request::Has { name: "bob".into() })).collect();
    for tag in tags {
        desk.wait(tag);
    }
    assert_eq!(desk.store.figures().commits, before);
    assert_eq!(desk.store.commit_us().len(), before);
}
