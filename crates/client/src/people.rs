//! Who is in the group, as far as the relay has told.

use std::collections::BTreeMap;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use wire::News;

use crate::limits::MAX_PEOPLE;

/// The people of one group, in the order of their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    known: BTreeMap<String, Person>,
    /// Of the list that is being asked for: who is not on it is gone.
    listed: Option<BTreeMap<String, Person>>,
}

/// Somebody with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// As its owner writes it.
    pub name: String,
    /// Here, and reached at once.
    pub online: bool,
}

/// Two spellings of one name give the same text: case-folded and in Unicode's normal form C, as the relay compares them.
pub fn fold(name: &str) -> String {
    name.nfd().default_case_fold().nfc().collect()
}

impl People {
    /// A list begins.
    pub(crate) fn begin(&mut self) {
        self.listed = Some(BTreeMap::new());
    }

    /// One more entry of the list.
    pub(crate) fn list(&mut self, name: &str, news: News) {
        let listed = self.listed.get_or_insert_default();
        put(listed, name, news == News::Online);
    }

    /// The list is complete.
    pub(crate) fn end(&mut self) {
        if let Some(listed) = self.listed.take() {
            self.known = listed;
        }
    }

    /// Something has become of somebody. False: that was known, or it is that somebody unknown is away.
    pub(crate) fn hear(&mut self, name: &str, news: News) -> bool {
        let was_online = self.known.get(&fold(name)).is_some_and(|person| person.online);
        match news {
            News::Online | News::Joined => put(&mut self.known, name, true),
            News::Offline => put(&mut self.known, name, false),
            News::Left => drop(self.known.remove(&fold(name))),
        }
        match news {
            News::Online => !was_online,
            News::Offline => was_online,
            // The relay tells them once each, and a list may have been here before.
            News::Joined | News::Left => true,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Person> {
        self.known.values()
    }

    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn put(people: &mut BTreeMap<String, Person>, name: &str, online: bool) {
    let key = fold(name);
    if people.len() < MAX_PEOPLE || people.contains_key(&key) {
        people.insert(key, Person { name: name.to_owned(), online });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(people: &People) -> Vec<(String, bool)> {
        people.iter().map(|person| (person.name.clone(), person.online)).collect()
    }

    #[test]
    fn a_list_replaces_what_was_known_once_it_is_complete() {
        let mut people = People::default();
        people.hear("Old", News::Joined);
        people.begin();
        people.list("bob", News::Offline);
        people.list("Anna", News::Online);
        assert_eq!(names(&people), [("Old".into(), true)]);
        people.end();
        assert_eq!(names(&people), [("Anna".into(), true), ("bob".into(), false)]);
    }

    #[test]
    fn news_change_one_person_however_the_name_is_written() {
        let mut people = People::default();
        people.hear("\u{c9}va", News::Joined);
        people.hear("\u{e9}VA", News::Offline);
        assert_eq!(names(&people), [("\u{e9}VA".into(), false)]);
        people.hear("\u{c9}va", News::Left);
        assert_eq!(names(&people), []);
    }

    /// The relay takes them for one name, so that a claim noted under one spelling serves the other.
    #[test]
    fn spellings_that_the_relay_takes_for_one_are_one() {
        for (one, other) in
            [("stra\u{df}e", "STRASSE"), ("e\u{301}va", "\u{c9}VA"), ("\u{3c3}\u{3c2}", "\u{3a3}\u{3a3}")]
        {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("anna"), fold("bob"));
    }

    #[test]
    fn so_many_are_known() {
        let mut people = People::default();
        for number in 0..MAX_PEOPLE + 5 {
            people.hear(&format!("n{number}"), News::Joined);
        }
        assert_eq!(people.iter().count(), MAX_PEOPLE);
    }
}
