//! Multishot receives: arming them, reading what they completed, and never asking without a buffer.

use std::collections::VecDeque;
use std::mem;

use io_uring::types::{Fixed, RecvMsgOut};
use io_uring::{cqueue, opcode, squeue};
use nix::errno::Errno;
use nix::libc::msghdr;

use crate::address::{self, Name};
use crate::control::{Control, Told};
use crate::driver::{Arrival, BufferId, SocketIndex};
use crate::peer_errors::PeerErrors;
use crate::setback::Setbacks;
use crate::socket::{Socket, is_fatal};
use crate::uring::buffers::{Buffers, GROUP};
use crate::uring::tag;

/// The kernel's header (`io_uring_recvmsg_out`), and a name rounded up.
const OUT: usize = 16;
const NAME: usize = 32;
/// Control messages: padding up to a cache line, or as much more as they need.
const NO_CONTROL: usize = 16;
const WITH_CONTROL: usize = 80;

/// What lies in front of the longest datagram.
pub(super) const HEADROOM: usize = OUT + NAME + WITH_CONTROL;

const _: () = assert!(NAME >= Name::SIZE && WITH_CONTROL >= Control::SIZE);

/// A datagram that has arrived and was not yet handed over.
struct Waiting {
    socket: u8,
    buffer: u16,
    len: u32,
}

/// The multishot receives of all sockets.
pub(super) struct Receiver {
    /// The kernel reads one as it takes the entry that arms its receive, and keeps a copy
    /// (IORING_FEAT_SUBMIT_STABLE): they must stay in place while an entry is queued, and may go even where a
    /// receive cannot be ended.
    templates: Box<[msghdr]>,
    armed: u64,
    to_arm: u64,
    /// Where the search for the next one to arm starts.
    last: u32,
    inbox: VecDeque<Waiting>,
    pub(super) setbacks: Setbacks,
    pub(super) peer_errors: PeerErrors,
    max_datagram: u16,
    pub(super) rearms: u64,
    pub(super) no_buffers: u64,
    /// See [`SendReport::returned`](crate::SendReport::returned).
    pub(super) returned: u64,
}

impl Receiver {
    pub(super) fn new(sockets: &[Socket], max_datagram: u16) -> Receiver {
        Receiver {
            templates: sockets.iter().map(template).collect(),
            armed: 0,
            to_arm: u64::MAX >> (u64::BITS as usize - sockets.len()),
            last: 0,
            inbox: VecDeque::new(),
            setbacks: Setbacks::default(),
            peer_errors: PeerErrors::default(),
            max_datagram,
            rearms: 0,
            no_buffers: 0,
            returned: 0,
        }
    }

    /// The entry that arms one more receive, if one is due.
    pub(super) fn arm(&mut self) -> Option<squeue::Entry> {
        if self.to_arm == 0 {
            return None;
        }
        // Whoever was last in line is the first the next time: the first may use up all buffers.
        let socket = (self.to_arm.rotate_right(self.last).trailing_zeros() + self.last) % u64::BITS;
        self.last = socket;
        self.to_arm &= !(1 << socket);
        self.armed |= 1 << socket;
        let template = &raw const self.templates[socket as usize];
        let entry = opcode::RecvMsgMulti::new(Fixed(socket), template, GROUP).build();
        Some(entry.user_data(tag::RECEIVE | u64::from(socket)))
    }

    /// True while the kernel may write into buffers.
    pub(super) fn is_armed(&self) -> bool {
        self.armed != 0
    }

    /// Takes in a completion; says what the receive failed with if it will fail so again and again.
    pub(super) fn complete(
        &mut self,
        socket: u8,
        (result, flags): (i32, u32),
        buffers: &mut Buffers,
        sockets: &[Socket],
    ) -> Option<Errno> {
        if !cqueue::more(flags) {
            self.armed &= !(1 << socket);
            self.to_arm |= 1 << socket;
            self.rearms += 1;
        }
        if let Some(buffer) = cqueue::buffer_select(flags) {
            buffers.filled();
            match u32::try_from(result) {
                Ok(len) => {
                    self.inbox.push_back(Waiting { socket, buffer, len });
                    self.setbacks.succeeded();
                }
                Err(_) => buffers.discard(buffer),
            }
        }
        let failed = (result < 0).then(|| Errno::from_raw(-result));
        failed.filter(|&errno| self.failed(&sockets[usize::from(socket)], errno))
    }

    /// True if it is of no use to receive from this socket again.
    fn failed(&mut self, socket: &Socket, errno: Errno) -> bool {
        match errno {
            // The next one waits for a buffer.
            Errno::ENOBUFS => self.no_buffers += 1,
            _ if self.peer_errors.drain(socket) => {}
            Errno::ECONNREFUSED if !socket.reports_drops() => self.returned += 1,
            _ => {
                self.setbacks.failed();
                return is_fatal(socket, errno);
            }
        }
        false
    }

    /// Number of datagrams that wait to be handed over.
    pub(super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// Hands over at most so many datagrams, in order of arrival.
    pub(super) fn hand_over(&mut self, limit: usize, buffers: &mut Buffers, arrivals: &mut Vec<Arrival>) {
        for waiting in self.inbox.drain(..limit.min(self.inbox.len())) {
            match parse(&waiting, &self.templates[usize::from(waiting.socket)], self.max_datagram, buffers) {
                Some(arrival) => {
                    buffers.pool_mut().lend(waiting.buffer);
                    arrivals.push(arrival);
                }
                // Every datagram over IP has a source; one without could not be answered.
                None => buffers.discard(waiting.buffer),
            }
        }
    }
}

fn template(socket: &Socket) -> msghdr {
    // SAFETY: null pointers and zero lengths are what an empty header consists of.
    let mut header: msghdr = unsafe { mem::zeroed() };
    header.msg_namelen = NAME as u32;
    header.msg_controllen = (if socket.tells() { WITH_CONTROL } else { NO_CONTROL }) as _;
    header
}

fn parse(waiting: &Waiting, template: &msghdr, max_datagram: u16, buffers: &Buffers) -> Option<Arrival> {
    let filled = buffers.pool().filled(waiting.buffer).get(..waiting.len as usize)?;
    let out = RecvMsgOut::parse(filled, template).ok()?;
    let source = address::decode(&filled[OUT..OUT + NAME])?;
    let len = out.payload_data().len().min(max_datagram.into()) as u16;
    let told = Told::read(out.control_data());
    Some(Arrival {
        source,
        local: told.local,
        socket: SocketIndex(waiting.socket.into()),
        buffer: BufferId(waiting.buffer),
        offset: (OUT + NAME + template.msg_controllen) as u16,
        len,
        segment: told.segment_of(len),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::{SocketOptions, bind};

    #[test]
    fn everybody_is_first_in_turn() {
        let addresses = ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"].map(|address| address.parse().unwrap());
        let binding = bind(&addresses, 1, SocketOptions::default()).unwrap();
        let mut receiver = Receiver::new(&binding.shards[0], 100);
        let mut buffers = Buffers::new(64, HEADROOM, 100);
        let mut armed = Vec::new();
        for _ in 0..4 {
            while let Some(entry) = receiver.arm() {
                armed.push(tag::split(entry.get_user_data()).1);
            }
            for socket in 0..3 {
                receiver.complete(socket, (-(Errno::ENOBUFS as i32), 0), &mut buffers, &binding.shards[0]);
            }
        }
        assert_eq!(armed.chunks(3).map(|pass| pass[0]).collect::<Vec<_>>(), [0, 2, 1, 0]);
        assert!(armed.chunks(3).all(|pass| pass.iter().sum::<u32>() == 3));
    }
}
