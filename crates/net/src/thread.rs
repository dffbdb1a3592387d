//! The calling thread: how precisely it is woken, how long it ran, how long it could not, and which descriptors are its own.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_ulong};
use nix::sys::prctl::set_timerslack;
use nix::time::{ClockId, clock_gettime};

/// How late the calling thread's waits may end, so that the kernel can serve several timers at once (50 us unless
/// set). Less than a nanosecond is taken for one.
///
/// # Errors
/// What `prctl(PR_SET_TIMERSLACK)` answers.
pub fn set_timer_slack(slack: Duration) -> io::Result<()> {
    // 0 would mean the default.
    let nanoseconds = slack.as_nanos().clamp(1, c_ulong::MAX.into()) as c_ulong;
    Ok(set_timerslack(nanoseconds)?)
}

/// Gives the calling thread a table of descriptors of its own, with the standard streams and these in it: what it opens from now on
/// no other thread can use, and what others close is closed. It must not hold any other descriptor.
///
/// # Errors
/// Linux before 5.9, or a filter of system calls. Then the table is shared with the other threads, as before.
pub fn own_descriptors<'a>(kept: impl IntoIterator<Item = BorrowedFd<'a>>) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.into_iter().map(|fd| fd.as_raw_fd() as u32).chain([0, 1, 2]).collect();
    kept.sort_unstable();
    let ends = kept[1..].iter().map(|next| next - 1).chain([u32::MAX]);
    let gaps: Vec<(u32, u32)> = kept.iter().map(|before| before + 1).zip(ends).collect();
    // The first call makes the table: if it fails nothing has changed.
    let mut flags = libc::CLOSE_RANGE_UNSHARE;
    for (first, last) in gaps.into_iter().rev().filter(|(first, last)| first <= last) {
        // SAFETY: the call touches no memory. It closes descriptors in a table that is this thread's alone, which by this function's
        // contract has no owner of one of them.
        Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) })?;
        flags = 0;
    }
    Ok(())
}

/// The time that the calling thread has run on a processor, since it started (`CLOCK_THREAD_CPUTIME_ID`).
pub fn thread_cpu_time() -> Duration {
    // It fails for clocks that the kernel does not have; this one is always there.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The time that the calling thread could have run but waited for a processor, since it started
/// (`/proc/thread-self/schedstat`).
///
/// # Errors
/// The file is missing, or the kernel does not count (CONFIG_SCHED_INFO).
pub fn thread_run_delay() -> io::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    run_delay(&text)
        .ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "the kernel does not count run delays"))
}

/// Nanoseconds on a processor, nanoseconds of waiting for one, and turns: whoever asks has had a turn, unless
/// nobody counts.
fn run_delay(text: &str) -> Option<Duration> {
    let mut fields = text.split_whitespace().map(str::parse);
    let [_, Ok(delay), Ok(turns)]: [Result<u64, _>; 3] = [fields.next()?, fields.next()?, fields.next()?]
    else {
        return None;
    };
    (turns > 0).then(|| Duration::from_nanos(delay))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsFd, RawFd};
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Instant;

    use nix::sys::prctl::get_timerslack;

    use super::*;
    use crate::waker::Waker;

    #[test]
    fn timer_slack_is_the_threads_own() {
        thread::spawn(|| {
            for (slack, nanoseconds) in [(Duration::from_micros(3), 3000), (Duration::ZERO, 1)] {
                set_timer_slack(slack).unwrap();
                assert_eq!(get_timerslack().unwrap(), nanoseconds);
            }
        })
        .join()
        .unwrap();
        assert_ne!(get_timerslack().unwrap(), 1);
    }

    #[test]
    fn descriptors_of_its_own_are_nobody_elses() {
        let link = |fd: RawFd| fs::read_link(format!("/proc/thread-self/fd/{fd}"));
        let (kept, gone) = (Waker::new().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (waker, address) = (kept.clone(), gone.local_addr().unwrap());
        let (tell, told) = channel();
        let (over, is_over) = channel::<()>();
        let apart = thread::spawn(move || {
            own_descriptors([waker.as_fd()]).unwrap();
            let own = UdpSocket::bind("127.0.0.1:0").unwrap();
            tell.send(link(own.as_raw_fd()).unwrap()).unwrap();
            is_over.recv().unwrap_err();
            waker.wake();
        });
        let own = told.recv().unwrap();
        let here = fs::read_dir("/proc/thread-self/fd").unwrap();
        let mut here = here.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        assert!(own.to_str().unwrap().starts_with("socket:") && here.all(|link| link != own));
        drop(gone);
        assert!(TcpStream::connect(address).is_err(), "nobody else keeps it open");
        drop(over);
        apart.join().unwrap();
        assert_eq!(nix::unistd::read(&kept, &mut [0; 8]), Ok(8), "it was woken");
    }

    #[test]
    fn work_takes_processor_time_and_waiting_takes_none() {
        let (started, before) = (Instant::now(), thread_cpu_time());
        let (_tell, told) = channel::<()>();
        told.recv_timeout(Duration::from_millis(20)).unwrap_err();
        let waited = thread_cpu_time();
        assert!(waited - before < started.elapsed());
        while thread_cpu_time() - waited < Duration::from_millis(1) {}
    }

    #[test]
    fn the_run_delay_is_read() {
        let first = thread_run_delay().unwrap();
        assert!(thread_run_delay().unwrap() >= first);
        assert_eq!(run_delay("146137 3087502 2\n"), Some(Duration::from_nanos(3_087_502)));
    }

    #[test]
    fn a_kernel_that_does_not_count_is_an_error() {
        for text in ["0 0 0\n", "", "1 2\n", "1 x 3\n"] {
            assert_eq!(run_delay(text), None, "{text:?}");
        }
    }
}
