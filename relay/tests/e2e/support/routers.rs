//! Hosts behind routers that translate addresses, on a net in the middle; all of it vanishes with the thread that made it.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use super::ip;

/// The address of the calling thread's namespace on the net between the routers.
pub const MIDDLE: &str = "10.7.0.1";

/// A network namespace.
pub struct Space(File);

/// A router with one host behind it.
pub struct Site {
    pub router: Space,
    pub host: Space,
}

/// How a router translates.
#[derive(Clone, Copy, Debug)]
pub enum Nat {
    /// One port for a host's port, whoever is at the other end, if it is free.
    Cone,
    /// Another port for each other end.
    Symmetric,
}

/// Makes the net that sites are joined to, with [`MIDDLE`] on it.
pub fn lay_net() {
    ip("link add net type bridge");
    ip(&format!("addr add {MIDDLE}/24 dev net"));
    ip("link set net up");
}

impl Space {
    /// A new one; the thread stays where it is.
    fn new() -> Self {
        let here = Self::here();
        unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces, which take root");
        ip("link set lo up");
        let new = Self::here();
        setns(&here.0, CloneFlags::CLONE_NEWNET).unwrap();
        new
    }

    fn here() -> Self {
        Self(File::open("/proc/thread-self/ns/net").unwrap())
    }

    /// Does something there; sockets and processes that are made there stay there.
    pub fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        let here = Self::here();
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
        let result = action();
        setns(&here.0, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }

    /// A cable from `here` to `name` there.
    fn connect(&self, here: &str, name: &str) {
        let there = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        ip(&format!("link add {here} type veth peer name {name} netns {there}"));
    }
}

impl Site {
    /// Number 1 and so on, joined to the net. To the others it is `10.7.0.2` and so on.
    pub fn build(number: u8, nat: Nat) -> Self {
        let site = Self { router: Space::new(), host: Space::new() };
        let outside = format!("out{number}");
        site.router.connect(&outside, "wan");
        ip(&format!("link set {outside} master net up"));
        site.router.inside(|| {
            ip(&format!("addr add 10.7.0.{}/24 dev wan", number + 1));
            ip("link set wan up");
            site.host.connect("lan", "eth");
            ip("addr add 192.168.1.1/24 dev lan");
            ip("link set lan up");
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            translate(nat);
        });
        site.host.inside(|| {
            ip("link set eth up");
            settle("192.168.1.2");
        });
        site
    }
}

/// Gives the host of a site, in whose namespace the thread is, this address and the way out.
pub fn settle(address: &str) {
    ip(&format!("addr add {address}/24 dev eth"));
    ip("route add default via 192.168.1.1");
}

/// What comes unasked is dropped, as home routers do it; so it takes no port of the translation either.
fn translate(nat: Nat) {
    let way = match nat {
        Nat::Cone => "masquerade",
        Nat::Symmetric => "masquerade random",
    };
    nft(&format!(
        "table ip nat {{
           chain out {{
             type nat hook postrouting priority 100
             oifname wan {way}
           }}
         }}
         table ip filter {{
           chain unasked {{
             type filter hook input priority 0
             iifname wan ct state new drop
           }}
           chain onwards {{
             type filter hook forward priority 0
             iifname wan ct state new drop
           }}
         }}"
    ));
}

/// Makes rules of nftables, in the namespace of the calling thread.
#[track_caller]
pub fn nft(rules: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft runs");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}
