//! A router of our own between two TUN devices: it delays, reorders, loses and repeats, and keeps a ledger of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tun_rs::{DeviceBuilder, SyncDevice};

use super::speech::Said;
use crate::support::{Cable, ip};

/// The relay's address behind the router, and that of the others.
pub const HERE: &str = "10.8.0.1";
pub const THERE: &str = "10.8.0.2";

const UDP: u8 = 17;
/// The headers of IPv4 and UDP.
const HEADERS: usize = 20 + 8;

/// What a router does to packets.
#[derive(Clone)]
pub struct Habits {
    /// In milliseconds, for each packet anew.
    pub delay: Range<f64>,
    /// The part that it loses.
    pub lose: f64,
    /// The part that it delivers twice.
    pub repeat: f64,
}

/// What a router has done with the datagrams of one direction.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub lost: u64,
    pub repeated: u64,
    /// What came in, by the port that it was for.
    pub taken: HashMap<u16, Vec<Said>>,
    /// What went out, in this order.
    pub delivered: Vec<Said>,
}

/// A router that works until it is dropped.
pub struct Router {
    /// Towards the relay, and from it.
    pub ledgers: Arc<[Mutex<Ledger>; 2]>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A packet that waits: when it is due, its number, and the device that it came from.
type Waiting = Reverse<(Instant, u64, usize, Vec<u8>)>;

impl Router {
    /// Between the two ends of a cable, which is not used.
    pub fn between(cable: &Cable, habits: Habits) -> Self {
        let devices = [cable.over_there(|| device(THERE)), device(HERE)];
        let (ledgers, done) = (Arc::<[Mutex<Ledger>; 2]>::default(), Arc::<AtomicBool>::default());
        let (books, over) = (Arc::clone(&ledgers), Arc::clone(&done));
        let thread = thread::spawn(move || route(&devices, &habits, &books, &over));
        Self { ledgers, done, thread: Some(thread) }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the router routes to its end");
        }
    }
}

/// The door to all TUN devices, which a container may lack.
const DOOR: &str = "/dev/net/tun";

/// A device with a long queue, so that nothing is lost but by the router.
fn device(address: &str) -> SyncDevice {
    if !Path::new(DOOR).exists() {
        fs::create_dir_all("/dev/net").expect("a folder");
        mknod(DOOR, SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, makedev(10, 200)).expect("a device file");
    }
    let device = DeviceBuilder::new().name("hop").mtu(1500).build_sync();
    let device = device.expect("a TUN device, which takes root and /dev/net/tun");
    device.set_nonblocking(true).expect("a mode");
    ip("link set hop txqueuelen 100000");
    ip("link set hop addrgenmode none up");
    ip(&format!("addr replace {address}/24 dev hop"));
    device
}

fn route(devices: &[SyncDevice; 2], habits: &Habits, ledgers: &[Mutex<Ledger>; 2], done: &AtomicBool) {
    let mut random = StdRng::seed_from_u64(8);
    let mut waiting = BinaryHeap::<Waiting>::new();
    let mut number = 0;
    let mut packet = vec![0; 2048];
    while !done.load(Ordering::Relaxed) {
        wait(devices, waiting.peek().map(|Reverse((due, ..))| *due));
        for (from, device) in devices.iter().enumerate() {
            while let Ok(len) = device.recv(&mut packet) {
                let packet = &packet[..len];
                for _ in 0..times(packet, habits, &mut random, &mut ledgers[from].lock().unwrap()) {
                    let delay = Duration::from_secs_f64(random.random_range(habits.delay.clone()) / 1e3);
                    number += 1;
                    waiting.push(Reverse((Instant::now() + delay, number, from, packet.to_vec())));
                }
            }
        }
        while waiting.peek().is_some_and(|Reverse((due, ..))| *due <= Instant::now()) {
            let Some(Reverse((_, _, from, packet))) = waiting.pop() else { break };
            devices[1 - from].send(&packet).expect("a device takes a packet");
            ledgers[from].lock().unwrap().delivered.extend(said(&packet));
        }
    }
}

/// Until a packet comes, or one is due.
fn wait(devices: &[SyncDevice; 2], due: Option<Instant>) {
    const LONGEST: Duration = Duration::from_millis(20);
    let time = due.map_or(LONGEST, |due| due.saturating_duration_since(Instant::now()).min(LONGEST));
    let mut polled = devices.each_ref().map(|device| PollFd::new(device.as_fd(), PollFlags::POLLIN));
    // Rounded up, so that it does not wait in vain.
    let _ = poll(&mut polled, PollTimeout::from(time.as_micros().div_ceil(1000) as u16));
}

/// How often a packet is delivered; what is no datagram always once.
fn times(packet: &[u8], habits: &Habits, random: &mut StdRng, ledger: &mut Ledger) -> usize {
    if packet[0] >> 4 != 4 || packet[9] != UDP {
        return 1;
    }
    let port = u16::from_be_bytes([packet[22], packet[23]]);
    if let Some(said) = said(packet) {
        ledger.taken.entry(port).or_default().push(said);
    }
    let dice: f64 = random.random();
    if dice < habits.lose {
        ledger.lost += 1;
        return 0;
    }
    let repeated = dice < habits.lose + habits.repeat;
    ledger.repeated += u64::from(repeated);
    1 + usize::from(repeated)
}

fn said(packet: &[u8]) -> Option<Said> {
    Said::of(packet.get(HEADERS..)?)
}
