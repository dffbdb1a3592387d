//! A shard's own ring, into which an intruder writes an entry that opens a file.

use std::fs;

use nix::libc::{self, EACCES};

use crate::support::{Backend, Puppet, Relay, RelayOptions};

use super::super::tools::{ConfigFile, main_job, proc_of, threads};
use super::confined;

const OPENAT: u8 = 18;
/// On an entry: its descriptor is a registered one (IOSQE_FIXED_FILE).
const FIXED_FILE: u8 = 1;
/// What the completion is known by, which the relay passes over.
const MARK: u64 = 7 << 32;
/// Entries of the submission queue, each so many bytes long.
const ENTRIES: u32 = 256;
const ENTRY: u64 = 64;
const RING: &str = "anon_inode:[io_uring]";

/// The descriptor of the relay's only ring.
fn descriptor(relay: &Relay) -> String {
    let all = fs::read_dir(proc_of(relay.pid()).join("fd")).expect("/proc is there");
    let rings = all.map(|fd| fd.expect("a descriptor").path());
    let mut rings = rings.filter(|fd| fs::read_link(fd).is_ok_and(|to| to.as_os_str() == RING));
    let ring = rings.next().expect("a ring");
    ring.file_name().and_then(|name| name.to_str()).expect("a number").to_owned()
}

/// Where the ring's queues and its entries are mapped, told apart by their offsets.
fn mappings(relay: &Relay) -> (u64, u64) {
    let maps = fs::read_to_string(proc_of(relay.pid()).join("maps")).expect("/proc is there");
    let at = |offset: &str| {
        let line = maps.lines().find(|line| line.contains(RING) && line.split(' ').nth(2) == Some(offset));
        let start =
            line.and_then(|line| line.split('-').next()).unwrap_or_else(|| panic!("no {offset} in {maps}"));
        u64::from_str_radix(start, 16).expect("an address")
    };
    (at("00000000"), at("10000000"))
}

/// What the kernel tells about the ring.
fn told(relay: &Relay, ring: &str) -> String {
    fs::read_to_string(proc_of(relay.pid()).join("fdinfo").join(ring)).expect("/proc is there")
}

#[test]
fn a_shards_ring_opens_no_file() {
    let file = ConfigFile::new("cap = 30");
    let relay = confined(RelayOptions::new(Backend::Uring).with(["--config", &file.name(), "--shards", "1"]));
    main_job(relay.address());
    let (_, folder) =
        threads(relay.pid()).into_iter().find(|(name, _)| name == "shard-0").expect("the only shard");
    let ring = descriptor(&relay);
    let (queues, entries) = mappings(&relay);
    for flags in [0, FIXED_FILE] {
        let thread = Puppet::take(folder.file_name().unwrap().to_str().unwrap().parse().unwrap());
        let before = told(&relay, &ring);
        let field = before.lines().find_map(|line| line.strip_prefix("SqTail:")).expect("the queue's end");
        let tail: u32 = field.trim().parse().expect("a number");
        // Older kernels keep head and tail on lines of the cache of their own.
        let of_tail = [4, 64].into_iter().find(|at| tail > 0 && thread.read(queues + at) == tail);
        let of_tail = queues + of_tail.expect("the queue's end in its memory");
        let path = thread.copy(format!("{}\0", file.name()).as_bytes());
        let mut entry = [0_u8; ENTRY as usize];
        (entry[0], entry[1]) = (OPENAT, flags);
        entry[4..8].copy_from_slice(&libc::AT_FDCWD.to_ne_bytes());
        entry[16..24].copy_from_slice(&path.to_ne_bytes());
        entry[32..40].copy_from_slice(&MARK.to_ne_bytes());
        thread.write(entries + u64::from(tail % ENTRIES) * ENTRY, &entry);
        thread.write(of_tail, &(tail + 1).to_ne_bytes());
        let number = ring.parse().expect("a number");
        assert_eq!(
            thread.call(libc::SYS_io_uring_enter, [number, 1, 0, 0, 0, 0]),
            1,
            "the ring takes the entry"
        );
        let after = told(&relay, &ring);
        let mut answers = after.lines().filter(|line| line.contains(&format!("user_data:{MARK},")));
        let answer = answers.next_back().unwrap_or_else(|| panic!("no answer in {after}"));
        assert!(answer.contains(&format!("res:-{EACCES},")), "{answer}");
    }
    main_job(relay.address());
}
