//! Whether an interface is a card, or a link to something else: what the kernel says in /sys.

use std::fs;
use std::net::IpAddr;

use net::Interface;

use super::look;

/// What an interface leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A network, by a card or what looks like one.
    Card,
    /// The other end is in another namespace, as a container's is.
    Elsewhere,
    /// The other end is this interface of the same namespace.
    Pair(String),
    /// It lies on this interface, as a VLAN does.
    Upon(String),
}

/// Names and numbers of an interface, and the number of what it is linked to.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    index: u64,
    link: u64,
}

impl Link {
    /// Of an interface; a card where /sys is another namespace's.
    pub fn of(interface: &Interface) -> Self {
        let entries = entries();
        let own = entries.iter().find(|entry| entry.name == interface.name);
        let Some(own) = own.filter(|own| own.index == u64::from(interface.index)) else { return Self::Card };
        let lies_on = |other: &Entry| {
            fs::symlink_metadata(format!("/sys/class/net/{}/lower_{}", own.name, other.name)).is_ok()
        };
        judge(own, &entries, lies_on)
    }

    /// True if this end is one of two, of which the other is in another namespace and has a private address.
    pub fn is_bridged(interface: &Interface) -> bool {
        let private = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if v4.is_private());
        interface.addresses.iter().any(private) && Self::of(interface) == Self::Elsewhere
    }
}

/// All that this namespace has.
fn entries() -> Vec<Entry> {
    let folder = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let entry = |name: String| {
        let number = |what| look::number(&format!("/sys/class/net/{name}/{what}")).ok();
        let (index, link) = (number("ifindex")?, number("iflink")?);
        Some(Entry { name, index, link })
    };
    folder.filter_map(|file| entry(file.file_name().into_string().ok()?)).collect()
}

/// Numbers are of a namespace: the same one in another is another interface, which only the way back tells.
fn judge(own: &Entry, all: &[Entry], lies_on: impl Fn(&Entry) -> bool) -> Link {
    if own.link == own.index {
        return Link::Card;
    }
    match all.iter().find(|other| other.index == own.link) {
        Some(other) if lies_on(other) => Link::Upon(other.name.clone()),
        Some(other) if other.link == own.index => Link::Pair(other.name.clone()),
        _ => Link::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_other_end_is() {
        let entry = |name: &str, index, link| Entry { name: name.into(), index, link };
        let all = [
            entry("lo", 1, 1),
            entry("eth0", 2, 2),
            entry("va", 4, 3),
            entry("vb", 3, 4),
            entry("near", 5, 2),
            entry("far", 6, 77),
            entry("eth0.5", 7, 2),
        ];
        let of = |at: usize| judge(&all[at], &all, |other| at == 6 && other.name == "eth0");
        assert_eq!((of(0), of(1)), (Link::Card, Link::Card));
        assert_eq!((of(2), of(3)), (Link::Pair("vb".into()), Link::Pair("va".into())));
        assert_eq!((of(4), of(5)), (Link::Elsewhere, Link::Elsewhere), "2 is another's number there");
        assert_eq!(of(6), Link::Upon("eth0".into()));
    }
}
