//! Each thread of a confined relay is made to call what an intruder would: no file, no program, no thread, no ring.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use nix::libc::{self, EACCES, ENOSYS, c_long};

use crate::support::{Backend, Puppet, Relay, RelayOptions, each_backend, eventually, without};

use super::super::tools::{ConfigFile, main_job, proc_of, threads};
use super::{confined, exported, replace_and_reload};

const F_SETOWN: u64 = 8;
const F_SETSIG: u64 = 10;
/// The state of such a socket in `/proc/net/tcp`.
const LISTENS: &str = "0A";
const HERE: u64 = libc::AT_FDCWD as u64;

fn number(folder: &Path) -> i32 {
    folder.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a number")
}

fn open(thread: &Puppet, path: &str, flags: i32) -> i64 {
    let path = thread.copy(format!("{path}\0").as_bytes());
    thread.call(libc::SYS_openat, [HERE, path, flags as u64, 0o600, 0, 0])
}

/// The descriptor of the metrics' listener, the only one of TCP.
fn listener(relay: &Relay) -> u64 {
    let table = fs::read_to_string(proc_of(relay.pid()).join("net/tcp")).expect("/proc is there");
    let inodes: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[3] == LISTENS)
        .map(|fields| format!("socket:[{}]", fields[9]))
        .collect();
    let all = fs::read_dir(proc_of(relay.pid()).join("fd")).expect("/proc is there");
    let listens = |fd: &PathBuf| {
        fs::read_link(fd).is_ok_and(|to| inodes.iter().any(|inode| to.as_os_str() == inode.as_str()))
    };
    let fd = all.map(|fd| fd.expect("a descriptor").path()).find(listens).expect("a listener");
    number(&fd) as u64
}

/// What no thread can do with a socket, the metrics' listener: reach out by TCP, or let it signal others.
fn assert_only_listens(name: &str, thread: &Puppet, listener: u64) {
    let text = thread.copy(b"out");
    let [connecting, nobody] = [libc::MSG_FASTOPEN as u64, 0];
    let tcp = libc::IPPROTO_TCP as u64;
    let calls: [(&str, c_long, [u64; 6]); 11] = [
        ("a connection (sendto)", libc::SYS_sendto, [listener, text, 3, connecting, nobody, 0]),
        ("a connection (sendmsg)", libc::SYS_sendmsg, [listener, text, connecting, 0, 0, 0]),
        ("a connection (sendmmsg)", libc::SYS_sendmmsg, [listener, text, 0, connecting, 0, 0]),
        ("a shut listener", libc::SYS_shutdown, [listener, libc::SHUT_RDWR as u64, 0, 0, 0, 0]),
        ("a half of it", libc::SYS_shutdown, [listener, libc::SHUT_RD as u64, 0, 0, 0, 0]),
        ("an option", libc::SYS_setsockopt, [listener, tcp, libc::TCP_FASTOPEN_CONNECT as u64, text, 4, 0]),
        ("an owner", libc::SYS_fcntl, [listener, F_SETOWN, 1, 0, 0, 0]),
        ("a signal", libc::SYS_fcntl, [listener, F_SETSIG, libc::SIGKILL as u64, 0, 0, 0]),
        ("signals", libc::SYS_fcntl, [listener, libc::F_SETFL as u64, libc::O_ASYNC as u64, 0, 0, 0]),
        ("a copy", libc::SYS_fcntl, [listener, libc::F_DUPFD_CLOEXEC as u64, 0, 0, 0, 0]),
        ("a ping's socket", libc::SYS_socket, [libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 1, 0, 0, 0]),
    ];
    for (what, call, arguments) in calls {
        assert_eq!(thread.call(call, arguments), -i64::from(ENOSYS), "{name} got {what}");
    }
}

/// What no thread can do, whatever it is for.
fn assert_powerless(name: &str, thread: &Puppet) {
    let program = thread.copy(b"/bin/true\0");
    let blank = thread.copy(&[0; 256]);
    let [stream, raw] = [libc::SOCK_STREAM, libc::SOCK_RAW].map(|kind| kind as u64);
    let executable = (libc::PROT_READ | libc::PROT_EXEC) as u64;
    let anonymous = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let calls: [(&str, c_long, [u64; 6]); 9] = [
        ("a ring", libc::SYS_io_uring_setup, [1, blank, 0, 0, 0, 0]),
        ("a ring's files", libc::SYS_io_uring_register, [0, 2, blank, 1, 0, 0]),
        ("a program", libc::SYS_execve, [program, 0, 0, 0, 0, 0]),
        ("a process", libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]),
        ("a TCP socket", libc::SYS_socket, [libc::AF_INET as u64, stream, 0, 0, 0, 0]),
        ("a raw socket", libc::SYS_socket, [libc::AF_INET as u64, raw, 0, 0, 0, 0]),
        ("code", libc::SYS_mmap, [0, 4096, executable, anonymous, u64::MAX, 0]),
        ("another process", libc::SYS_ptrace, [libc::PTRACE_ATTACH as u64, 1, 0, 0, 0, 0]),
        ("a signal to another process", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
    ];
    for (what, call, arguments) in calls {
        assert_eq!(thread.call(call, arguments), -i64::from(ENOSYS), "{name} got {what}");
    }
}

