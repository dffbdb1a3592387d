//! Three machines, as far as the network can tell: a relay in the middle, and two that reach it by a cable each.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::sched::{CloneFlags, setns};

use crate::common::namespace::{alone, ip};

/// The address of the machine in the middle, whichever way one comes.
pub const MIDDLE: &str = "10.9.0.1";

/// The machine in the middle, where the story is told, and two others.
pub struct Star {
    middle: File,
    arms: [File; 2],
}

/// The address of an arm.
pub fn address(arm: usize) -> String {
    format!("10.20.{arm}.2")
}

impl Star {
    pub fn build(story: impl FnOnce(&Star) + Send) {
        alone(|| {
            ip(&format!("addr add {MIDDLE}/32 dev lo"));
            let star = Star { middle: namespace(), arms: [other_namespace(), other_namespace()] };
            (0..2).for_each(|arm| star.connect(arm));
            story(&star);
        });
    }

    /// Does something on an arm; processes that are started there stay there.
    pub fn on<T>(&self, arm: usize, action: impl FnOnce() -> T) -> T {
        setns(&self.arms[arm], CloneFlags::CLONE_NEWNET).unwrap();
        let result = action();
        setns(&self.middle, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }

    fn connect(&self, arm: usize) {
        let there = format!("/proc/{}/fd/{}", std::process::id(), self.arms[arm].as_raw_fd());
        ip(&format!("link add arm{arm} type veth peer name middle netns {there}"));
        ip(&format!("addr add 10.20.{arm}.1/24 dev arm{arm}"));
        ip(&format!("link set arm{arm} up"));
        self.on(arm, || {
            ip(&format!("addr add {}/24 dev middle", address(arm)));
            ip("link set middle up");
            ip(&format!("route add default via 10.20.{arm}.1"));
        });
    }
}

fn namespace() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// It lives as long as the file is open.
fn other_namespace() -> File {
    let mut file = None;
    alone(|| file = Some(namespace()));
    file.expect("a namespace")
}
