//! Many members of one group behind one socket, who send a few payloads: a load that costs next to nothing to make.
//!
//! Each datagram leaves from another source address (`IP_PKTINFO`). With `--foreign` these need not be addresses of
//! this machine, so that a route to a device that swallows everything spares the receivers as well.

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg};
use nix::time::{ClockId, clock_gettime};
use socket2::SockRef;

/// So many members join in a second, at most.
const JOINS: f64 = 20_000.0;

/// Between two looks at the clock.
const STEP: Duration = Duration::from_millis(1);

/// Joins a group as many members, and sends payloads from each of them in turn, for a while.
#[derive(Parser)]
struct Options {
    /// The relay.
    #[arg(long)]
    target: SocketAddrV4,
    /// The group, which must exist; with several, the beginning of their ids, which their numbers from 0 on end.
    #[arg(long)]
    group: String,
    /// Groups that the members are spread over.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    groups: Option<u32>,
    /// Payloads begin with `.`, their time (nanoseconds since 1970) and their number, eight bytes each, the least first.
    #[arg(long)]
    stamp: bool,
    /// Members, each with the source address that follows its predecessor's.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    members: u32,
    /// The first member's source address.
    #[arg(long)]
    first: Ipv4Addr,
    /// The source addresses are not this machine's (IP_TRANSPARENT; needs CAP_NET_ADMIN).
    #[arg(long)]
    foreign: bool,
    /// Payloads per second, of all members together.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Bytes of each payload.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(17..=1300))]
    payload: u16,
    /// Sizes, each a byte more than the one before, in turn: of rising sizes no two can share a segmented send.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    sizes: u16,
    /// Seconds until it ends.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

fn main() -> ExitCode {
    match inject(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inject: {error}");
            ExitCode::FAILURE
        }
    }
}

fn inject(options: &Options) -> std::io::Result<()> {
    let socket = Arc::new(UdpSocket::bind("0.0.0.0:0")?);
    net::set_timer_slack(Duration::ZERO)?;
    if options.foreign {
        SockRef::from(&*socket).set_ip_transparent_v4(true)?;
    } else {
        let drained = Arc::clone(&socket);
        // It ends with the process; what arrives only has to be taken.
        thread::spawn(move || while drained.recv(&mut [0; 64]).is_ok() {});
    }
    let end = Instant::now() + Duration::from_secs(options.seconds.into());
    in_time(JOINS, Some(options.members.into()), end, |number| {
        let group = options.groups.map_or(String::new(), |groups| (number % u64::from(groups)).to_string());
        send(&socket, options, number, format!("!JOIN {}{group}", options.group).as_bytes())
    })?;
    let mut bytes = vec![b'.'; usize::from(options.payload + options.sizes)];
    in_time(options.rate.into(), None, end, |number| {
        let size = u64::from(options.payload) + number % u64::from(options.sizes);
        if options.stamp {
            bytes[9..17].copy_from_slice(&number.to_le_bytes());
            bytes[1..9].copy_from_slice(&now()?.to_le_bytes());
        }
        send(&socket, options, number, &bytes[..size as usize])
    })?;
    Ok(())
}

/// Does something so often in a second, so many times or until the end.
fn in_time(
    rate: f64,
    count: Option<u64>,
    end: Instant,
    mut act: impl FnMut(u64) -> nix::Result<()>,
) -> nix::Result<()> {
    let (start, mut done) = (Instant::now(), 0);
    while Instant::now() < end {
        let due = (start.elapsed().as_secs_f64() * rate) as u64;
        while done < due.min(count.unwrap_or(due)) {
            act(done)?;
            done += 1;
        }
        if count == Some(done) {
            break;
        }
        thread::sleep(STEP);
    }
    Ok(())
}

/// Nanoseconds since 1970, by the clock of the kernel's time stamps.
fn now() -> nix::Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}

/// Sends from the member of this number; the numbers go round.
fn send(socket: &UdpSocket, options: &Options, number: u64, bytes: &[u8]) -> nix::Result<()> {
    let member = (number % u64::from(options.members)) as u32;
    let source = Ipv4Addr::from(u32::from(options.first).wrapping_add(member));
    let from = in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: in_addr { s_addr: u32::from(source).to_be() },
        ipi_addr: in_addr { s_addr: 0 },
    };
    let (part, control) = ([IoSlice::new(bytes)], [ControlMessage::Ipv4PacketInfo(&from)]);
    let to = SockaddrIn::from(options.target);
    match sendmsg(socket.as_raw_fd(), &part, &control, MsgFlags::empty(), Some(&to)) {
        // A relay that has just ended; whoever started both will end this one too.
        Err(Errno::ECONNREFUSED) => Ok(()),
        sent => sent.map(drop),
    }
}
