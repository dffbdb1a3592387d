//! What is known of the people of each group: who is there, who was, and what is new.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use wire::News;

use crate::limits::{OFFLINE, OFFLINE_IN_ALL, PAGE_BYTES};
use crate::parties::{Place, SessionId};
use crate::people::Key;

/// A group's people.
pub(crate) struct Room {
    pub number: u64,
    present: BTreeMap<Key, Arc<str>>,
    /// With the number of their departure.
    offline: BTreeMap<Key, (Arc<str>, u64)>,
    /// The same by that number.
    departures: BTreeMap<u64, Key>,
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
    /// All who are offline anywhere, by the number of their departure, with that of the room.
    departures: BTreeMap<u64, u64>,
}

impl<G> Default for Rooms<G> {
    fn default() -> Self {
        let (rooms, groups) = (HashMap::default(), HashMap::default());
        Self { rooms, groups, last: 0, departures: BTreeMap::new() }
    }
}

impl<G: Place> Rooms<G> {
    pub fn get_mut(&mut self, group: &G) -> Option<&mut Room> {
        self.rooms.get_mut(group)
    }

    /// The room of a group, which is made if there is none.
    pub fn open(&mut self, group: &G) -> &mut Room {
        let Self { rooms, groups, last, .. } = self;
        rooms.entry(group.clone()).or_insert_with(|| {
            *last += 1;
            groups.insert(*last, group.clone());
            Room::new(*last)
        })
    }

    pub fn of_number(&mut self, number: u64) -> Option<&mut Room> {
        self.rooms.get_mut(self.groups.get(&number)?)
    }

    /// Somebody comes into a group, whose room is returned.
    pub fn come(&mut self, group: &G, (key, shown): (&Key, &Arc<str>), news: News) -> &mut Room {
        if let Some(departure) = self.rooms.get_mut(group).and_then(|room| room.be_back(key)) {
            self.departures.remove(&departure);
        }
        let room = self.open(group);
        room.come(key, shown, news);
        room
    }

    /// Somebody goes out of a group, whose room is returned if there is one.
    pub fn go(&mut self, group: &G, key: &Key, news: News) -> Option<&mut Room> {
        let room = self.rooms.get_mut(group)?;
        if let Some(shown) = room.go(key, news)
            && news == News::Offline
        {
            self.last += 1;
            let eldest = room.be_away(key, (shown, self.last));
            self.departures.insert(self.last, room.number);
            if let Some(eldest) = eldest {
                self.departures.remove(&eldest);
            }
            self.forget_eldest();
        }
        self.rooms.get_mut(group)
    }

    fn forget_eldest(&mut self) {
        if self.departures.len() <= OFFLINE_IN_ALL {
            return;
        }
        if let Some((departure, number)) = self.departures.pop_first()
            && let Some(room) = self.of_number(number)
        {
            room.forget(departure);
        }
    }

