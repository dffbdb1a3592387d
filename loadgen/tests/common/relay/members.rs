//! Who is in which group, by the base protocol.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::{GroupId, Refusal, Reply};

/// Groups and their members.
pub struct Members {
    cap: usize,
    quota: u32,
    groups: HashMap<GroupId, Vec<SocketAddr>>,
    members: HashMap<SocketAddr, Member>,
    /// Groups that each client has made.
    made: HashMap<SocketAddr, u32>,
    /// Groups ever.
    count: u32,
    /// Joins ever.
    pub joins: u64,
}

/// One who is in a group.
struct Member {
    group: GroupId,
    heard: Instant,
}

impl Members {
    /// Nobody yet. At most `cap` to a group, and at most `quota` groups of one creator.
    pub fn new(cap: usize, quota: u32) -> Self {
        let (groups, members, made) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { cap, quota, groups, members, made, count: 0, joins: 0 }
    }

    /// What a relay that was started anew knows. Ids are never used twice.
    pub fn forget(&mut self) {
        self.groups.clear();
        self.members.clear();
        self.made.clear();
    }

    pub fn count(&self) -> usize {
        self.members.len()
    }

    pub fn create(&mut self, client: SocketAddr) -> Reply {
        let made = self.made.entry(client).or_default();
        if *made == self.quota {
            return Reply::Refused(Refusal::ClientLimit { used: *made, max: self.quota });
        }
        *made += 1;
        self.count += 1;
        let letter = |place: u32| b'A' + (self.count >> (3 * place) & 7) as u8;
        let id = GroupId::generated((0..GroupId::GENERATED_LEN).map(|place| letter(place as u32)));
        self.groups.insert(id, Vec::new());
        Reply::Created(id)
    }

    pub fn join(&mut self, client: SocketAddr, id: Option<GroupId>) -> Reply {
        let Some((id, group)) = id.and_then(|id| Some((id, self.groups.get(&id)?))) else {
            return Reply::Refused(Refusal::NoSuchGroup);
        };
        if !group.contains(&client) {
            if group.len() >= self.cap {
                return Reply::Refused(Refusal::GroupFull(id));
            }
            self.remove(client);
            self.joins += 1;
            self.groups.entry(id).or_default().push(client);
        }
        self.members.insert(client, Member { group: id, heard: Instant::now() });
        Reply::Joined(id)
    }

    pub fn leave(&mut self, client: SocketAddr, id: Option<GroupId>) -> Reply {
        match id.filter(|id| self.members.get(&client).is_some_and(|member| member.group == *id)) {
            Some(id) => {
                self.remove(client);
                Reply::Left(id)
            }
            None => Reply::Refused(Refusal::NotInThatGroup),
        }
    }

    pub fn who(&self, client: SocketAddr) -> Reply {
        match self.members.get(&client) {
            Some(member) => Reply::Who(member.group, self.groups[&member.group].len() as u32),
            None => Reply::Refused(Refusal::NotJoined),
        }
    }

    /// Everybody in the group of a client that has just been heard; `None` if it is in none.
    pub fn hear(&mut self, client: SocketAddr) -> Option<&[SocketAddr]> {
        let member = self.members.get_mut(&client)?;
        member.heard = Instant::now();
        Some(&self.groups[&member.group])
    }

    /// Removes whoever was not heard for so long.
    pub fn expire(&mut self, silence: Duration) {
        let idle = self.members.iter().filter(|(_, member)| member.heard.elapsed() > silence);
        let idle: Vec<SocketAddr> = idle.map(|(client, _)| *client).collect();
        idle.into_iter().for_each(|client| self.remove(client));
    }

    fn remove(&mut self, client: SocketAddr) {
        if let Some(member) = self.members.remove(&client)
            && let Some(group) = self.groups.get_mut(&member.group)
        {
            group.retain(|other| *other != client);
        }
    }
}
