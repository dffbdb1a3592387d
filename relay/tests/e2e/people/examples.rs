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

    /// Compares what was heard with a line, and learns the words that are new.
    fn check(&mut self, line: &str, heard: &str) {
        let (mut line, mut rest) = (self.fill(line), heard.to_owned());
        while let Some((before, behind)) = line.split_once('<') {
            let (word, behind) = behind.split_once('>').unwrap_or_else(|| panic!("{line}"));
            let value = rest.strip_prefix(before).unwrap_or_else(|| panic!("{heard} is not {line}"));
            let end = value.find(' ').unwrap_or(value.len());
            self.0.insert(format!("<{word}>"), value[..end].to_owned());
            (line, rest) = (behind.to_owned(), value[end..].to_owned());
        }
        assert_eq!(rest, line, "{heard}");
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
                let client = people.entry(name).or_insert_with(|| Client::to(relay.address()));
                if line[at..].starts_with('>') {
                    client.send(words.fill(text));
                } else {
                    let heard = client.receive_within(PATIENCE).unwrap_or_else(|| panic!("{line}"));
                    words.check(text, &String::from_utf8(heard).unwrap());
                }
            }
        }
    });
}
