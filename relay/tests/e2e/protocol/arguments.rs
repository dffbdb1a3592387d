//! The arguments of JOIN and LEAVE: what is stripped, what is folded, and what can name no group.

use super::{NO_SUCH_GROUP, NOT_IN_THAT_GROUP, USAGE_JOIN, USAGE_LEAVE};
use crate::support::{Client, Relay, each_backend};

#[test]
fn surrounding_white_space_is_stripped_and_letters_are_folded() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let client = Client::to(relay.address());
        let group = client.create();
        let mixed: String = group
            .chars()
            .enumerate()
            .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c })
            .collect();
        for id in [group.clone(), group.to_ascii_lowercase(), mixed] {
            for (before, after) in
                [("", ""), (" ", " "), ("   ", "   "), ("\t\n\r\x0b\x0c ", " \t\n\r\x0b\x0c")]
            {
                let argument = format!("{before}{id}{after}");
                assert_eq!(
                    client.ask(format!("!JOIN {argument}")),
                    format!("OK JOINED {group}"),
                    "{argument:?}"
                );
                assert_eq!(
                    client.ask(format!("!LEAVE {argument}")),
                    format!("OK LEFT {group}"),
                    "{argument:?}"
                );
            }
        }
    });
}

#[test]
fn nothing_but_white_space_is_no_argument() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let group = stranger.create();
        let member = Client::member(relay.address(), &group);
        for client in [&stranger, &member] {
            for nothing in ["", " ", "  ", " \t", " \n", " \r\n", " \x0b\x0c", "     "] {
                assert_eq!(client.ask(format!("!JOIN{nothing}")), USAGE_JOIN, "{nothing:?}");
                assert_eq!(client.ask(format!("!LEAVE{nothing}")), USAGE_LEAVE, "{nothing:?}");
            }
        }
        assert_eq!(member.ask("!WHO"), format!("OK WHO {group} 1"));
    });
}

/// Ids are ASCII: nothing else is folded to a letter, and nothing is left out.
#[test]
fn what_can_name_no_group_names_none() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let group = stranger.create();
        let member = Client::member(relay.address(), &group);
        let (head, tail) = group.split_at(4);
        let others = [
            "ZZZZZZZZ".to_owned(),
            format!("{group}{group}{group}{group}X"),
            format!("{group} {group}"),
            format!("{group} junk"),
            format!("{group}\0"),
            format!("{head} {tail}"),
            format!("{head}\t{tail}"),
            format!("!{group}"),
            format!("{group}."),
            format!("\u{a0}{group}"),
            format!("{group}\u{2003}"),
            format!("\u{feff}{group}"),
            format!("{head}\u{200b}{tail}"),
            format!("{head}\u{131}{tail}"),
            "stra\u{df}e".to_owned(),
            "\u{fb01}".to_owned(),
            "\u{ff21}\u{ff22}\u{ff23}".to_owned(),
            "\u{c4}BC".to_owned(),
        ];
        let cut = [head.as_bytes(), b"\xff", tail.as_bytes()].concat();
        let ended = [group.as_bytes(), b"\xc3"].concat();
        for id in others.iter().map(String::as_bytes).chain([&cut[..], &ended, b"\xff", b"\x80\x80", b"\0"]) {
            let shown = String::from_utf8_lossy(id);
            for client in [&stranger, &member] {
                assert_eq!(client.ask([b"!JOIN ", id].concat()), NO_SUCH_GROUP, "{shown:?}");
                assert_eq!(client.ask([b"!LEAVE ", id].concat()), NOT_IN_THAT_GROUP, "{shown:?}");
            }
        }
        assert_eq!(member.ask("!WHO"), format!("OK WHO {group} 1"));
    });
}
