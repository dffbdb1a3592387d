//! Screens, letter by letter.

use std::time::Duration;

use chat::{Event, Note, Transport};
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use wire::MessageId;

use super::*;

fn status() -> Status {
    Status {
        group: "HOME".parse().ok(),
        name: Some("anna".into()),
        protocol: Some(Protocol::Extended),
        transport: Transport::Udp,
        heartbeat: None,
        next_ping: None,
        round_trip: Some(Duration::from_millis(12)),
        waiting: 0,
        direct: None,
        silent: false,
    }
}

fn person(name: &str, online: bool) -> Person {
    Person { name: name.into(), online }
}

fn drawn(view: &View<'_>, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

fn message(from: &str, text: &[u8]) -> Note {
    let (from, id, bytes) = (from.to_owned(), MessageId::parse(b"1").unwrap(), text.to_vec());
    Note::Event(Event::Message { from, id, time: None, bytes })
}

#[test]
fn everything_has_its_place() {
    let mut model = Model::new("server".into());
    let text = |from: &str, bytes: &[u8]| {
        Note::Event(Event::Text { group: None, from: Some(from.into()), bytes: bytes.to_vec() })
    };
    model.show(&text("bob", b"hello\x1b[2J"), "09:00");
    model.show(&Note::Said { group: None, bytes: b"hi bob".to_vec() }, "09:01");
    model.show(&message("eve", b"psst"), "09:02");
    let (people, status) = ([person("anna", true), person("bob", true), person("carl", false)], status());
    let view = View {
        model: &model,
        people: &people,
        status: &status,
        server: "192.0.2.1:5000",
        direct: None,
        typed: ("half a line", "half"),
        is_coloured: false,
    };
    assert_eq!(
        drawn(&view, 72, 8),
        [
            "HOME  eve (1)",
            "                                                    \u{2502} 2 here",
            "                                                    \u{2502}\u{25cf} anna",
            "                                                    \u{2502}\u{25cf} bob",
            "09:00 < bob: hello\\x1b[2J                           \u{2502}\u{25cb} carl",
            "09:01 * you: hi bob                                 \u{2502}",
            " 192.0.2.1:5000 (extended, UDP) | anna | 12 ms",
            "HOME> half a line",
        ]
    );
}

#[test]
fn who_scrolls_up_sees_how_much_is_below() {
    let mut model = Model::new("server".into());
    let status = status();
    (1..=6).for_each(|number| model.say(Kind::Notice, &number.to_string(), "09:00"));
    let rows = |model: &Model, height| {
        let (people, typed) = (&[], ("", ""));
        let view =
            View { model, people, status: &status, server: "s", direct: None, typed, is_coloured: false };
        let mut rows = drawn(&view, 40, height);
        rows.truncate(usize::from(height) - 2);
        rows
    };
    assert_eq!(rows(&model, 5), ["HOME", "09:00 * 5", "09:00 * 6"]);
    model.scroll(2);
    assert_eq!(rows(&model, 6), ["HOME", "09:00 * 3", "09:00 * 4", "+2 below: PageDown"]);
    let text = Event::Text { group: None, from: Some("eve".into()), bytes: b"hi".to_vec() };
    model.show(&Note::Event(text), "09:01");
    assert_eq!(rows(&model, 5), ["HOME (1)", "09:00 * 4", "+3, 1 new below: PageDown"]);
    model.scroll(-1);
    assert_eq!(rows(&model, 5), ["HOME (1)", "09:00 * 5", "+2, 1 new below: PageDown"]);
    model.scroll(-10);
    assert_eq!(rows(&model, 5), ["HOME", "09:00 * 6", "09:01 < eve: hi"]);
}

#[test]
fn a_list_of_people_that_is_cut_says_how_many_more_there_are() {
    let (model, status) = (Model::new("server".into()), status());
    let all: Vec<Person> = (1..=5).map(|number| person(&format!("n{number}"), number < 5)).collect();
    let list = |count: usize, height| {
        let (people, typed) = (&all[..count], ("", ""));
        let view = View {
            model: &model,
            people,
            status: &status,
            server: "s",
            direct: None,
            typed,
            is_coloured: false,
        };
        let rows = drawn(&view, 72, height);
        let side = rows.iter().filter_map(|row| Some(row.split_once('\u{2502}')?.1.to_owned()));
        side.collect::<Vec<_>>()
    };
    assert_eq!(list(3, 7), [" 3 here", "\u{25cf} n1", "\u{25cf} n2", "\u{25cf} n3"]);
    assert_eq!(list(4, 7), [" 4 here", "\u{25cf} n1", "\u{25cf} n2", "+2 more"]);
    assert_eq!(list(5, 7), [" 4 here", "\u{25cf} n1", "\u{25cf} n2", "+3 more"]);
    assert_eq!(list(5, 5), [" 4 here", "+5 more"]);
}

#[test]
fn a_narrow_screen_shows_messages_wrapped_and_the_end_of_a_long_line() {
    let mut model = Model::new("server".into());
    model.show(&message("eve", "grüße, 世界 und so weiter".as_bytes()), "09:02");
    model.turn(true);
    let status = Status { silent: true, round_trip: None, name: None, protocol: None, ..status() };
    let typed = "a line that is longer than the screen is wide";
    let view = View {
        model: &model,
        people: &[],
        status: &status,
        server: "s",
        direct: None,
        typed: (typed, typed),
        is_coloured: true,
    };
    assert_eq!(
        drawn(&view, 30, 7),
        [
            "HOME  eve",
            "",
            "",
            "09:02 < eve (directly): grüße,",
            // A wide letter takes two cells.
            "        世 界  und so weiter",
            // What matters most comes first.
            " NO ANSWER | s (looking for it",
            "to eve> an the screen is wide",
        ]
    );
}

#[test]
fn rooms_that_matter_are_in_sight_however_many_there_are() {
    let mut model = Model::new("server".into());
    for number in 10..20 {
        model.show(&message(&format!("n{number}"), b"x"), "09:00");
        model.turn(true);
    }
    model.show(&message("n15", b"y"), "09:00");
    let status = status();
    let view = View {
        model: &model,
        people: &[],
        status: &status,
        server: "s",
        direct: None,
        typed: ("", ""),
        is_coloured: false,
    };
    assert_eq!(drawn(&view, 60, 4)[0], "HOME  n10  n11  n12  n13  n14  n15 (1)  n16  n17  n18  n19");
    assert_eq!(drawn(&view, 57, 4)[0], "HOME  n15 (1)  n19  +8");
    // The current one is shown whatever else has to go, and no other is cut.
    assert_eq!(drawn(&view, 22, 4)[0], "HOME  n15 (1)  n19  +8");
    assert_eq!(drawn(&view, 21, 4)[0], "n15 (1)  n19  +9");
    assert_eq!(drawn(&view, 15, 4)[0], "HOME  n19  +9");
    assert_eq!(drawn(&view, 9, 4)[0], "n19  +10");
}

#[test]
fn the_prompt_says_whom_it_is_for() {
    let mut model = Model::new("server".into());
    let prompt = |model: &Model, status: &Status, direct: Option<&str>, width| {
        let typed = ("x", "x");
        let view = View { model, people: &[], status, server: "s", direct, typed, is_coloured: false };
        drawn(&view, width, 4).pop().unwrap()
    };
    let (status, carl) = (status(), Some("carl"));
    assert_eq!(prompt(&model, &Status { group: None, ..status.clone() }, None, 80), "> x");
    assert_eq!(prompt(&model, &status, None, 80), "HOME> x");
    assert_eq!(prompt(&model, &status, carl, 80), "to carl> x");
    model.show(&message("bob", b"hi"), "09:00");
    model.turn(true);
    assert_eq!(prompt(&model, &status, carl, 80), "to bob> x");
    assert_eq!(prompt(&model, &status, carl, 15), "> x");
}

#[test]
fn another_room_is_drawn_anew() {
    let mut model = Model::new("server".into());
    model.show(&message("bob", b"hi"), "09:00");
    let status = status();
    let mut terminal = Terminal::new(TestBackend::new(40, 6)).unwrap();
    let mut last = 0;
    let mut is_rubbish_left = |model: &Model| {
        let view = View {
            model,
            people: &[],
            status: &status,
            server: "s",
            direct: None,
            typed: ("", ""),
            is_coloured: false,
        };
        view.show(&mut terminal, &mut last).unwrap();
        let left = terminal.backend().buffer()[(30, 1)].symbol() == "?";
        // As a terminal does that shows a letter wider than it was taken for.
        terminal.backend_mut().draw([(30, 1, &Cell::new("?"))].into_iter()).unwrap();
        left
    };
    assert!(!is_rubbish_left(&model));
    assert!(is_rubbish_left(&model));
    model.turn(true);
    assert!(!is_rubbish_left(&model));
}

#[test]
fn no_screen_is_too_small() {
    let model = Model::new("server".into());
    let status = status();
    let view = View {
        model: &model,
        people: &[],
        status: &status,
        server: "s",
        direct: None,
        typed: ("x", "x"),
        is_coloured: true,
    };
    for width in 1..5 {
        for height in 1..6 {
            assert_eq!(drawn(&view, width, height).len(), usize::from(height));
        }
    }
}