/// How many filters of system calls a thread has.
fn filters(folder: &Path) -> usize {
    let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
    let count = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

#[test]
fn no_thread_opens_a_file_that_is_not_the_relays() {
    each_backend(|backend| {
        let (file, other) = (ConfigFile::new("cap = 30"), ConfigFile::new("secret = 1"));
        let place = tempfile::tempdir().unwrap();
        let data = place.path().to_str().unwrap();
        let relay = confined(RelayOptions::new(backend).with(["--config", &file.name(), "--data-dir", data]));
        let has_landlock = !exported(&relay).contains("landlock=\"none\"");
        let threads = threads(relay.pid());
        assert_eq!(threads.len(), 7, "main, two shards, tcp, store, signals, http: {threads:?}");
        eventually("each thread has its own filter", || {
            let mut own = threads.iter().filter(|(name, _)| name != "store");
            own.all(|(_, folder)| filters(folder) >= 2).then_some(())
        });
        for (name, folder) in threads {
            let thread = Puppet::take(number(&folder));
            assert!(thread.call(libc::SYS_getpid, [0; 6]) == i64::from(relay.pid()), "{name} is no puppet");
            assert_powerless(&name, &thread);
            assert_only_listens(&name, &thread, listener(&relay));
            let opens_nothing = name.starts_with("shard-") || matches!(name.as_str(), "tcp" | "signals");
            let datagrams = [libc::AF_UNIX as u64, libc::SOCK_DGRAM as u64, 0, 0, 0, 0];
            let answer = thread.call(libc::SYS_socket, datagrams);
            assert!(
                answer == -i64::from(ENOSYS) || answer == -i64::from(EACCES),
                "{name} speaks to programs"
            );
            for path in ["/etc/passwd", "/dev/null", &other.name()] {
                let answer = open(&thread, path, libc::O_RDONLY);
                if has_landlock || opens_nothing {
                    assert_eq!(answer, -i64::from(EACCES), "{name} opens {path}");
                }
            }
            // It hears no strangers.
            let may_write = name == "store";
            for flags in
                [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC, libc::O_TMPFILE | libc::O_RDWR]
            {
                // Of a file that is there, this alone writes nothing.
                let is_harmless = flags == libc::O_CREAT;
                if !may_write || has_landlock && !is_harmless {
                    let answer = open(&thread, &file.name(), flags);
                    assert!(answer < 0, "{name} opens its configuration with {flags:#o}: {answer}");
                }
            }
            let answer = open(&thread, &format!("{data}/{name}"), libc::O_CREAT | libc::O_RDWR);
            assert_eq!(answer >= 0, may_write, "{name} writes where names and mail are kept: {answer}");
            if answer >= 0 {
                assert_eq!(thread.call(libc::SYS_close, [answer as u64, 0, 0, 0, 0, 0]), 0);
            }
            let answer = open(&thread, &file.name(), libc::O_RDONLY);
            assert_eq!(answer >= 0, !opens_nothing, "{name} reads its configuration: {answer}");
            if answer >= 0 {
                assert_eq!(thread.call(libc::SYS_close, [answer as u64, 0, 0, 0, 0, 0]), 0);
            }
        }
        // It has taken no harm, and whoever reloads still can.
        main_job(relay.address());
        replace_and_reload(&relay, &file, "cap = 31");
    });
}

/// Landlock would refuse it; without it, and whatever is called, nobody is reached.
#[test]
fn the_listener_of_a_kernel_without_landlock_connects_to_nobody() {
    without(&[libc::SYS_landlock_create_ruleset], ENOSYS, || {
        let relay = confined(RelayOptions::new(Backend::Mmsg).with(["--shards", "1"]));
        let (fd, other) = (listener(&relay), TcpListener::bind("127.0.0.1:0").unwrap());
        let [a, b] = other.local_addr().unwrap().port().to_be_bytes();
        let (_, folder) = threads(relay.pid()).into_iter().find(|(name, _)| name == "shard-0").unwrap();
        let thread = Puppet::take(number(&folder));
        let connect = |address: [u8; 16]| {
            let address = thread.copy(&address);
            thread.call(libc::SYS_connect, [fd, address, 16, 0, 0, 0])
        };
        assert_eq!(connect([0; 16]), 0, "it listens no more");
        let server = [libc::AF_INET as u8, 0, a, b, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(connect(server), -i64::from(libc::EINPROGRESS));
        let later = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        assert_eq!(other.accept().unwrap().1, later.local_addr().unwrap());
        other.set_nonblocking(true).unwrap();
        assert!(other.accept().is_err(), "the relay has reached a server");
        drop(thread);
        main_job(relay.address());
    });
}
