//! Can io_uring be had, and if not, who forbids it? A datagram goes through a real driver, and every shard gets a ring.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use net::{Driver, DriverConfig, SetupError, SocketOptions, Uring};
use procfs::process::{LimitValue, Process};

use crate::backend::{self, AnyDriver};
use crate::config::Backend;
use crate::doctor::finding::{Finding, How, count, size};
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;
use crate::limits::BUFFERS;

const NAME: &str = "io_uring";
const MEMLOCK: &str = "locked-memory";
/// Of the one datagram that is received.
const PATIENCE: Duration = Duration::from_secs(1);
/// The call that fails if the ring does.
const ENTER: &str = "io_uring_enter";
const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;
const EINVAL: i32 = 22;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOSYS: i32 = 38;
const EOPNOTSUPP: i32 = 95;

/// What was found.
struct Facts {
    backend: Backend,
    shards: usize,
    outcome: Result<(), Refusal>,
    /// `kernel.io_uring_disabled`, from Linux 6.6 on.
    disabled: Option<u64>,
    privileged: bool,
    /// A filter stands before this process's system calls.
    filtered: bool,
    /// Bytes of the limit of locked memory; none is unlimited.
    locked: Seen<Option<u64>>,
}

/// Where the set-up stopped, and what the kernel said.
struct Refusal {
    text: String,
    errno: i32,
    /// True if it was not the ring that was refused, but what the trial takes beside it.
    is_untried: bool,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let own = Process::myself();
    let status = own.as_ref().ok().and_then(|own| own.status().ok());
    let limits = own
        .and_then(|own| own.limits())
        .map_err(|error| Unseen(format!("cannot read /proc/self/limits: {error}")));
    let facts = Facts {
        backend: patient.setup.backend,
        shards: patient.shards,
        outcome: try_all(patient.shards),
        disabled: look::number("/proc/sys/kernel/io_uring_disabled").ok(),
        privileged: patient.privileges.sys_admin(),
        filtered: status.and_then(|status| status.seccomp).is_some_and(|mode| mode == 2),
        locked: limits.map(|limits| match limits.max_locked_memory.soft_limit {
            LimitValue::Unlimited => None,
            LimitValue::Value(bytes) => Some(bytes),
        }),
    };
    vec![judge(&facts), judge_locked(&facts)]
}

/// A ring that is refused is worse than one that could not be tried.
fn try_all(shards: usize) -> Result<(), Refusal> {
    match (try_ring(), try_more(shards)) {
        (Err(refusal), Ok(())) | (Err(refusal @ Refusal { is_untried: false, .. }), _) => Err(refusal),
        (_, more) => more,
    }
}

/// Sets up what a shard would, and receives a datagram by it.
fn try_ring() -> Result<(), Refusal> {
    let other = |what: &str, error: &io::Error| Refusal {
        is_untried: what != ENTER,
        text: format!("{what}: {error}"),
        errno: error.raw_os_error().unwrap_or(0),
    };
    let refused = |error: SetupError| Refusal {
        text: error.to_string(),
        errno: error.source.raw_os_error().unwrap_or(0),
        is_untried: false,
    };
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let mut binding = net::bind(&[address], 1, SocketOptions::default())
        .map_err(|error| other("a socket", &error.source))?;
    let chosen = backend::choose(Backend::Uring, binding.shards.remove(0), BUFFERS).map_err(refused)?;
    let AnyDriver::Uring(mut ring) = chosen.driver else { return Ok(()) };
    let sent = UdpSocket::bind(address).and_then(|socket| socket.send_to(b"?", binding.addresses[0]));
    sent.map_err(|error| other("a datagram to itself", &error))?;
    let (start, mut arrivals) = (Instant::now(), Vec::new());
    while arrivals.is_empty() {
        if start.elapsed() > PATIENCE {
            let text = "a datagram to itself did not arrive".into();
            return Err(Refusal { text, errno: 0, is_untried: true });
        }
        ring.exchange(&mut arrivals, Some(PATIENCE)).map_err(|error| other(ENTER, &error))?;
    }
    arrivals.iter().for_each(|arrival| ring.release(arrival.buffer));
    Ok(())
}

