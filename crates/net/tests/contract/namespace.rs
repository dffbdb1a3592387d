//! Two network namespaces joined by a cable, which vanish with the thread that made them.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};

use crate::candidate::until;

/// Here: 10.9.0.1 on `near`. There: 10.9.0.2 on `far`.
pub struct Cable {
    here: File,
    there: File,
}

pub const FAR: &str = "10.9.0.2";
pub const NEAR: &str = "10.9.0.1";

impl Cable {
    /// Runs a test in a namespace of its own.
    pub fn lay(test: impl FnOnce(&Cable) + Send + 'static) {
        let thread = thread::spawn(move || {
            stay_somewhere();
            let there = new_namespace();
            let here = new_namespace();
            let cable = Cable { here, there };
            cable.connect();
            cable.wait_until_up();
            test(&cable);
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    fn connect(&self) {
        let far = format!("/proc/{}/fd/{}", std::process::id(), self.there.as_raw_fd());
        ip(&format!(
            "link add near address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02 netns {far}"
        ));
        ip(&format!("addr add {NEAR}/24 dev near"));
        ip("link set near up");
        // Nothing waits for an answer to ARP.
        ip(&format!("neigh add {FAR} lladdr 02:00:00:00:00:02 dev near nud permanent"));
        self.over_there(|| {
            ip(&format!("addr add {FAR}/24 dev far"));
            ip("link set far up");
            ip(&format!("neigh add {NEAR} lladdr 02:00:00:00:00:01 dev far nud permanent"));
        });
    }

    /// The kernel starts a new link some time after it was told to, and drops what is sent before.
    fn wait_until_up(&self) {
        let near = UdpSocket::bind((NEAR, 0)).unwrap();
        let far = self.over_there(|| UdpSocket::bind((FAR, 0)).unwrap());
        for (from, to) in [(&near, &far), (&far, &near)] {
            to.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            until(|| {
                from.send_to(b"up?", to.local_addr().unwrap()).unwrap();
                to.recv(&mut [0; 8]).is_ok()
            });
        }
    }

    /// Nothing waits for an answer to a neighbour solicitation either.
    pub fn know_each_other(&self, near: &str, far: &str) {
        ip(&format!("neigh add {far} lladdr 02:00:00:00:00:02 dev near nud permanent"));
        self.over_there(|| ip(&format!("neigh add {near} lladdr 02:00:00:00:00:01 dev far nud permanent")));
    }

    /// Does something in the namespace to which an address belongs.
    pub fn in_reach_of<T>(&self, address: &str, action: impl FnOnce() -> T) -> T {
        if address.starts_with(FAR) { self.over_there(action) } else { action() }
    }

    /// Does something in the far namespace; sockets that are made there stay there.
    pub fn over_there<T>(&self, action: impl FnOnce() -> T) -> T {
        setns(&self.there, CloneFlags::CLONE_NEWNET).unwrap();
        let result = action();
        setns(&self.here, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }
}

/// Adds an IPv6 address that can be used at once. The kernel makes its route some time after the address.
pub fn add_ipv6(address: &str, interface: &str) {
    ip(&format!("addr add {address} dev {interface} nodad"));
    let route = format!("local {} ", address.split('/').next().unwrap());
    until(|| {
        let table =
            Command::new("ip").args(["-6", "route", "show", "table", "local", "dev", interface]).output();
        String::from_utf8_lossy(&table.unwrap().stdout).contains(&route)
    });
}

/// Keeps the calling thread on one processor: what it sends arrives in that order.
fn stay_somewhere() {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let cpus = net::available_cpus().unwrap();
    net::pin_current_thread(cpus[TESTS.fetch_add(1, Ordering::Relaxed) % cpus.len()]).unwrap();
}

fn new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("the suite makes network namespaces, which takes root");
    ip("link set lo up");
    File::open("/proc/thread-self/ns/net").unwrap()
}

pub fn ip(arguments: &str) {
    command("ip", arguments);
}

pub fn tc(arguments: &str) {
    command("tc", arguments);
}

/// In the namespace of the calling thread.
fn command(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
