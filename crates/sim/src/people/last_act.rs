//! When all messages have arrived: everybody is in a group and watches it, some things happen, and all that is told of them is exact.

use std::collections::BTreeSet;

use rand::RngExt;
use wire::{Notice, Sender};

use super::Story;
use super::life::GROUPS;

/// Longer than news wait for others, however many there are, in milliseconds.
const NEWS_MS: u64 = 1000;

/// Longer than a peer's address is told again, in milliseconds.
const PEER_MS: u64 = 2000;

/// Longer than anybody is remembered who says nothing, in seconds.
const FORGOTTEN_S: u64 = 300;

impl Story {
    pub(super) fn last_act(&mut self) -> Result<(), String> {
        self.hall.be_still();
        for talker in &mut self.talkers {
            // Where it is, and whether it watches, may be something else than it was told.
            talker.life.begin();
            talker.life.wanted = Some(self.dice.random_range(0..GROUPS.len()));
            (talker.life.wants_news, talker.life.seeks) = (true, None);
        }
        self.check_presence()?;
        for _ in 0..self.dice.random_range(0..12) {
            let talker = self.dice.random_range(0..self.talkers.len());
            let talker = &mut self.talkers[talker];
            match self.dice.random_range(0..4) {
                0 => talker.life.wanted = None,
                1 => talker.change(&mut self.dice, self.hall.now),
                _ => talker.life.wanted = Some(self.dice.random_range(0..GROUPS.len())),
            }
            let pause = self.dice.random_range(0..200);
            self.pass(pause)?;
        }
        self.check_presence()?;
        self.meet()?;
        self.speak()?;
        self.end()
    }

    /// Who is in a group knows who else is: by the list that it was told and the news since, which are what a new list says.
    fn check_presence(&mut self) -> Result<(), String> {
        self.until("have what they want", |talker| talker.is_named() && talker.life.is_settled())?;
        self.pass(NEWS_MS)?;
        for talker in &self.talkers {
            let Some(view) = talker.life.view.as_ref().filter(|_| talker.life.group.is_some()) else {
                continue;
            };
            let told: BTreeSet<String> =
                view.iter().filter(|(_, is_online)| **is_online).map(|(name, _)| name.clone()).collect();
            let there: BTreeSet<String> = (self.talkers.iter().enumerate())
                .filter(|(_, other)| other.life.group == talker.life.group)
                .map(|(own, _)| format!("p{own}"))
                .collect();
            if told != there {
                return Err(format!("told of {told:?}, where {there:?} are: {talker:?}"));
            }
        }
        for talker in &mut self.talkers {
            talker.life.compares = talker.life.group.is_some();
        }
        self.until("have a new list", |talker| !talker.life.compares)
    }

    /// Two who name each other are told where the other is, once if they acknowledge it, and nobody else is.
    fn meet(&mut self) -> Result<(), String> {
        let pairs = self.talkers.len() / 2;
        for (own, talker) in self.talkers.iter_mut().enumerate() {
            talker.life.met.clear();
            if own < 2 * pairs {
                talker.life.seek(Some(own ^ 1));
            }
        }
        self.pass(PEER_MS)?;
        for (own, talker) in self.talkers.iter().enumerate() {
            let other = self.talkers.get(own ^ 1);
            let met = &talker.life.met;
            let is_right = match (other, met.as_slice()) {
                (None, []) => true,
                (Some(other), [(peer, address, nonce)]) => {
                    let same = other.life.met.iter().all(|(_, _, theirs)| theirs == nonce);
                    *peer == own ^ 1 && *address == other.address() && same
                }
                _ => false,
            };
            if !is_right {
                return Err(format!("told to meet {met:?}: {talker:?}, and there is {other:?}"));
            }
        }
        Ok(())
    }

    /// What reads like a command is heard as it was said, by whoever else is in the group.
    fn speak(&mut self) -> Result<(), String> {
        const TEXT: &str = "!SEND p0 n0 not a message";
        let own = self.dice.random_range(0..self.talkers.len());
        self.talkers.iter_mut().for_each(|talker| talker.life.heard.clear());
        self.talkers[own].once(format!("!RAW {TEXT}"));
        self.pass(NEWS_MS)?;
        let (group, name) = (self.talkers[own].life.group, format!("p{own}"));
        for (other, talker) in self.talkers.iter().enumerate() {
            let is_right = match talker.life.heard.as_slice() {
                [] => other == own || group.is_none() || talker.life.group != group,
                [heard] => {
                    let is_it = match Notice::parse(heard) {
                        Some(Notice::From(sender, _, text)) => {
                            talker.hears_names() && sender == Sender::Named(&name) && text == TEXT.as_bytes()
                        }
                        Some(Notice::Raw(text)) => !talker.hears_names() && text == TEXT.as_bytes(),
                        _ => false,
                    };
                    is_it && other != own && group.is_some() && talker.life.group == group
                }
                _ => false,
            };
            if !is_right {
                return Err(format!(
                    "p{own} of {group:?} has said {TEXT}, and {talker:?} has heard something else"
                ));
            }
        }
        Ok(())
    }

    /// Nobody says anything any more, and nothing is left of them but their names.
    fn end(&mut self) -> Result<(), String> {
        for _ in 0..FORGOTTEN_S {
            self.hall.step(1000);
        }
        let left = self.hall.left();
        if left == [0; 5] {
            return Ok(());
        }
        Err(format!(
            "names online, watchers, who waits, silent ones and messages under way are left: {left:?}"
        ))
    }
}
