//! Network namespaces, alone or two joined by a cable, which vanish with the thread that made them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::eventually;

/// This end of the cable.
pub const NEAR: &str = "10.9.0.1";
/// The other end.
pub const FAR: &str = "10.9.0.2";

/// Here: [`NEAR`] on `near`. There: [`FAR`] on `far`. Both with an Ethernet's MTU of 1500.
pub struct Cable {
    here: File,
    there: File,
}

/// Tells a story in a network namespace of its own: nobody else has a port or an address there.
pub fn alone(story: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            new_namespace();
            story();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Cable {
    /// Tells a story at one end of a cable.
    pub fn lay(story: impl FnOnce(&Cable) + Send) {
        alone(|| {
            let there = namespace();
            let here = new_namespace();
            let cable = Cable { here, there };
            cable.connect();
            story(&cable);
        });
    }

    /// Does something at the other end; sockets that are made there stay there.
    pub fn over_there<T>(&self, action: impl FnOnce() -> T) -> T {
        setns(&self.there, CloneFlags::CLONE_NEWNET).unwrap();
        let result = action();
        setns(&self.here, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }

    fn connect(&self) {
        let far = format!("/proc/{}/fd/{}", std::process::id(), self.there.as_raw_fd());
        ip(&format!(
            "link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02 netns {far}"
        ));
        // Nothing waits for an answer to ARP.
        ip(&format!("addr add {NEAR}/24 dev near"));
        ip("link set near addrgenmode none up");
        ["fd09::1/64", "fe80::1/64"].iter().for_each(|address| add_ipv6(address, "near"));
        ip(&format!("neigh add {FAR} lladdr 02:00:00:00:00:02 dev near nud permanent"));
        self.over_there(|| {
            ip(&format!("addr add {FAR}/24 dev far"));
            ip("link set far addrgenmode none up");
            ["fd09::2/64", "fe80::2/64"].iter().for_each(|address| add_ipv6(address, "far"));
            ip(&format!("neigh add {NEAR} lladdr 02:00:00:00:00:01 dev far nud permanent"));
        });
    }
}

/// Makes the calling thread's namespace a new one.
fn new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("the suite makes network namespaces, which takes root");
    ip("link set lo up");
    namespace()
}

fn namespace() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// Adds an IPv6 address that can be used at once. The kernel makes its route some time after the address.
#[track_caller]
pub fn add_ipv6(address: &str, interface: &str) {
    ip(&format!("addr add {address} dev {interface} nodad"));
    let route = format!("local {} ", address.split('/').next().unwrap());
    eventually("the address has its route", || {
        let table =
            Command::new("ip").args(["-6", "route", "show", "table", "local", "dev", interface]).output();
        String::from_utf8_lossy(&table.unwrap().stdout).contains(&route).then_some(())
    });
}

/// `ip`, in the namespace of the calling thread.
#[track_caller]
pub fn ip(arguments: &str) {
    run("ip", arguments);
}

/// `tc`, in the namespace of the calling thread.
#[track_caller]
pub fn tc(arguments: &str) {
    run("tc", arguments);
}

#[track_caller]
fn run(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
