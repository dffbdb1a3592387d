//! Who serves the target: a process elsewhere, or one that shares this machine's processors with the generator.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use procfs::net::{UdpNetEntry, UdpState};
use procfs::process::{FDTarget, Process, all_processes};

use super::addresses;

/// Where the target is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// On another machine: no network namespace that can be seen here has the address.
    Elsewhere,
    /// On this machine.
    Here {
        /// The process that serves it.
        pid: i32,
        /// The processors that its threads may use, in ascending order. Of a relay of this project only the threads
        /// that move datagrams count, its shards: the others need next to nothing, and are not pinned with them.
        cpus: Vec<usize>,
    },
    /// On this machine, but it cannot be seen by whom: nobody serves it, or this process lacks the permission.
    HereUnknown,
}

/// Finds out who serves this address.
pub fn cores_of(target: SocketAddr) -> Neighbour {
    let target = SocketAddr::new(target.ip().to_canonical(), target.port());
    let here: Vec<Process> =
        namespaces(target.ip()).into_iter().filter(|one| has(one, target.ip())).collect();
    if here.is_empty() {
        return Neighbour::Elsewhere;
    }
    let inodes: BTreeSet<u64> = here.iter().flat_map(|one| sockets(one, target)).collect();
    let owners = owners(&inodes);
    match owners.first() {
        Some(first) => Neighbour::Here { pid: first.pid, cpus: cpus(&owners) },
        None => Neighbour::HereUnknown,
    }
}

/// A process of each network namespace where packets for this address may end, this process's own first. Loopback
/// leaves no namespace.
fn namespaces(address: IpAddr) -> Vec<Process> {
    let own = Process::myself().ok();
    let mut seen: BTreeSet<PathBuf> = own.iter().filter_map(namespace).collect();
    let mut found: Vec<Process> = own.into_iter().collect();
    if !address.is_loopback() {
        let all = all_processes().into_iter().flatten().flatten();
        found.extend(all.filter(|process| namespace(process).is_some_and(|one| seen.insert(one))));
    }
    found
}

fn namespace(process: &Process) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{}/ns/net", process.pid)).ok()
}

fn has(process: &Process, address: IpAddr) -> bool {
    addresses::have(&addresses::local(process.pid), address)
}

/// The inodes of the sockets in a process's namespace that receive what is sent to the target.
fn sockets(process: &Process, target: SocketAddr) -> Vec<u64> {
    let all = [process.udp(), process.udp6()].into_iter().flatten().flatten();
    all.filter(|entry| receives(entry, target)).map(|entry| entry.inode).collect()
}

fn receives(entry: &UdpNetEntry, target: SocketAddr) -> bool {
    let local = entry.local_address;
    // Connected sockets are clients'.
    let is_open = entry.state == UdpState::Close && local.port() == target.port();
    is_open && (local.ip().is_unspecified() || local.ip().to_canonical() == target.ip())
}

/// The processes that have one of these sockets. The first of all processes may keep a copy for one that it starts.
fn owners(inodes: &BTreeSet<u64>) -> Vec<Process> {
    let mut owners: Vec<Process> = all_processes().into_iter().flatten().flatten().collect();
    owners.retain(|process| has_one(process, inodes));
    if owners.len() > 1 {
        owners.retain(|process| process.pid != 1);
    }
    owners
}

fn has_one(process: &Process, inodes: &BTreeSet<u64>) -> bool {
    let descriptors = process.fd().into_iter().flatten().flatten();
    descriptors.into_iter().any(|fd| matches!(fd.target, FDTarget::Socket(inode) if inodes.contains(&inode)))
}

/// A thread: its name, and the first and last of each range of processors that it may use.
struct Thread {
    name: String,
    cpus: Vec<(u32, u32)>,
}

fn cpus(processes: &[Process]) -> Vec<usize> {
    let cpus: BTreeSet<usize> = processes.iter().flat_map(|process| used(&threads(process))).collect();
    cpus.into_iter().collect()
}

fn threads(process: &Process) -> Vec<Thread> {
    let tasks = process.tasks().into_iter().flatten().flatten();
    let status = tasks.filter_map(|task| task.status().ok());
    status
        .map(|status| Thread { name: status.name, cpus: status.cpus_allowed_list.unwrap_or_default() })
        .collect()
}

