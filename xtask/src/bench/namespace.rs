//! A network of its own in which a device swallows whatever is sent to a prefix.

use std::process::Command;
use std::thread;

use anyhow::{Context, anyhow, ensure};
use nix::sched::{CloneFlags, unshare};

/// Where a relay can serve in there.
pub const RELAY: &str = "10.8.0.1";

/// The first address behind the device; 65,000 follow.
pub const FIRST: &str = "10.9.0.1";

/// Devices that swallow what is sent through them, the better one first. Where kernels lack `dummy`, an `ifb` that
/// nothing is redirected to does it as well; its queues have locks, so there are more of them than shards.
const SINKS: [&[&str]; 2] = [
    &["link add sink0 type dummy"],
    &["link add sink0 numtxqueues 64 type ifb", "tc qdisc replace dev sink0 root noqueue"],
];

const COMMANDS: [&str; 4] =
    ["link set lo up", "addr add 10.8.0.1/32 dev lo", "link set sink0 up", "route add 10.9.0.0/16 dev sink0"];

/// Does something in a new one, with all the programs that it starts; none where that needs more rights.
pub fn within<T: Send>(act: impl FnOnce() -> anyhow::Result<T> + Send) -> Option<anyhow::Result<T>> {
    let inside = || {
        // A thread may have a network of its own.
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        Some(prepare().and_then(|()| act()))
    };
    thread::scope(|scope| {
        scope.spawn(inside).join().unwrap_or_else(|_| Some(Err(anyhow!("a measurement panicked"))))
    })
}

fn prepare() -> anyhow::Result<()> {
    let [better, other] = SINKS;
    all(better).or_else(|_| all(other))?;
    all(&COMMANDS)
}

fn all(commands: &[&str]) -> anyhow::Result<()> {
    commands.iter().try_for_each(|command| {
        let (program, args) = match command.strip_prefix("tc ") {
            Some(args) => ("tc", args),
            None => ("ip", *command),
        };
        let output = Command::new(program).args(args.split(' ')).output().context("iproute2 is missing")?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {args}: {}", why.trim());
        Ok(())
    })
}
