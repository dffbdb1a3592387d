//! What is known of the people of each group: who is there, who was, and what is new.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use wire::News;

use crate::limits::{OFFLINE, PAGE_BYTES};
use crate::parties::{Place, SessionId};
use crate::people::Key;

/// A group's people.
pub(crate) struct Room {
    pub number: u64,
    present: BTreeMap<Key, Arc<str>>,
    offline: BTreeMap<Key, Arc<str>>,
    /// Those who are offline, since when.
    order: VecDeque<Key>,
    pub watchers: Vec<SessionId>,
    /// What the watchers have not been told: the last of each name.
    news: BTreeMap<Key, (Arc<str>, News)>,
    /// They will be, at some time.
    pub is_due: bool,
}

/// The rooms, by their groups.
pub(crate) struct Rooms<G> {
    rooms: HashMap<G, Room, RandomState>,
    groups: HashMap<u64, G, RandomState>,
    last: u64,
}

impl<G> Default for Rooms<G> {
    fn default() -> Self {
        Self { rooms: HashMap::default(), groups: HashMap::default(), last: 0 }
    }
}

impl<G: Place> Rooms<G> {
    pub fn get_mut(&mut self, group: &G) -> Option<&mut Room> {
        self.rooms.get_mut(group)
    }

    /// The room of a group, which is made if there is none.
    pub fn open(&mut self, group: &G) -> &mut Room {
        let Self { rooms, groups, last } = self;
        rooms.entry(group.clone()).or_insert_with(|| {
            *last += 1;
            groups.insert(*last, group.clone());
            Room::new(*last)
        })
    }

    pub fn of_number(&mut self, number: u64) -> Option<&mut Room> {
        self.rooms.get_mut(self.groups.get(&number)?)
    }

    /// Forgets the rooms of groups that are deleted, and those of which nothing is known.
    pub fn sweep(&mut self) {
        let Self { rooms, groups, .. } = self;
        rooms.retain(|group, room| {
            let stays = !group.is_over() && !room.is_bare();
            if !stays {
                groups.remove(&room.number);
            }
            stays
        });
    }
}

impl Room {
    fn new(number: u64) -> Self {
        Self {
            number,
            present: BTreeMap::new(),
            offline: BTreeMap::new(),
            order: VecDeque::new(),
            watchers: Vec::new(),
            news: BTreeMap::new(),
            is_due: false,
        }
    }

    fn is_bare(&self) -> bool {
        self.present.is_empty() && self.offline.is_empty() && self.watchers.is_empty()
    }

    /// Somebody is there.
    pub fn come(&mut self, key: &Key, shown: &Arc<str>, news: News) {
        if self.offline.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
        self.present.insert(key.clone(), Arc::clone(shown));
        self.note(key, shown, news);
    }

    /// Somebody is not there any more.
    pub fn go(&mut self, key: &Key, news: News) {
        let Some(shown) = self.present.remove(key) else { return };
        self.note(key, &shown, news);
        if news != News::Offline {
            return;
        }
        self.offline.insert(key.clone(), shown);
        self.order.push_back(key.clone());
        if self.order.len() > OFFLINE
            && let Some(first) = self.order.pop_front()
        {
            self.offline.remove(&first);
        }
    }