    /// Forgets the rooms of groups that are deleted, and those of which nothing is known.
    pub fn sweep(&mut self) {
        let Self { rooms, groups, departures, .. } = self;
        rooms.retain(|group, room| {
            let stays = !group.is_over() && !room.is_bare();
            if !stays {
                groups.remove(&room.number);
                for departure in room.departures.keys() {
                    departures.remove(departure);
                }
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
            departures: BTreeMap::new(),
            watchers: Vec::new(),
            news: BTreeMap::new(),
            is_due: false,
        }
    }

    fn is_bare(&self) -> bool {
        self.present.is_empty() && self.offline.is_empty() && self.watchers.is_empty()
    }

    /// Somebody is there.
    fn come(&mut self, key: &Key, shown: &Arc<str>, news: News) {
        self.present.insert(key.clone(), Arc::clone(shown));
        self.note(key, shown, news);
    }

    /// Somebody is not there any more, who was shown so.
    fn go(&mut self, key: &Key, news: News) -> Option<Arc<str>> {
        let shown = self.present.remove(key)?;
        self.note(key, &shown, news);
        Some(shown)
    }

    /// Somebody is shown as offline, by the number of this departure. The one that is not shown any more for it is returned.
    fn be_away(&mut self, key: &Key, (shown, departure): (Arc<str>, u64)) -> Option<u64> {
        self.offline.insert(key.clone(), (shown, departure));
        self.departures.insert(departure, key.clone());
        let eldest = self.departures.keys().next().copied().filter(|_| self.offline.len() > OFFLINE)?;
        self.forget(eldest);
        Some(eldest)
    }

    /// Somebody is not shown as offline any more, who was by the departure of this number.
    fn be_back(&mut self, key: &Key) -> Option<u64> {
        let (_, departure) = self.offline.remove(key)?;
        self.departures.remove(&departure);
        Some(departure)
    }

    fn forget(&mut self, departure: u64) {
        if let Some(key) = self.departures.remove(&departure) {
            self.offline.remove(&key);
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
            let next =
                if is_online { online.next() } else { offline.next().map(|(key, (shown, _))| (key, shown)) };
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

    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    struct Group {
        number: usize,
        is_over: bool,
    }

    impl Place for Group {
        fn is_over(&self) -> bool {
            self.is_over
        }
    }

    const GROUP: Group = Group { number: 0, is_over: false };

    fn come(rooms: &mut Rooms<Group>, group: Group, name: &str, news: News) {
        rooms.come(&group, (&name.into(), &name.into()), news);
    }

    fn go(rooms: &mut Rooms<Group>, group: Group, name: &str, news: News) {
        rooms.go(&group, &name.into(), news);
    }

    /// Comes, and goes offline.
    fn pass_through(rooms: &mut Rooms<Group>, group: Group, name: &str) {
        come(rooms, group, name, News::Joined);
        go(rooms, group, name, News::Offline);
    }

    fn offline(rooms: &mut Rooms<Group>, group: Group) -> usize {
        rooms.get_mut(&group).map_or(0, |room| {
            assert_eq!(room.offline.len(), room.departures.len());
            room.offline.len()
        })
    }

    fn shows(rooms: &mut Rooms<Group>, group: Group, name: &str) -> bool {
        rooms.get_mut(&group).is_some_and(|room| room.offline.contains_key(name))
    }

    #[test]
    fn pages_have_every_name_once_and_in_order() {
        let mut rooms = Rooms::default();
        for number in 0..300 {
            let name = format!("name-{number:04}");
            come(&mut rooms, GROUP, &name, News::Joined);
            if number % 3 == 0 {
                go(&mut rooms, GROUP, &name, News::Offline);
            }
        }
        let room = rooms.open(&GROUP);
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
        let mut rooms = Rooms::default();
        (0..OFFLINE + 2).for_each(|number| pass_through(&mut rooms, GROUP, &number.to_string()));
        assert_eq!((offline(&mut rooms, GROUP), rooms.departures.len()), (OFFLINE, OFFLINE));
        assert!(!shows(&mut rooms, GROUP, "1") && shows(&mut rooms, GROUP, "2"));
        come(&mut rooms, GROUP, "2", News::Online);
        assert_eq!((offline(&mut rooms, GROUP), rooms.departures.len()), (OFFLINE - 1, OFFLINE - 1));
        go(&mut rooms, GROUP, "2", News::Left);
        assert!(!shows(&mut rooms, GROUP, "2"), "who has left is not shown");
    }

    /// Whoever goes through more groups than that pushes out what is oldest, wherever it is.
    #[test]
    fn as_many_are_offline_in_all_groups_together_as_may_be() {
        let mut rooms = Rooms::default();
        let group = |number| Group { number, is_over: false };
        for number in 0..OFFLINE_IN_ALL {
            pass_through(&mut rooms, group(number / 100), &number.to_string());
        }
        assert_eq!((rooms.departures.len(), offline(&mut rooms, group(0))), (OFFLINE_IN_ALL, 100));
        come(&mut rooms, group(0), "7", News::Online);
        for number in 0..10 {
            pass_through(&mut rooms, group(usize::MAX), &number.to_string());
        }
        assert_eq!((rooms.departures.len(), offline(&mut rooms, group(0))), (OFFLINE_IN_ALL, 90));
        assert_eq!(
            [8, 9, 10].map(|name| shows(&mut rooms, group(0), &name.to_string())),
            [false, false, true]
        );
        assert_eq!(offline(&mut rooms, group(usize::MAX)), 10);
    }

    #[test]
    fn only_the_last_of_somebodys_news_is_told_and_in_pages() {
        let mut rooms = Rooms::default();
        rooms.open(&GROUP).watchers.push(SessionId(1));
        for number in 0..200 {
            let name = format!("name-{number:04}");
            come(&mut rooms, GROUP, &name, News::Joined);
            if number == 7 {
                go(&mut rooms, GROUP, &name, News::Left);
            }
        }
        let room = rooms.open(&GROUP);
        let pages: Vec<_> = std::iter::from_fn(|| room.take_news()).collect();
        assert!(pages.len() > 2 && pages.iter().all(|page| page.len() <= NEWS_BYTES));
        let all = pages.join(" ");
        assert!(all.contains("name-0007 LEFT") && !all.contains("name-0007 JOINED"));
        assert_eq!(all.split(' ').count(), 400);
    }

    #[test]
    fn rooms_of_deleted_groups_are_forgotten() {
        let mut rooms = Rooms::default();
        let over = Group { number: 1, is_over: true };
        pass_through(&mut rooms, over, "a");
        pass_through(&mut rooms, GROUP, "a");
        come(&mut rooms, over, "b", News::Joined);
        rooms.sweep();
        assert_eq!([rooms.rooms.len(), rooms.groups.len(), rooms.departures.len()], [1; 3]);
    }
}