/// The processors of the threads that move a process's datagrams, as far as their names tell.
fn used(threads: &[Thread]) -> BTreeSet<usize> {
    let has_shards = threads.iter().any(is_shard);
    let movers = threads.iter().filter(|thread| !has_shards || is_shard(thread));
    movers.flat_map(|thread| &thread.cpus).flat_map(|&(first, last)| first as usize..=last as usize).collect()
}

/// Whether it has the name of a relay's shard, `shard-0` and so on.
fn is_shard(thread: &Thread) -> bool {
    let number = thread.name.strip_prefix("shard-").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::UdpSocket;
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn here() -> Neighbour {
        let mut cpus = net::available_cpus().unwrap();
        cpus.sort_unstable();
        Neighbour::Here { pid: std::process::id() as i32, cpus }
    }

    #[test]
    fn a_relays_shards_move_its_datagrams() {
        let used = |threads: &[(&str, &[(u32, u32)])]| -> Vec<usize> {
            let threads: Vec<Thread> = threads
                .iter()
                .map(|&(name, cpus)| Thread { name: name.into(), cpus: cpus.to_vec() })
                .collect();
            used(&threads).into_iter().collect()
        };
        let pinned: [(&str, &[(u32, u32)]); 4] =
            [("relay", &[(0, 7)]), ("shard-0", &[(2, 2)]), ("shard-10", &[(4, 4)]), ("http", &[(0, 7)])];
        assert_eq!(used(&pinned), [2, 4]);
        assert_eq!(used(&[("relay", &[(0, 3)]), ("shard-0", &[(0, 1), (3, 3)])]), [0, 1, 3]);
        let other: [(&str, &[(u32, u32)]); 4] =
            [("server", &[(0, 0)]), ("shard-", &[(1, 1)]), ("shard-x", &[(3, 3)]), ("shard-1a", &[(5, 6)])];
        assert_eq!(used(&other), [0, 1, 3, 5, 6]);
        assert_eq!(used(&[]), [0_usize; 0]);
    }

    #[test]
    fn a_socket_of_this_process() {
        for (bound, asked) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.9.9.9"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
            ("[::]:0", "::ffff:127.0.0.1"),
        ] {
            let socket = UdpSocket::bind(bound).unwrap();
            let target = SocketAddr::new(asked.parse().unwrap(), socket.local_addr().unwrap().port());
            assert_eq!(cores_of(target), here(), "{bound} {asked}");
        }
    }

    #[test]
    fn a_port_of_nobody_and_the_address_of_another_machine() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(cores_of(SocketAddr::new("127.0.0.2".parse().unwrap(), port)), Neighbour::HereUnknown);
        assert_eq!(cores_of(SocketAddr::new("192.0.2.1".parse().unwrap(), port)), Neighbour::Elsewhere);
    }

    #[test]
    fn a_connected_socket_serves_nobody() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect("127.0.0.1:9").unwrap();
        assert_eq!(cores_of(socket.local_addr().unwrap()), Neighbour::HereUnknown);
    }

    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    const BIND: &str = "LOADGEN_TEST_BIND";

    /// Does nothing, unless the test below starts this program again: then it has a socket until its input ends.
    #[test]
    fn one_that_has_a_socket() {
        let Ok(address) = std::env::var(BIND) else { return };
        let _socket = UdpSocket::bind(address).unwrap();
        println!("ready");
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    }

    /// It needs root.
    #[test]
    fn a_socket_in_another_namespace() {
        let script = r#"ip link set lo up && ip addr add 198.51.100.77/32 dev lo && exec "$0" --nocapture --exact "$1""#;
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script]).arg(std::env::current_exe().unwrap());
        command.arg("machine::neighbour::tests::one_that_has_a_socket").env(BIND, "0.0.0.0:5000");
        let mut child = Ended(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.ends_with("ready")), "unshare needs root");

        let cores = cores_of("198.51.100.77:5000".parse().unwrap());
        assert!(
            matches!(&cores, Neighbour::Here { pid, cpus } if *pid == child.0.id() as i32 && !cpus.is_empty())
        );
        assert_eq!(cores_of("198.51.100.77:5001".parse().unwrap()), Neighbour::HereUnknown);
        // Loopback is another one in each namespace.
        let cores = cores_of("127.0.0.1:5000".parse().unwrap());
        assert!(!matches!(cores, Neighbour::Here { pid, .. } if pid == child.0.id() as i32));
    }
}
