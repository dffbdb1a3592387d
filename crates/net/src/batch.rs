//! Messages that are handed to the kernel together, in the form in which it reads them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::{mem, ptr};

use nix::libc::{c_void, iovec, mmsghdr, msghdr};

use crate::address::{Family, Name};
use crate::control::Control;
use crate::driver::SocketIndex;

/// One send: a datagram, or several that the kernel cuts apart.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    pub(crate) socket: SocketIndex,
    /// Position of the first part.
    pub(crate) start: u32,
    /// Number of datagrams, one part each.
    pub(crate) count: u16,
    /// Payload bytes of all.
    pub(crate) bytes: u32,
    /// 0 for the peer of a connected socket.
    pub(crate) name_len: u8,
    /// Bytes of control messages, and of those that stay when the datagrams are sent one by one.
    control: u8,
    plain_control: u8,
}

/// Where a message goes and how.
pub(crate) struct Target {
    pub(crate) socket: SocketIndex,
    pub(crate) family: Family,
    pub(crate) to: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    /// False where the socket knows its peer.
    pub(crate) named: bool,
}

/// A bounded list of messages. Names and control messages never move while it fills.
pub(crate) struct Batch {
    messages: Vec<Message>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    row: Row,
}

/// Headers of messages that one call sends, and the place of each message in the batch.
#[derive(Default)]
pub(crate) struct Row {
    headers: Box<[mmsghdr]>,
    places: Vec<usize>,
}

impl Row {
    /// The headers to send.
    pub(crate) fn parts(&mut self) -> (&mut [mmsghdr], &[usize]) {
        (&mut self.headers[..self.places.len()], &self.places)
    }
}

impl Batch {
    /// A submission queue's worth: docs/performance.md.
    pub(crate) const CAPACITY: usize = 256;

    pub(crate) fn new() -> Batch {
        Batch {
            messages: Vec::with_capacity(Batch::CAPACITY),
            names: vec![Name::EMPTY; Batch::CAPACITY].into(),
            controls: vec![Control::EMPTY; Batch::CAPACITY].into(),
            row: Row {
                headers: vec![EMPTY_HEADER; Batch::CAPACITY].into(),
                places: Vec::with_capacity(Batch::CAPACITY),
            },
        }
    }

    pub(crate) fn room(&self) -> usize {
        Batch::CAPACITY - self.messages.len()
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Adds a message of `count` parts. `segment` is the size that the kernel is to cut them at.
    pub(crate) fn push(&mut self, target: &Target, start: u32, count: u16, bytes: u32, segment: Option<u16>) {
        let at = self.messages.len();
        let name_len = self.names[at].encode(target.to, target.family) * u8::from(target.named);
        let control = &mut self.controls[at];
        let plain_control = target.from.map_or(0, |from| control.put_source(from, target.family));
        let control = segment.map_or(plain_control, |size| control.put_segment(plain_control, size));
        let (control, plain_control) = (control as u8, plain_control as u8);
        let socket = target.socket;
        self.messages.push(Message { socket, start, count, bytes, name_len, control, plain_control });
    }

    /// The destination of a message.
    pub(crate) fn destination(&self, index: usize) -> SocketAddr {
        self.names[index].decode().expect("encoded when it was pushed")
    }

    /// The name of a message, or null where it needs none.
    pub(crate) fn name(&self, index: usize) -> *const u8 {
        if self.messages[index].name_len > 0 { self.names[index].as_ptr() } else { ptr::null() }
    }

    /// True for a message that needs no header of its own: one datagram, from wherever the socket is.
    pub(crate) fn is_bare(&self, index: usize) -> bool {
        let message = &self.messages[index];
        message.count == 1 && message.control == 0
    }

    /// Writes the header of one message; it points into the batch and the iovecs.
    pub(crate) fn header(&mut self, index: usize, iovecs: &mut [iovec]) -> *const msghdr {
        self.row.headers[index].msg_hdr = self.whole(index, iovecs);
        &raw const self.row.headers[index].msg_hdr
    }

    /// Writes the headers of the messages in this range that leave from one socket, and lends them out.
    pub(crate) fn lend(&mut self, range: Range<usize>, socket: SocketIndex, iovecs: &mut [iovec]) -> Row {
        let mut row = mem::take(&mut self.row);
        row.places.clear();
        for index in range {
            if self.messages[index].socket == socket {
                row.headers[row.places.len()].msg_hdr = self.whole(index, iovecs);
                row.places.push(index);
            }
        }
        row
    }

    /// Takes back what was lent.
    pub(crate) fn take_back(&mut self, row: Row) {
        self.row = row;
    }

    /// Writes one header for each datagram of a message.
    pub(crate) fn plain_headers(&mut self, index: usize, iovecs: &mut [iovec], headers: &mut Vec<mmsghdr>) {
        let message = self.messages[index];
        let first = message.start as usize;
        let parts = &mut iovecs[first..first + usize::from(message.count)];
        headers.clear();
        headers.extend(
            parts
                .chunks_mut(1)
                .map(|part| mmsghdr { msg_hdr: self.raw(index, part, message.plain_control), msg_len: 0 }),
        );
    }

    fn whole(&mut self, index: usize, iovecs: &mut [iovec]) -> msghdr {
        let message = self.messages[index];
        let first = message.start as usize;
        self.raw(index, &mut iovecs[first..first + usize::from(message.count)], message.control)
    }

    fn raw(&mut self, index: usize, parts: &mut [iovec], control: u8) -> msghdr {
        let mut header = EMPTY_HEADER.msg_hdr;
        header.msg_name = self.name(index).cast_mut().cast();
        header.msg_namelen = self.messages[index].name_len.into();
        header.msg_iov = parts.as_mut_ptr();
        header.msg_iovlen = parts.len() as _;
        if control > 0 {
            header.msg_control = self.controls[index].as_mut_ptr().cast::<c_void>();
            header.msg_controllen = control as _;
        }
        header
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }

    /// Forgets the message that was pushed last.
    pub(crate) fn pop(&mut self) {
        self.messages.pop();
    }
}

/// A header that names nothing.
// SAFETY: null pointers and zero lengths are what an empty header consists of.
pub(crate) const EMPTY_HEADER: mmsghdr = unsafe { mem::zeroed() };
