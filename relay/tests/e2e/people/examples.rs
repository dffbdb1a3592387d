//! The examples of the protocol's page, replayed.

use std::collections::BTreeMap;

use crate::support::{Client, PATIENCE, RelayOptions, each_backend};

const PAGE: &str = include_str!("../../../../docs/protocol.md");

/// The lines of each example.
fn examples() -> Vec<Vec<&'static str>> {
    let parts = PAGE.split("\n```relay\n").skip(1);
    parts.map(|part| part.split("\n```").next().unwrap_or_default().lines().collect()).collect()
}

/// What the relay has chosen, by the words that stand for it.
#[derive(Default)]
struct Words(BTreeMap<String, String>);

impl Words {
    /// A line as it is said.
    fn fill(&self, line: &str) -> String {
        self.0.iter().fold(line.to_owned(), |line, (word, value)| line.replace(word, value))
    }

    /// True if what was heard is this line; then it learns the words that are new.
    fn learn(&mut self, line: &str, heard: &str) -> bool {
        let (mut line, mut rest, mut new) = (self.fill(line), heard.to_owned(), Vec::new());
        while let Some((before, behind)) = line.split_once('<') {
            let (word, behind) = behind.split_once('>').unwrap_or_else(|| panic!("{line}"));
            let Some(value) = rest.strip_prefix(before) else { return false };
            let end = value.find(' ').unwrap_or(value.len());
            new.push((format!("<{word}>"), value[..end].to_owned()));
            (line, rest) = (behind.to_owned(), value[end..].to_owned());
        }
        let is_it = rest == line;
        self.0.extend(new.into_iter().filter(|_| is_it));
        is_it
    }
}

#[test]
fn the_examples_of_the_page_are_true() {
    let examples = examples();
    assert!(examples.len() >= 4, "{}", examples.len());
    each_backend(|backend| {
        for example in &examples {
            let relay = RelayOptions::new(backend).start();
            let (mut people, mut words) = (BTreeMap::new(), Words::default());
            for line in example {
                let at = line.find(['<', '>']).unwrap_or_else(|| panic!("{line}"));
                let (name, text) = (&line[..at], line[at + 1..].trim_start());
                let (client, early) =
                    people.entry(name).or_insert_with(|| (Client::to(relay.address()), Vec::<String>::new()));
                if line[at..].starts_with('>') {
                    client.send(words.fill(text));
                } else {
                    // Two shards may say the next two lines in either order.
                    let known = early.iter().position(|heard| words.learn(text, heard));
                    if let Some(at) = known {
                        early.remove(at);
                        continue;
                    }
                    loop {
                        let heard = client.receive_within(PATIENCE);
                        let heard = heard.unwrap_or_else(|| panic!("{line}, but {early:?}"));
                        let heard = String::from_utf8(heard).unwrap();
                        if words.learn(text, &heard) {
                            break;
                        }
                        early.push(heard);
                    }
                }
            }
        }
    });
}
