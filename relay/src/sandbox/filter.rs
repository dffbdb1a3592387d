//! Filters of system calls (seccomp), made from the list of [`calls`].

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::libc;
use seccompiler::SeccompCmpOp::MaskedEq;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, apply_filter_all_threads,
};

use super::calls::{self, Call, Condition};

/// What a call that is not made otherwise gets. A library of a later version that tries a newer call takes this for an older
/// kernel, and does without; a relay that died of it would be the attack. A call that matters is missed in the tests.
const UNKNOWN: SeccompAction = SeccompAction::Errno(libc::ENOSYS as u32);
/// What a shard gets that opens a file.
const DENIED: SeccompAction = SeccompAction::Errno(libc::EACCES as u32);

/// Filters the calls of every thread of the process, one of which may write files.
pub fn for_the_process(has_store: bool) -> Result<(), String> {
    let program = whole(has_store).map_err(|error| error.to_string())?;
    apply_filter_all_threads(&program).map_err(|error| text(&error))
}

/// Filters those of the calling thread alone.
pub fn for_this_thread() -> Result<(), String> {
    let program = whole(false).map_err(|error| error.to_string())?;
    apply_filter(&program).map_err(|error| text(&error))
}

/// Takes files from the calling thread.
pub fn without_files() -> Result<(), String> {
    without(calls::not_of_shards())
}

/// Takes what writes files from the calling thread.
pub fn without_writing() -> Result<(), String> {
    without(calls::not_of_others())
}

fn without(calls: Vec<(Call, Vec<Vec<Condition>>)>) -> Result<(), String> {
    let program = compile(calls, SeccompAction::Allow, DENIED).map_err(|error| error.to_string())?;
    apply_filter(&program).map_err(|error| text(&error))
}

/// The cause is what the kernel said.
fn text(error: &seccompiler::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn whole(has_store: bool) -> Result<BpfProgram, BackendError> {
    let free = calls::free().map(|call| (call, Vec::new()));
    let store = if has_store { calls::of_store() } else { Vec::new() };
    // What the store may do counts more than what all may.
    compile(free.chain(calls::checked()).chain(store), UNKNOWN, SeccompAction::Allow)
}

fn compile(
    calls: impl IntoIterator<Item = (Call, Vec<Vec<Condition>>)>,
    other: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let mut rules = BTreeMap::new();
    for ((_, number), alternatives) in calls {
        let alternatives = alternatives.iter().map(|conditions| rule(conditions));
        rules.insert(number, alternatives.collect::<Result<Vec<_>, _>>()?);
    }
    SeccompFilter::new(rules, other, matching, ARCH.try_into()?)?.try_into()
}

fn rule(conditions: &[Condition]) -> Result<SeccompRule, BackendError> {
    let condition = |(at, operation, value): &Condition| {
        let is_wide = matches!(operation, MaskedEq(mask) if *mask > u64::from(u32::MAX));
        let width = if is_wide { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
        SeccompCondition::new(*at, width, operation.clone(), *value)
    };
    SeccompRule::new(conditions.iter().map(condition).collect::<Result<Vec<_>, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::panic::catch_unwind;
    use std::process::Command;
    use std::thread;

    use super::*;

    /// On a thread of its own, which alone is filtered.
    fn filtered(by: fn() -> Result<(), String>, story: fn()) {
        let confined = move || {
            by().unwrap();
            story();
        };
        thread::spawn(confined).join().unwrap();
    }

    fn errno<T>(result: io::Result<T>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn it_reads_and_sends_datagrams_and_does_little_else() {
        filtered(for_this_thread, || {
            const NONE: Option<i32> = Some(libc::ENOSYS);
            fs::read_to_string("/proc/self/status").unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
            net::local_addresses().unwrap();
            assert_eq!(errno(OpenOptions::new().write(true).open("/dev/null")), NONE);
            assert_eq!(errno(OpenOptions::new().append(true).create(true).open("/dev/null")), NONE);
            assert_eq!(errno(TcpListener::bind("127.0.0.1:0")), NONE);
            assert_eq!(errno(TcpStream::connect("127.0.0.1:9")), NONE);
            assert_eq!(errno(Command::new("/bin/true").status()), NONE);
            assert!(thread::Builder::new().spawn(|| ()).is_err());
            assert!(fs::remove_file("/nonexistent").unwrap_err().raw_os_error() == NONE);
        });
    }

    /// An address whose low half is 0 is one, too.
    #[test]
    fn a_pointer_is_compared_as_a_whole() {
        let limits = calls::checked().into_iter().find(|((name, _), _)| *name == "SYS_prlimit64").unwrap();
        let pointer = limits.1[0].iter().filter(|(at, ..)| *at == 2).cloned().collect::<Vec<_>>();
        let whole = SeccompCondition::new(2, SeccompCmpArgLen::Qword, MaskedEq(u64::MAX), 0).unwrap();
        assert_eq!(rule(&pointer), SeccompRule::new(vec![whole]));
    }

    #[test]
    fn nobody_but_the_store_writes_a_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("x");
        fs::write(&file, "x").unwrap();
        let opened = OpenOptions::new().write(true).open(&file).unwrap();
        let confined = move || {
            without_writing().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "x");
            for options in [OpenOptions::new().write(true), OpenOptions::new().read(true).write(true)] {
                assert_eq!(errno(options.open(&file)), Some(libc::EACCES));
            }
            assert_eq!(errno(File::create(file.with_extension("new"))), Some(libc::EACCES));
            assert_eq!(errno(fs::rename(&file, file.with_extension("new"))), Some(libc::EACCES));
            assert_eq!(errno(opened.set_len(0)), Some(libc::EACCES));
            assert_eq!(errno(std::os::unix::fs::FileExt::write_at(&opened, b"y", 0)), Some(libc::EACCES));
        };
        thread::spawn(confined).join().unwrap();
    }

    #[test]
    fn a_shard_opens_nothing_and_a_panic_is_still_told() {
        filtered(without_files, || {
            UdpSocket::bind("127.0.0.1:0").unwrap();
            net::local_addresses().unwrap();
            assert_eq!(errno(File::open("/proc/self/status")), Some(libc::EACCES));
            assert_eq!(errno(std::os::unix::net::UnixDatagram::unbound()), Some(libc::EACCES));
            let told = catch_unwind(|| {
                panic!("with {} frames", Backtrace::force_capture().to_string().lines().count())
            });
            assert!(told.is_err());
        });
    }
}
