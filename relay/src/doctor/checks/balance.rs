//! Are clients spread evenly over the shards? A group of sockets is bound as the relay binds it, and spoken to by many.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use net::{Driver, DriverConfig, Mmsg, SocketOptions, Steering};

use super::conntrack;
use crate::doctor::finding::{Finding, How, count};
use crate::doctor::look::{Seen, Unseen};
use crate::doctor::patient::Patient;

const NAME: &str = "balance";
/// Clients of the trial for each shard, and in all: enough for a share to be known to a quarter, and sent in milliseconds.
const CLIENTS: usize = 64;
const MOST_CLIENTS: usize = 2048;
/// Deviations from an even share that are chance: five happen once in a million.
const CHANCE: f64 = 5.0;

/// What was found.
struct Facts {
    /// Clients that reached each shard.
    shares: Vec<usize>,
    /// Why the relay's own filter could not be attached.
    by_kernel: Option<String>,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    if patient.shards == 1 {
        return vec![Finding::ok(NAME, "one shard serves all")];
    }
    if !conntrack::has_room(MOST_CLIENTS as u64) {
        return vec![Finding::unknown(
            NAME,
            "not tried: the firewall's table of flows is nearly full (see conntrack)",
        )];
    }
    vec![judge(
        try_out(patient.shards)
            .map_err(|error| Unseen(format!("its own sockets could not be tried: {error}"))),
    )]
}

/// Binds to a port of the kernel's choice on loopback, and sends from many addresses and ports.
fn try_out(shards: usize) -> io::Result<Facts> {
    // Small ones, so that many shards take no memory.
    let options = SocketOptions { receive_buffer: 1 << 18, send_buffer: 4096, ..SocketOptions::default() };
    let binding =
        net::bind(&[(Ipv4Addr::LOCALHOST, 0).into()], shards, options).map_err(|error| error.source)?;
    let to = binding.addresses[0];
    let by_kernel = match &binding.steering {
        Steering::ByKernel(error) => Some(error.to_string()),
        Steering::Single | Steering::BySource(_) => None,
    };
    for client in 0..(CLIENTS * shards).min(MOST_CLIENTS) {
        // Every other is one of several clients behind one address.
        let host = if client % 2 == 0 {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::new(127, 9, (client >> 8) as u8, client as u8)
        };
        UdpSocket::bind(SocketAddr::from((host, 0)))?.send_to(b"?", to)?;
    }
    // Over loopback a datagram is there when its send returns.
    let config = DriverConfig { buffers: 64, arrivals_per_exchange: 64, ..DriverConfig::default() };
    let shares =
        binding.shards.into_iter().map(|sockets| drain(sockets, &config)).collect::<io::Result<_>>()?;
    Ok(Facts { shares, by_kernel })
}

fn drain(sockets: Vec<net::Socket>, config: &DriverConfig) -> io::Result<usize> {
    let mut driver = Mmsg::new(sockets, config).map_err(|failure| failure.error.source)?;
    let (mut all, mut arrivals) = (0, Vec::new());
    loop {
        driver.exchange(&mut arrivals, Some(Duration::ZERO))?;
        if arrivals.is_empty() {
            return Ok(all);
        }
        all += arrivals.len();
        arrivals.drain(..).for_each(|arrival| driver.release(arrival.buffer));
    }
}

fn judge(facts: Seen<Facts>) -> Finding {
    let Facts { shares, by_kernel } = match facts {
        Ok(facts) => facts,
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    let clients: usize = shares.iter().sum();
    let even = clients as f64 / shares.len() as f64;
    let deviation = (even * (1.0 - 1.0 / shares.len() as f64)).sqrt();
    let (least, most) =
        (shares.iter().min().copied().unwrap_or(0), shares.iter().max().copied().unwrap_or(0));
    let skewed = (most as f64 - even).max(even - least as f64) > CHANCE * deviation;
    let found = format!(
        "{least} to {most} of {clients} clients to each of {}, {even:.0} would be even",
        count(shares.len() as u64, "shard")
    );
    let finding = if clients == 0 {
        Finding::warning(NAME, "no datagram over loopback has reached a socket of its own")
            .why("A firewall that drops datagrams on loopback may drop others, too.")
            .fix(How::Now, "nft list ruleset; iptables-save")
    } else if skewed {
        Finding::warning(NAME, found)
            .why("A shard with more clients than others is full first, and drops while others are idle.")
            .fix(How::Advice, "something steers sockets beside the relay (an eBPF program for SO_REUSEPORT, or sk_lookup): `bpftool prog` lists them")
    } else if let Some(error) = &by_kernel {
        Finding::warning(
            NAME,
            format!("{found}; by the kernel's own hash, as the relay's filter was refused: {error}"),
        )
        .why("A client that speaks to two addresses of the relay reaches two shards, and counts as two.")
        .fix(How::Advice, "admit setsockopt(SO_ATTACH_REUSEPORT_CBPF), which a seccomp profile refuses")
    } else {
        Finding::ok(NAME, found)
    };
    finding.value("shares", shares).value("steered", by_kernel.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn chance_is_no_skew() {
        let judge = |shares: &[usize]| judge(Ok(Facts { shares: shares.into(), by_kernel: None })).verdict;
        assert_eq!(judge(&[60, 68]), Verdict::Ok);
        assert_eq!(judge(&[20, 108]), Verdict::Warning);
        assert_eq!(judge(&[0, 0]), Verdict::Warning);
        assert_eq!(judge(&[64, 64, 64, 0]), Verdict::Warning);
    }

    #[test]
    fn a_refused_filter_is_told() {
        let facts = Facts { shares: vec![64, 64], by_kernel: Some("not permitted".into()) };
        let finding = judge(Ok(facts));
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.found.contains("not permitted"), "{finding:?}");
    }

    #[test]
    fn every_client_reaches_a_shard() {
        let facts = try_out(3).unwrap();
        assert_eq!(facts.shares.iter().sum::<usize>(), 3 * CLIENTS);
        assert!(facts.by_kernel.is_none());
        assert_eq!(judge(Ok(facts)).verdict, Verdict::Ok);
    }
}
