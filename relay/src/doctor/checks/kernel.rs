//! What this kernel's sockets can do, tried one by one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use net::{Driver, DriverConfig, Mmsg, Run, SocketIndex, SocketOptions};

use crate::doctor::finding::{Finding, How, Verdict};
use crate::doctor::look::{self, Seen};
use crate::doctor::patient::Patient;

const NAME: &str = "kernel";
/// Datagrams of the trial, and the bytes of each.
const DATAGRAMS: u16 = 4;
const BYTES: u16 = 100;
/// Loopback delivers before the send returns; this is for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was found: each ability, and what the kernel answers where it lacks.
struct Facts {
    release: Seen<String>,
    needed: Vec<(&'static str, Option<String>)>,
    /// Datagrams that went out in one message, of [`DATAGRAMS`].
    segmented: Result<u64, String>,
}

pub fn check(_: &Patient<'_>) -> Vec<Finding> {
    let release = look::text("/proc/sys/kernel/osrelease");
    let answer = |result: io::Result<()>| result.err().map(|error| error.to_string());
    let facts = net::abilities().map(|all| Facts {
        release,
        needed: vec![
            ("UDP_SEGMENT", answer(all.segmentation)),
            ("UDP_GRO", answer(all.coalescing)),
            ("IP_PKTINFO", answer(all.local_address)),
            ("IP_RECVERR", answer(all.queue_drops)),
            ("SO_MEMINFO", answer(all.memory)),
        ],
        segmented: segments().map_err(|error| error.to_string()),
    });
    vec![match facts {
        Ok(facts) => judge(&facts),
        Err(error) => Finding::problem(NAME, format!("no UDP socket can be had: {error}")).fix(
            How::Advice,
            "let this user open sockets: a seccomp profile or a limit of open files stands against it",
        ),
    }]
}

/// Sends a few datagrams of equal size over loopback as the relay would, and sees in how few messages they go.
fn segments() -> io::Result<u64> {
    let localhost: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let bind = || net::bind(&[localhost], 1, SocketOptions::default()).map_err(|error| error.source);
    let (mut from, mut to) = (bind()?, bind()?);
    let driver = |shards: &mut Vec<Vec<net::Socket>>| {
        Mmsg::new(shards.remove(0), &DriverConfig::default()).map_err(|failure| failure.error.source)
    };
    let (mut sender, mut receiver) = (driver(&mut from.shards)?, driver(&mut to.shards)?);
    let parts: Vec<_> = (0..DATAGRAMS).map(|_| sender.compose(&[b'.'; BYTES as usize])).collect();
    let gather = sender.gather(&parts);
    let bytes = u32::from(DATAGRAMS * BYTES);
    let run = Run { socket: SocketIndex(0), to: to.addresses[0], from: None, gather, size: BYTES, bytes };
    sender.send(&run).map_err(|_| io::Error::other("the first turn is full"))?;
    sender.flush();
    let report = sender.report();
    let messages: u64 = report.segments.iter().sum();
    let per_message = report.segments_sum.checked_div(messages).unwrap_or(0);
    let (start, mut arrivals) = (Instant::now(), Vec::new());
    while arrivals.len() < usize::from(DATAGRAMS) {
        if start.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("{} of {DATAGRAMS} datagrams arrived", arrivals.len())));
        }
        receiver.exchange(&mut arrivals, Some(PATIENCE))?;
    }
    arrivals.iter().for_each(|arrival| receiver.release(arrival.buffer));
    Ok(per_message)
}

fn judge(facts: &Facts) -> Finding {
    let lacking: Vec<_> =
        facts.needed.iter().filter_map(|(name, error)| Some((*name, error.as_ref()?))).collect();
    let names: Vec<&str> = facts.needed.iter().map(|(name, _)| *name).collect();
    let release = match &facts.release {
        Ok(release) => format!("Linux {release}"),
        Err(_) => "this kernel, whose version cannot be seen,".to_owned(),
    };
    let lists = |name: &str| lacking.iter().any(|(lacks, _)| *lacks == name);
    let detail =
        lacking.iter().map(|(name, error)| format!("{name} ({error})")).collect::<Vec<_>>().join(", ");
    let finding = match &facts.segmented {
        // The relay asks for these at every start.
        _ if lists("IP_PKTINFO") || lists("IP_RECVERR") => {
            Finding::problem(NAME, format!("{release} lacks {detail}")).why("The relay cannot bind without them.")
        }
        _ if lists("UDP_SEGMENT") || lists("SO_MEMINFO") => Finding::warning(NAME, format!("{release} lacks {detail}"))
            .why("Without segmented sends every copy takes the kernel's whole path alone, which costs three to five times as much under load; without SO_MEMINFO drops are not seen."),
        Err(error) => Finding::unknown(NAME, format!("{release}; a segmented send over loopback could not be tried: {error}")),
        Ok(in_one) if *in_one < u64::from(DATAGRAMS) => Finding::warning(
            NAME,
            format!("{release}; a segmented send over loopback was refused, {in_one} datagrams went in each message"),
        )
        .why("Every copy then takes the kernel's whole path alone."),
        Ok(_) => Finding::ok(NAME, format!("{release} has {}; segmented sends work", names.join(", "))),
    };
    let finding = finding
        .value("release", facts.release.clone().ok())
        .value("lacking", lacking.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    if finding.verdict == Verdict::Unknown {
        finding
    } else {
        finding.fix(How::Advice, "run Linux 6.1 or later")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lacking: &str) -> Facts {
        let names = ["UDP_SEGMENT", "UDP_GRO", "IP_PKTINFO", "IP_RECVERR", "SO_MEMINFO"];
        let needed = names.map(|name| (name, (name == lacking).then(|| "Protocol not available".to_owned())));
        Facts { release: Ok("6.1.0".into()), needed: needed.into(), segmented: Ok(DATAGRAMS.into()) }
    }

    #[test]
    fn what_lacks_says_how_bad_it_is() {
        let verdict = |lacking| judge(&facts(lacking)).verdict;
        assert_eq!(verdict(""), Verdict::Ok);
        assert_eq!(verdict("UDP_GRO"), Verdict::Ok, "only the load generator uses it");
        assert_eq!(verdict("UDP_SEGMENT"), Verdict::Warning);
        assert_eq!(verdict("IP_RECVERR"), Verdict::Problem);
        assert_eq!(judge(&Facts { segmented: Ok(1), ..facts("") }).verdict, Verdict::Warning);
        assert_eq!(judge(&Facts { segmented: Err("x".into()), ..facts("") }).verdict, Verdict::Unknown);
    }

    #[test]
    fn a_version_that_cannot_be_seen_is_not_made_up() {
        let finding = judge(&Facts { release: look::text("/proc/no-such-file"), ..facts("") });
        assert_eq!(finding.verdict, Verdict::Ok);
        let says = "this kernel, whose version cannot be seen, has UDP_SEGMENT";
        assert!(finding.found.starts_with(says) && finding.values["release"].is_null(), "{finding:?}");
    }

    #[test]
    fn loopback_carries_segments() {
        assert_eq!(segments().unwrap(), u64::from(DATAGRAMS));
    }
}