/// Holds a ring for each shard at the same time: limits count all rings of a user. With few receive buffers, which are
/// the relay's own memory and not the ring's.
fn try_more(shards: usize) -> Result<(), Refusal> {
    let few = *net::limits::BUFFERS.start();
    let config = DriverConfig { buffers: few, arrivals_per_exchange: few, ..DriverConfig::default() };
    let small = SocketOptions { receive_buffer: 4096, send_buffer: 4096, ..SocketOptions::default() };
    let mut rings = Vec::new();
    for number in 1..=shards {
        let refused = |error: &dyn std::fmt::Display, source: &io::Error, is_untried| Refusal {
            text: format!("ring {number} of {shards}: {error}"),
            errno: source.raw_os_error().unwrap_or(0),
            is_untried,
        };
        let mut binding = net::bind(&[(Ipv4Addr::LOCALHOST, 0).into()], 1, small)
            .map_err(|error| refused(&error, &error.source, true))?;
        let ring = Uring::new(binding.shards.remove(0), &config)
            .map_err(|failure| refused(&failure.error, &failure.error.source, false))?;
        rings.push(ring);
    }
    Ok(())
}

fn judge(facts: &Facts) -> Finding {
    let Err(refusal) = &facts.outcome else {
        let rings = count(facts.shards as u64, "ring");
        let found =
            format!("{rings} with single issuer, deferred task work, buffer ring and multishot receive");
        return Finding::ok(NAME, found).value("available", true);
    };
    if refusal.is_untried {
        let found = format!("not tried to its end, for a reason beside it: {}", refusal.text);
        return Finding::unknown(NAME, found).value("reason", refusal.text.clone());
    }
    let serves = match facts.backend {
        Backend::Uring => "",
        Backend::Auto | Backend::Mmsg => "; mmsg serves in its place",
    };
    let found = format!("{}{serves}", refusal.text);
    let finding = match facts.backend {
        Backend::Uring => Finding::problem(NAME, found)
            .why("The relay does not start, because --backend uring was asked for by name."),
        Backend::Auto => Finding::info(NAME, found).why(
            "Both backends forward at about the same rate; --measure compares them where both can be had.",
        ),
        Backend::Mmsg => Finding::ok(NAME, found),
    };
    let finding = finding.value("available", false).value("reason", refusal.text.clone());
    let finding = remedy(finding, facts, refusal.errno);
    if facts.backend == Backend::Uring { finding.fix(How::Relay, "--backend auto") } else { finding }
}

/// Who forbids it, as the error and the machine's settings tell.
fn remedy(finding: Finding, facts: &Facts, errno: i32) -> Finding {
    let switched_off = match facts.disabled {
        Some(0) | None => false,
        Some(1) => !facts.privileged,
        Some(_) => true,
    };
    const PROFILE: &str = "--security-opt seccomp=deploy/container/relay-seccomp.json (it also admits io_uring_setup, io_uring_enter, io_uring_register)";
    match errno {
        EPERM | EACCES if switched_off => finding.sysctl("kernel.io_uring_disabled", 0),
        EPERM | EACCES | ENOSYS if facts.filtered => finding.fix(How::Container, PROFILE).fix(
            How::Systemd,
            "SystemCallFilter=@system-service io_uring_setup io_uring_enter io_uring_register",
        ),
        EPERM | EACCES => finding.fix(
            How::Advice,
            "a security module (SELinux, AppArmor) forbids it: see its log, or run with --backend mmsg",
        ),
        ENOSYS => {
            finding.fix(How::Advice, "this kernel is built without io_uring: run one with CONFIG_IO_URING")
        }
        ENOMEM => finding
            .fix(How::Systemd, "LimitMEMLOCK=infinity")
            .fix(How::Container, "--ulimit memlock=-1:-1")
            .fix(How::Now, "ulimit -l unlimited"),
        ENFILE | EMFILE => {
            finding.fix(How::Advice, "raise the limit of open files, as told above (open-files)")
        }
        EINVAL | EOPNOTSUPP => finding.fix(How::Advice, "run Linux 6.1 or later"),
        _ => finding,
    }
}

