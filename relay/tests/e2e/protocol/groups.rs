//! CREATE, its quota, and the groups that the configuration declares.

use std::collections::BTreeSet;
use std::io::Write;

use tempfile::NamedTempFile;

use super::{NO_SUCH_GROUP, NOT_JOINED};
use crate::support::{Backend, Client, Relay, RelayOptions, each_backend};

#[test]
fn ids_are_eight_letters_of_the_alphabet_and_all_different() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let mut ids = BTreeSet::new();
        // Kept, because a port that is used again is the same client.
        let clients: Vec<Client> = (0..100).map(|_| Client::to(relay.address())).collect();
        for client in &clients {
            for _ in 0..3 {
                let id = client.create();
                assert!(
                    id.len() == 8 && id.bytes().all(|c| matches!(c, b'A'..=b'N' | b'P'..=b'Z' | b'1'..=b'9')),
                    "{id}"
                );
                assert!(ids.insert(id));
            }
        }
        // 2400 letters of 34: that one of them never comes has a chance of 10^-30.
        let letters: BTreeSet<char> = ids.iter().flat_map(|id| id.chars()).collect();
        assert_eq!(letters.len(), 34, "{letters:?}");
    });
}

#[test]
fn a_created_group_is_empty_and_nobody_has_joined() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let [a, b] = [(); 2].map(|()| Client::to(relay.address()));
        let group = a.create();
        for request in ["!WHO", "!PING", "payload"] {
            assert_eq!(a.ask(request), NOT_JOINED);
        }
        b.join(&group);
        assert_eq!(b.ask("!WHO"), format!("OK WHO {group} 1"));
        // Nor does a member move by creating another one.
        b.create();
        assert_eq!(b.ask("!WHO"), format!("OK WHO {group} 1"));
    });
}

#[test]
fn a_creator_has_so_many_groups_and_leaving_frees_none() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let [creator, other] = [(); 2].map(|()| Client::to(relay.address()));
        let groups = [(); 3].map(|()| creator.create());
        for request in ["!CREATE", "!CREATE junk"] {
            assert_eq!(creator.ask(request), "ERR CLIENT_LIMIT 3/3");
        }
        for group in &groups {
            creator.join(group);
        }
        assert_eq!(creator.ask("!CREATE"), "ERR CLIENT_LIMIT 3/3");
        assert_eq!(creator.ask(format!("!LEAVE {}", groups[2])), format!("OK LEFT {}", groups[2]));
        assert_eq!(creator.ask("!CREATE"), "ERR CLIENT_LIMIT 3/3");
        other.create();
    });
    each_backend(|backend| {
        for max in ["0", "1", "5"] {
            let relay = RelayOptions::new(backend).with(["--max-groups-per-client", max]).start();
            let creator = Client::to(relay.address());
            (0..max.parse().unwrap()).for_each(|_| drop(creator.create()));
            assert_eq!(creator.ask("!CREATE"), format!("ERR CLIENT_LIMIT {max}/{max}"));
        }
    });
}

/// A relay with this configuration file, and the file.
fn configured(backend: Backend, text: &str, flags: &[&str]) -> (Relay, NamedTempFile) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let relay = RelayOptions::new(backend).with(["--config", &path]).with(flags.iter().copied()).start();
    (relay, file)
}

#[test]
fn declared_groups_have_the_ids_that_a_person_chose() {
    each_backend(|backend| {
        let longest = "A".repeat(32);
        let file = format!("[groups.LOBBY-1]\n[groups.a_b]\n[groups.{longest}]\n[groups.\"0\"]\n");
        let (relay, _file) = configured(backend, &file, &[]);
        let client = Client::to(relay.address());
        for (id, canonical) in [("lobby-1", "LOBBY-1"), ("A_B", "A_B"), (&longest, &longest), (" 0 ", "0")] {
            assert_eq!(client.ask(format!("!JOIN {id}")), format!("OK JOINED {canonical}"));
            assert_eq!(client.ask("!WHO"), format!("OK WHO {canonical} 1"));
        }
        assert_eq!(client.ask("!LEAVE 0"), "OK LEFT 0");
        assert_eq!(client.ask(format!("!JOIN {longest}A")), NO_SUCH_GROUP);
    });
}

#[test]
fn a_declared_group_has_the_cap_that_it_was_given() {
    each_backend(|backend| {
        let file = "cap = 3\n[groups.ONE]\ncap = 1\n[groups.FIVE]\ncap = 5\n[groups.ALL]\ncap = \"none\"\n";
        let (relay, _file) = configured(backend, file, &[]);
        let ordinary = Client::to(relay.address()).create();
        for (group, cap) in [("ONE", 1), ("FIVE", 5), (&ordinary, 3)] {
            let _members: Vec<Client> = (0..cap).map(|_| Client::member(relay.address(), group)).collect();
            assert_eq!(
                Client::to(relay.address()).ask(format!("!JOIN {group}")),
                format!("ERR GROUP_FULL {group}")
            );
        }
        let all: Vec<Client> = (0..20).map(|_| Client::member(relay.address(), "ALL")).collect();
        assert_eq!(all[0].ask("!WHO"), "OK WHO ALL 20");
    });
}

/// The default cap of 128 is for groups whose ids were generated.
#[test]
fn a_declared_group_without_a_cap_has_none() {
    each_backend(|backend| {
        let (relay, _file) = configured(backend, "[groups.OPEN]\n", &[]);
        let members: Vec<Client> = (0..130).map(|_| Client::member(relay.address(), "OPEN")).collect();
        assert_eq!(members[0].ask("!WHO"), "OK WHO OPEN 130");
    });
}