    fn note(&mut self, key: &Key, shown: &Arc<str>, news: News) {
        if !self.watchers.is_empty() {
            self.news.insert(key.clone(), (Arc::clone(shown), news));
        }
    }

    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// A message with as many news as it holds: `<name> <news> <name> <news>`. They are no news any more.
    pub fn take_news(&mut self) -> Option<String> {
        let mut text = String::new();
        while let Some(first) = self.news.first_entry() {
            let (shown, news) = first.get();
            let more = [&**shown, " ", news.as_str()];
            let bytes = more.iter().map(|word| word.len()).sum::<usize>() + 1;
            if !text.is_empty() && text.len() + bytes > NEWS_BYTES {
                break;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.extend(more);
            first.remove();
        }
        (!text.is_empty()).then_some(text)
    }

    /// Nobody hears them.
    pub fn drop_news(&mut self) {
        self.news.clear();
    }

    /// A page of names behind `after`, in the order of their keys: `<name>=ONLINE <name>=OFFLINE`, and the last key of the page if
    /// there are more.
    pub fn page(&self, after: Option<&str>) -> (String, Option<Key>) {
        let bounds = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut online = self.present.range::<str, _>(bounds).peekable();
        let mut offline = self.offline.range::<str, _>(bounds).peekable();
        let (mut text, mut last) = (String::new(), None);
        loop {
            let is_online = match (online.peek(), offline.peek()) {
                (None, None) => return (text, None),
                (Some((one, _)), Some((other, _))) => one < other,
                (one, _) => one.is_some(),
            };
            let next = if is_online { online.next() } else { offline.next() };
            let Some((key, shown)) = next else { return (text, None) };
            let news = if is_online { News::Online } else { News::Offline };
            let more = [&**shown, "=", news.as_str()];
            let bytes = more.iter().map(|word| word.len()).sum::<usize>() + 1;
            // The cursor is a name, too.
            if last.is_some() && text.len() + bytes > PAGE_BYTES - MARGIN {
                return (text, last);
            }
            if last.is_some() {
                text.push(' ');
            }
            text.extend(more);
            last = Some(key.clone());
        }
    }
}

/// Bytes of a page beside its names, at most: `!OK PEERS >` and a key, which folding makes longer than the name by some letters.
const MARGIN: usize = 12 + 3 * 4 * crate::limits::NAME_CHARACTERS;

/// Bytes of the names and news of one message: the rest is `!PEER `.
const NEWS_BYTES: usize = PAGE_BYTES - "!PEER ".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    struct Over;

    impl Place for Over {
        fn is_over(&self) -> bool {
            true
        }
    }

    fn room(names: usize) -> Room {
        let mut room = Room::new(1);
        for number in 0..names {
            let name: Arc<str> = format!("name-{number:04}").into();
            room.come(&name, &name, News::Joined);
            if number % 3 == 0 {
                room.go(&name, News::Offline);
            }
        }
        room
    }

    #[test]
    fn pages_have_every_name_once_and_in_order() {
        let room = room(300);
        let (mut cursor, mut all, mut pages) = (None, Vec::new(), 0);
        loop {
            let (text, next) = room.page(cursor.as_deref());
            assert!(text.len() <= PAGE_BYTES);
            all.extend(text.split(' ').map(str::to_owned));
            pages += 1;
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert!(pages > 3);
        let state = |number: usize| if number.is_multiple_of(3) { "OFFLINE" } else { "ONLINE" };
        let expected: Vec<_> = (0..300).map(|at| format!("name-{at:04}={}", state(at))).collect();
        assert_eq!(all, expected);
        assert_eq!(Room::new(1).page(None), (String::new(), None));
    }

    #[test]
    fn as_many_are_offline_as_may_be_shown() {
        let mut room = room(0);
        for number in 0..OFFLINE + 2 {
            let name: Arc<str> = number.to_string().into();
            room.come(&name, &name, News::Joined);
            room.go(&name, News::Offline);
        }
        assert_eq!((room.offline.len(), room.order.len()), (OFFLINE, OFFLINE));
        assert!(!room.offline.contains_key("0") && room.offline.contains_key("2"));
        let back: Arc<str> = "2".into();
        room.come(&back, &back, News::Online);
        assert_eq!((room.offline.len(), room.order.len()), (OFFLINE - 1, OFFLINE - 1));
    }

    #[test]
    fn only_the_last_of_somebodys_news_is_told_and_in_pages() {
        let mut room = room(0);
        room.watchers.push(SessionId(1));
        for number in 0..200 {
            let name: Arc<str> = format!("name-{number:04}").into();
            room.come(&name, &name, News::Joined);
            if number == 7 {
                room.go(&name, News::Left);
            }
        }
        let pages: Vec<_> = std::iter::from_fn(|| room.take_news()).collect();
        assert!(pages.len() > 2 && pages.iter().all(|page| page.len() <= NEWS_BYTES));
        let all = pages.join(" ");
        assert!(all.contains("name-0007 LEFT") && !all.contains("name-0007 JOINED"));
        assert_eq!(all.split(' ').count(), 400);
    }

    #[test]
    fn rooms_of_deleted_groups_are_forgotten() {
        let mut rooms = Rooms::default();
        let name: Arc<str> = "a".into();
        rooms.open(&Over).come(&name, &name, News::Joined);
        rooms.sweep();
        assert!(rooms.rooms.is_empty() && rooms.groups.is_empty());
    }
}
