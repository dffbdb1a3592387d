//! Who is in a group, and who wants to hear of it.

use wire::{Entries, News, Notice, Refusal};

use crate::limits::{NEWS_AT_ONCE, NEWS_MS, NEWS_PAGES, NEWS_PER_MS};
use crate::parties::{Address, Place, SessionId, Turn};
use crate::timers::Job;
use crate::{Name, People};

/// What a cursor begins with, so that it is never the point that stands for none.
const CURSOR: char = '>';

impl<A: Address, G: Place> People<A, G> {
    pub(crate) fn peers(
        &mut self,
        id: SessionId,
        cursor: Option<&[u8]>,
        turn: &mut Turn<'_, A>,
    ) -> Result<(), Refusal> {
        let session = &self.sessions[&id];
        let group = session.group.as_ref().ok_or(Refusal::NotJoined)?;
        // A cursor that is none begins at the beginning.
        let after = cursor.and_then(|cursor| std::str::from_utf8(cursor).ok()?.strip_prefix(CURSOR));
        let page = self.rooms.get_mut(group).map(|room| room.page(after));
        let (text, last) = page.unwrap_or_default();
        let next = last.map(|key| format!("{CURSOR}{key}"));
        turn.post.tell(session.address, Notice::Peers(next.as_deref(), Entries::of_page(&text)));
        Ok(())
    }

    pub(crate) fn watch(&mut self, id: SessionId, turn: &mut Turn<'_, A>) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&id) else { return Err(Refusal::NoSession) };
        let group = session.group.as_ref().ok_or(Refusal::NotJoined)?;
        if !session.watches {
            session.watches = true;
            self.figures.watching += 1;
            self.rooms.open(group).watchers.push(id);
        }
        turn.post.tell(session.address, Notice::Watching);
        Ok(())
    }

    pub(crate) fn stop_watching(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.watches) else { return };
        session.watches = false;
        self.figures.watching -= 1;
        let Some(room) = session.group.as_ref().and_then(|group| self.rooms.get_mut(group)) else { return };
        room.watchers.retain(|other| *other != id);
        if room.watchers.is_empty() {
            room.drop_news();
        }
    }

    /// A session is in another group now.
    pub(crate) fn change_rooms(&mut self, id: SessionId, group: Option<G>, turn: &mut Turn<'_, A>) {
        self.stop_watching(id);
        self.leave_room(id, News::Left, turn);
        self.stop_waiting_unnamed(id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.group = group;
        }
        self.come_into_room(id, News::Joined, turn);
    }

    /// Others see a named session in its group from now on.
    pub(crate) fn come_into_room(&mut self, id: SessionId, news: News, turn: &mut Turn<'_, A>) {
        let (Ok(Name { key, shown }), Some(group)) = (self.name_of(id), self.group_of(id)) else { return };
        let number = self.rooms.come(&group, (&key, &shown), news).number;
        self.announce(number, turn);
    }

    /// Others see it there no more.
    pub(crate) fn leave_room(&mut self, id: SessionId, news: News, turn: &mut Turn<'_, A>) {
        let Ok(name) = self.name_of(id) else { return };
        let Some(group) = self.group_of(id) else { return };
        let Some(number) = self.rooms.go(&group, &name.key, news).map(|room| room.number) else { return };
        self.announce(number, turn);
    }

    fn group_of(&self, id: SessionId) -> Option<G> {
        self.sessions.get(&id).and_then(|session| session.group.clone())
    }

    /// What is new in a room will be told in a moment, with what else is new by then.
    fn announce(&mut self, number: u64, turn: &mut Turn<'_, A>) {
        if let Some(room) = self.rooms.of_number(number).filter(|room| room.has_news() && !room.is_due) {
            room.is_due = true;
            self.timers.add(turn.shard, turn.now.tick + NEWS_MS, Job::News { room: number });
        }
    }

    pub(crate) fn tell_news(&mut self, number: u64, turn: &mut Turn<'_, A>) {
        let Some(room) = self.rooms.of_number(number) else { return };
        room.is_due = false;
        let watchers = room.watchers.iter().filter_map(|id| self.sessions.get(id));
        let watchers: Vec<_> = watchers.map(|session| session.address).collect();
        let mut told = 0;
        let pages = (NEWS_AT_ONCE / watchers.len().max(1)).clamp(1, NEWS_PAGES);
        for _ in 0..pages {
            let Some(text) = room.take_news() else { break };
            turn.post.tell_all(&watchers, Notice::Peer(Entries::of_news(&text)));
            told += watchers.len() as u64;
        }
        self.figures.news += told;
        // More is told when the sockets have had time for this.
        if room.has_news() || told > NEWS_MS * NEWS_PER_MS {
            room.is_due = true;
            let pause = NEWS_MS.max(told / NEWS_PER_MS);
            self.timers.add(turn.shard, turn.now.tick + pause, Job::News { room: number });
        }
    }
}
