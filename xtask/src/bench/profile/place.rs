//! Where a sample was taken, as a kind of work: by the kernel's functions, or by the source file of the relay's own.

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Decoding, sessions, groups.
    Engine,
    /// Taking what has arrived from the driver.
    Receiving,
    /// Which receiver gets what in which send.
    Planning,
    /// Handing sends to the driver.
    Sending,
    /// The loop, the clock, the counters, and what of the driver serves both ways.
    Rest,
    /// Below a send.
    KernelSend,
    /// Below a receive.
    KernelReceive,
    /// Any other of the kernel.
    KernelRest,
}

/// Sources that tell the kind of work; the first that a path contains counts.
const FILES: [(&str, Place); 19] = [
    ("crates/wire/", Place::Engine),
    ("crates/engine/", Place::Engine),
    ("relay/src/fanout", Place::Planning),
    ("relay/src/plan", Place::Planning),
    ("relay/src/flows", Place::Planning),
    ("relay/src/work", Place::Planning),
    ("relay/src/pace", Place::Planning),
    ("relay/src/", Place::Rest),
    ("crates/net/src/uring/receiver", Place::Receiving),
    ("crates/net/src/uring/buffers", Place::Receiving),
    ("crates/net/src/mmsg/receiver", Place::Receiving),
    ("crates/net/src/pool", Place::Receiving),
    ("crates/net/src/queue", Place::Sending),
    ("crates/net/src/slots", Place::Sending),
    ("crates/net/src/batch", Place::Sending),
    ("crates/net/src/gathered", Place::Sending),
    ("crates/net/src/transmit", Place::Sending),
    ("crates/net/src/routes", Place::Sending),
    ("crates/net/src/recent", Place::Sending),
];

/// The driver's other sources serve both ways; words of their functions tell which.
const DRIVER: &str = "crates/net/src/";
const WORDS: [(&str, Place); 6] = [
    ("receive", Place::Receiving),
    ("arriv", Place::Receiving),
    ("release", Place::Receiving),
    ("send", Place::Sending),
    ("submit", Place::Sending),
    ("flush", Place::Sending),
];

/// Functions of the kernel that everything below a send or a receive comes through, whatever system call began it.
const KERNEL: [(&str, Place); 3] =
    [("sys_sendm", Place::KernelSend), ("io_send", Place::KernelSend), ("recvm", Place::KernelReceive)];

/// A function and its source, one of those that were inlined into each other.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Its name.
    pub function: String,
    /// Its path.
    pub file: String,
}

impl Place {
    /// Of the relay's own code: the innermost frame that tells. Foreign sources count as who called them.
    pub fn of_frames(frames: &[Frame]) -> Place {
        frames.iter().find_map(Place::of_frame).unwrap_or(Place::Rest)
    }

    fn of_frame(frame: &Frame) -> Option<Place> {
        let known = |table: &[(&str, Place)], text: &str| {
            table.iter().find(|(part, _)| text.contains(part)).map(|(_, place)| *place)
        };
        known(&FILES, &frame.file)
            .or_else(|| frame.file.contains(DRIVER).then(|| known(&WORDS, &frame.function))?)
    }

    /// Of the kernel's functions, the innermost first.
    pub fn of_kernel(functions: &[&str]) -> Place {
        let is_below = |part: &str| functions.iter().any(|function| function.contains(part));
        let found = KERNEL.iter().find(|(part, _)| is_below(part));
        found.map_or(Place::KernelRest, |(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str) -> Frame {
        Frame { function: function.to_owned(), file: file.to_owned() }
    }

    #[test]
    fn foreign_code_counts_as_its_caller() {
        let core = frame("core::slice::copy", "/rustc/library/core/src/slice/mod.rs");
        let plan = frame("relay::plan::Plan::add", "/x/relay/src/plan.rs");
        let shard = frame("relay::shard::turn", "/x/relay/src/shard.rs");
        assert_eq!(Place::of_frames(&[core.clone(), plan, shard.clone()]), Place::Planning);
        assert_eq!(Place::of_frames(&[core.clone(), shard]), Place::Rest);
        assert_eq!(Place::of_frames(&[core]), Place::Rest);
    }

    #[test]
    fn a_driver_that_serves_both_ways_is_told_by_its_functions() {
        let ring = frame("net::uring::ring::Ring::enter", "/x/crates/net/src/uring/ring.rs");
        let send = frame("net::uring::Uring::send", "/x/crates/net/src/uring.rs");
        assert_eq!(Place::of_frames(&[ring.clone(), send]), Place::Sending);
        assert_eq!(Place::of_frames(&[ring]), Place::Rest);
    }

    #[test]
    fn what_a_send_delivers_belongs_to_the_send() {
        for system_call in ["__sys_sendmmsg", "io_sendmsg", "io_send"] {
            let chain = ["__udp4_lib_rcv", "net_rx_action", "udp_sendmsg", system_call];
            assert_eq!(Place::of_kernel(&chain), Place::KernelSend);
        }
        assert_eq!(
            Place::of_kernel(&["udp_recvmsg", "io_recvmsg", "__io_uring_enter"]),
            Place::KernelReceive
        );
        assert_eq!(Place::of_kernel(&["copy_to_iter", "udp_recvmsg"]), Place::KernelReceive);
        assert_eq!(Place::of_kernel(&["schedule"]), Place::KernelRest);
    }
}