/// The limit of locked memory stands in the way only where the kernel counts rings to it.
fn judge_locked(facts: &Facts) -> Finding {
    let limit = match &facts.locked {
        Ok(limit) => limit.map_or("unlimited".to_owned(), size),
        Err(why) if facts.outcome.is_err() => return Finding::unknown(MEMLOCK, why.to_string()),
        Err(_) => "its limit cannot be seen".to_owned(),
    };
    let short = facts.outcome.as_ref().is_err_and(|refusal| refusal.errno == ENOMEM);
    let finding = if short && facts.backend != Backend::Mmsg {
        let found = format!("{limit}, which does not hold the rings of {} shards", facts.shards);
        let verdict = if facts.backend == Backend::Uring { Finding::problem } else { Finding::info };
        verdict(MEMLOCK, found)
    } else if facts.outcome.is_ok() {
        Finding::ok(MEMLOCK, format!("{limit}, and every shard could have its ring"))
    } else {
        Finding::ok(MEMLOCK, format!("{limit}; it is not what forbids io_uring"))
    };
    finding
        .value("limit_bytes", facts.locked.as_ref().ok().copied().flatten())
        .why("This kernel counts the ring's memory to the limit, and each shard has a ring.")
        .fix(How::Systemd, "LimitMEMLOCK=infinity")
        .fix(How::Container, "--ulimit memlock=-1:-1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn denied(backend: Backend, errno: i32) -> Facts {
        Facts {
            backend,
            shards: 8,
            outcome: Err(Refusal { text: "io_uring_setup: refused".into(), errno, is_untried: false }),
            disabled: None,
            privileged: false,
            filtered: false,
            locked: Ok(Some(64 << 10)),
        }
    }

    fn first_fix(facts: &Facts) -> String {
        judge(facts).fixes[0].command.clone()
    }

    #[test]
    fn how_bad_depends_on_who_asked() {
        let verdict = |backend| judge(&denied(backend, ENOSYS)).verdict;
        assert_eq!(
            [Backend::Auto, Backend::Uring, Backend::Mmsg].map(verdict),
            [Verdict::Info, Verdict::Problem, Verdict::Ok]
        );
        let works = Facts { outcome: Ok(()), ..denied(Backend::Uring, 0) };
        assert_eq!((judge(&works).verdict, judge_locked(&works).verdict), (Verdict::Ok, Verdict::Ok));
    }

    #[test]
    fn what_the_trial_lacks_is_not_the_fault_of_the_ring() {
        for backend in [Backend::Auto, Backend::Uring] {
            let refusal = Refusal { text: "a datagram to itself".into(), errno: EPERM, is_untried: true };
            let finding = judge(&Facts { outcome: Err(refusal), ..denied(backend, 0) });
            assert_eq!((finding.verdict, finding.fixes.len()), (Verdict::Unknown, 0), "{finding:?}");
        }
    }

    #[test]
    fn the_fix_depends_on_who_forbids() {
        let eperm = || denied(Backend::Auto, EPERM);
        let switch = "sysctl -w kernel.io_uring_disabled=0";
        assert_eq!(
            first_fix(&Facts { disabled: Some(2), privileged: true, filtered: true, ..eperm() }),
            switch
        );
        assert_eq!(first_fix(&Facts { disabled: Some(1), ..eperm() }), switch);
        let profile = first_fix(&Facts { disabled: Some(1), privileged: true, filtered: true, ..eperm() });
        assert!(profile.starts_with("--security-opt seccomp="), "{profile}");
        assert!(first_fix(&Facts { disabled: Some(0), ..eperm() }).contains("SELinux"));
        assert!(first_fix(&Facts { filtered: true, ..denied(Backend::Auto, ENOSYS) }).contains("seccomp"));
        assert!(first_fix(&denied(Backend::Auto, ENOSYS)).contains("CONFIG_IO_URING"));
        assert!(first_fix(&denied(Backend::Auto, EINVAL)).contains("6.1"));
    }

    #[test]
    fn locked_memory_is_blamed_only_for_what_it_did() {
        let short = denied(Backend::Uring, ENOMEM);
        assert_eq!(first_fix(&short), "LimitMEMLOCK=infinity");
        assert_eq!(judge_locked(&short).verdict, Verdict::Problem);
        assert_eq!(judge_locked(&short).found, "64 KiB, which does not hold the rings of 8 shards");
        assert_eq!(judge_locked(&denied(Backend::Auto, ENOMEM)).verdict, Verdict::Info);
        assert_eq!(judge_locked(&denied(Backend::Auto, EPERM)).verdict, Verdict::Ok);
        let unseen = || Err(Unseen("why".into()));
        let hidden = judge_locked(&Facts { locked: unseen(), ..denied(Backend::Auto, ENOMEM) });
        assert_eq!((hidden.verdict, hidden.found.as_str()), (Verdict::Unknown, "why"));
        let works = judge_locked(&Facts { outcome: Ok(()), locked: unseen(), ..denied(Backend::Auto, 0) });
        assert_eq!(works.verdict, Verdict::Ok);
        assert!(!works.found.contains("unlimited"), "{works:?}");
    }
}
