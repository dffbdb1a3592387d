//! Each thread of a confined relay is made to call what an intruder would: no file, no program, no thread, no ring.

use std::path::Path;

use nix::libc::{self, EACCES, ENOSYS, c_long};

use crate::support::{Puppet, RelayOptions, each_backend};

use super::super::tools::{ConfigFile, main_job, threads};
use super::{confined, exported, replace_and_reload};

const HERE: u64 = libc::AT_FDCWD as u64;

fn number(folder: &Path) -> i32 {
    folder.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a thread's number")
}

fn open(thread: &Puppet, path: &str, flags: i32) -> i64 {
    let path = thread.copy(format!("{path}\0").as_bytes());
    thread.call(libc::SYS_openat, [HERE, path, flags as u64, 0o600, 0, 0])
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

#[test]
fn no_thread_opens_a_file_that_is_not_the_relays() {
    each_backend(|backend| {
        let (file, other) = (ConfigFile::new("cap = 30"), ConfigFile::new("secret = 1"));
        let relay = confined(RelayOptions::new(backend).with(["--config", &file.name()]));
        let has_landlock = !exported(&relay).contains("landlock=\"none\"");
        let threads = threads(relay.pid());
        assert_eq!(threads.len(), 5, "main, two shards, signals, http: {threads:?}");
        for (name, folder) in threads {
            let thread = Puppet::take(number(&folder));
            assert!(thread.call(libc::SYS_getpid, [0; 6]) == i64::from(relay.pid()), "{name} is no puppet");
            assert_powerless(&name, &thread);
            let is_shard = name.starts_with("shard-");
            for path in ["/etc/passwd", "/dev/null", &other.name()] {
                let answer = open(&thread, path, libc::O_RDONLY);
                if has_landlock || is_shard {
                    assert_eq!(answer, -i64::from(EACCES), "{name} opens {path}");
                }
            }
            let errno = if is_shard { EACCES } else { ENOSYS };
            for flags in
                [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC, libc::O_TMPFILE | libc::O_RDWR]
            {
                let answer = open(&thread, &file.name(), flags);
                assert_eq!(answer, -i64::from(errno), "{name} opens its configuration with {flags:#o}");
            }
            let answer = open(&thread, &file.name(), libc::O_RDONLY);
            assert_eq!(answer >= 0, !is_shard, "{name} reads its configuration: {answer}");
            if answer >= 0 {
                assert_eq!(thread.call(libc::SYS_close, [answer as u64, 0, 0, 0, 0, 0]), 0);
            }
        }
        // It has taken no harm, and whoever reloads still can.
        main_job(relay.address());
        replace_and_reload(&relay, &file, "cap = 31");
    });
}
