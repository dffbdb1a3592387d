//! The system calls that a serving relay makes, and what their arguments may be; everything else answers ENOSYS.
//!
//! They are those of the relay itself, of Rust's standard library, of tokio, and of glibc below. What is only
//! called while the relay starts (threads, rings, listening, pinning) is not among them.

use std::env;

use nix::libc::{self, SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LINGER, c_long};
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq};

/// A call by name, as systemd and container runtimes have it, and its number here.
pub type Call = (&'static str, c_long);
/// An argument, and what it must be; compared by its low half, which is all that the kernel reads of it, but for a wider mask.
pub type Condition = (u8, SeccompCmpOp, u64);

macro_rules! call {
    ($name:ident) => {
        (stringify!($name), libc::$name)
    };
}

macro_rules! calls {
    ($($(#[$attribute:meta])* $name:ident)*) => { &[$($(#[$attribute])* call!($name)),*] };
}

/// Whatever the arguments are.
const FREE: &[Call] = calls! {
    // Datagrams, connections, and the server for scrapes. Shards connect UDP sockets to learn what the route to a member carries.
    SYS_accept4 SYS_bind SYS_connect SYS_getpeername SYS_getsockname SYS_getsockopt SYS_io_uring_enter SYS_recvfrom
    SYS_recvmmsg SYS_recvmsg
    // Waiting, signals and time.
    SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_futex
    SYS_gettimeofday SYS_nanosleep SYS_ppoll SYS_restart_syscall SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn
    SYS_sched_yield SYS_sigaltstack
    // What is open, and what /proc and the configuration's folder hold.
    SYS_close SYS_fstat SYS_fstatfs SYS_getcwd SYS_getdents64 SYS_lseek SYS_newfstatat SYS_pread64 SYS_read
    SYS_readlinkat SYS_readv SYS_statx SYS_write SYS_writev
    // Memory, and the process itself.
    SYS_brk SYS_exit SYS_exit_group SYS_getegid SYS_geteuid SYS_getgid SYS_getpid SYS_getppid SYS_getrandom
    SYS_getrusage SYS_gettid SYS_getuid SYS_madvise SYS_membarrier SYS_mremap SYS_munmap SYS_rseq SYS_sched_getaffinity
    SYS_set_robust_list SYS_sysinfo SYS_uname
    // A filter more makes the process no freer: each shard has one of its own.
    SYS_seccomp
    #[cfg(target_arch = "x86_64")] SYS_epoll_wait
    #[cfg(target_arch = "x86_64")] SYS_poll
    #[cfg(target_arch = "x86_64")] SYS_readlink
};

/// What the store's thread calls besides, for a directory of its own: nobody else does.
const STORE: &[Call] = calls! {
    SYS_fadvise64 SYS_fdatasync SYS_flock SYS_fsync SYS_ftruncate SYS_mkdirat SYS_pwrite64 SYS_renameat SYS_renameat2
    #[cfg(target_arch = "x86_64")] SYS_mkdir
    #[cfg(target_arch = "x86_64")] SYS_rename
};

/// What would write, make or empty a file: `O_ACCMODE`, `O_CREAT`, `O_TRUNC` and the bit of `O_TMPFILE` that is its own.
const WRITES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | 0o20_000_000) as u64;
/// Connects a TCP socket and sends at once: Landlock is not asked about such a connection.
const CONNECTS: u64 = libc::MSG_FASTOPEN as u64;
const EXECUTES: u64 = libc::PROT_EXEC as u64;
/// The bits of a socket's type that are not flags (SOCK_TYPE_MASK).
const KIND: u64 = 0xf;

/// Each call with its alternatives, each of which is a list of conditions that must all hold.
pub fn checked() -> Vec<(Call, Vec<Vec<Condition>>)> {
    let any_of = |at: u8, values: &[u64]| values.iter().map(|value| vec![(at, Eq, *value)]).collect();
    let without = |at: u8, bits: u64| vec![vec![(at, MaskedEq(bits), 0)]];
    let options = [libc::PR_SET_NAME, libc::PR_SET_NO_NEW_PRIVS, libc::PR_SET_VMA, GET_AUXILIARY];
    let prctl = options.map(|option| option as u64);
    vec![
        // A look: neither a descriptor more nor a signal that a socket sends to another process.
        (call!(SYS_fcntl), any_of(1, &[libc::F_GETFD as u64, libc::F_GETFL as u64])),
        // `IORING_UNREGISTER_FILES` and `IORING_UNREGISTER_PBUF_RING`, when a shard ends.
        (call!(SYS_io_uring_register), any_of(1, &[3, 23])),
        (call!(SYS_ioctl), any_of(1, &[libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::TCGETS])),
        (call!(SYS_mmap), without(2, EXECUTES)),
        (call!(SYS_mprotect), without(2, EXECUTES)),
        (OPENAT, without(2, WRITES)),
        (call!(SYS_prctl), any_of(0, &prctl)),
        // It may look at its own limits. What would set them is behind a pointer.
        (call!(SYS_prlimit64), vec![vec![(0, Eq, 0), (2, MaskedEq(u64::MAX), 0)]]),
        (call!(SYS_sendmmsg), without(3, CONNECTS)),
        (call!(SYS_sendmsg), without(2, CONNECTS)),
        (call!(SYS_sendto), without(3, CONNECTS)),
        (call!(SYS_setsockopt), [SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LINGER].map(of_socket).into()),
        // The end of an answer. A listener that may be shut as a whole could become a client.
        (call!(SYS_shutdown), any_of(1, &[libc::SHUT_WR as u64])),
        (SOCKET, sockets(env::var_os("NOTIFY_SOCKET").is_some())),
        // An abort.
        (call!(SYS_tgkill), any_of(0, &[std::process::id().into()])),
    ]
}

/// `PR_GET_AUXV`: what the kernel told the process at its start, the size of a page among it.
const GET_AUXILIARY: i32 = 0x4155_5856;
const OPENAT: Call = call!(SYS_openat);
const SOCKET: Call = call!(SYS_socket);

/// An option of sockets of any kind.
fn of_socket(name: i32) -> Vec<Condition> {
    vec![(1, Eq, libc::SOL_SOCKET as u64), (2, Eq, name as u64)]
}

/// UDP, the list of this machine's addresses, and datagrams to a service manager if there is one.
fn sockets(is_managed: bool) -> Vec<Vec<Condition>> {
    let of = |family: i32, protocol: i32| {
        vec![(0, Eq, family as u64), (1, MaskedEq(KIND), libc::SOCK_DGRAM as u64), (2, Eq, protocol as u64)]
    };
    let inet = [libc::AF_INET, libc::AF_INET6];
    let udp = inet.into_iter().flat_map(|family| [0, libc::IPPROTO_UDP].map(|protocol| of(family, protocol)));
    let manager = is_managed.then(|| of(libc::AF_UNIX, 0));
    let addresses = vec![(0, Eq, libc::AF_NETLINK as u64), (2, Eq, libc::NETLINK_ROUTE as u64)];
    udp.chain(manager).chain([addresses]).collect()
}

/// Those that are made whatever their arguments are.
pub fn free() -> impl Iterator<Item = Call> {
    FREE.iter().copied()
}

/// What the process calls besides if the store has a directory.
pub fn of_store() -> Vec<(Call, Vec<Vec<Condition>>)> {
    STORE.iter().copied().chain([OPENAT]).map(|call| (call, Vec::new())).collect()
}

/// What a shard does not need although the process does: opening files, writing them, and speaking to a service manager.
pub fn not_of_shards() -> Vec<(Call, Vec<Vec<Condition>>)> {
    let store = STORE.iter().map(|call| (*call, Vec::new()));
    store.chain([(OPENAT, Vec::new()), (SOCKET, vec![vec![(0, Eq, libc::AF_UNIX as u64)]])]).collect()
}

/// What nobody but the store does: making files, and writing them.
pub fn not_of_others() -> Vec<(Call, Vec<Vec<Condition>>)> {
    let bits = (0..u32::BITS).map(|bit| 1 << bit).filter(|bit| WRITES & bit != 0);
    let writes = bits.map(|bit| vec![(2, MaskedEq(bit), bit)]).collect();
    STORE.iter().map(|call| (*call, Vec::new())).chain([(OPENAT, writes)]).collect()
}

/// The names of all calls that a serving relay makes, sorted.
pub fn names() -> Vec<&'static str> {
    let checked = checked().into_iter().map(|(call, _)| call);
    let mut names: Vec<&str> = free()
        .chain(STORE.iter().copied())
        .chain(checked)
        .map(|(name, _)| name.strip_prefix("SYS_").unwrap_or(name))
        .collect();
    names.sort_unstable();
    names
}
