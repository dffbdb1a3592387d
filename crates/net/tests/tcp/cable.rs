//! Two network namespaces joined by a cable, which vanish with the thread that made them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

pub const NEAR: &str = "10.9.0.1";
pub const FAR: &str = "10.9.0.2";

/// The other end.
pub struct There {
    here: File,
    there: File,
}

/// Runs a test at the near end of a new cable.
pub fn lay(test: impl FnOnce(&There) + Send + 'static) {
    let thread = thread::spawn(move || {
        let there = new_namespace();
        let here = new_namespace();
        let far = format!("/proc/{}/fd/{}", std::process::id(), there.as_raw_fd());
        ip(&format!("link add near type veth peer name far netns {far}"));
        ip(&format!("addr add {NEAR}/24 dev near"));
        ip("link set near up");
        let there = There { here, there };
        there.visit(|| {
            ip(&format!("addr add {FAR}/24 dev far"));
            ip("link set far up");
        });
        test(&there);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

impl There {
    /// Does something there; sockets that are made there stay there.
    pub fn visit<T>(&self, action: impl FnOnce() -> T) -> T {
        setns(&self.there, CloneFlags::CLONE_NEWNET).unwrap();
        let result = action();
        setns(&self.here, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }
}

fn new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("the suite makes network namespaces, which takes root");
    ip("link set lo up");
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// In the namespace of the calling thread.
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
