//! A driver that does nothing: what arrives is prepared, what is sent is forgotten.

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use net::{Arrival, BufferId, Driver, DriverStats, Full, Gather, Part, Run, SendReport, SocketIndex, Waker};

/// Datagrams that arrive again with every exchange that may not wait.
pub struct Blank {
    arrivals: Vec<Arrival>,
    datagrams: Vec<Vec<u8>>,
    gathered: u32,
    composed: u32,
    /// Datagrams sent so far, for others to read.
    sent: Rc<Cell<u64>>,
    report: SendReport,
}

impl Blank {
    /// These datagrams, each from its sender; at most 2^16.
    pub fn new(datagrams: Vec<(SocketAddr, Vec<u8>)>) -> Self {
        let arrival = |(number, (source, bytes)): (usize, &(SocketAddr, Vec<u8>))| Arrival {
            source: *source,
            local: None,
            socket: SocketIndex(0),
            buffer: BufferId(number as u16),
            offset: 0,
            len: bytes.len() as u16,
            segment: 0,
        };
        Self {
            arrivals: datagrams.iter().enumerate().map(arrival).collect(),
            datagrams: datagrams.into_iter().map(|(_, bytes)| bytes).collect(),
            gathered: 0,
            composed: 0,
            sent: Rc::default(),
            report: SendReport::default(),
        }
    }

    /// How many datagrams were sent, now and later.
    pub fn sent(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.sent)
    }
}

impl Driver for Blank {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, _wait: Option<Duration>) -> io::Result<()> {
        (self.gathered, self.composed) = (0, 0);
        arrivals.extend_from_slice(&self.arrivals);
        Ok(())
    }

    fn end_turn(&mut self) -> io::Result<()> {
        (self.gathered, self.composed) = (0, 0);
        Ok(())
    }

    fn bytes(&self, arrival: &Arrival) -> &[u8] {
        &self.datagrams[usize::from(arrival.buffer.0)]
    }

    fn release(&mut self, buffer: BufferId) {
        black_box(buffer);
    }

    fn compose(&mut self, text: &[u8]) -> Part {
        let start = self.composed;
        self.composed += text.len() as u32;
        Part::Composed { start, len: text.len() as u16 }
    }

    fn compose_before(&mut self, text: &[u8], part: Part) -> Part {
        let start = self.composed;
        let len = text.len() + part.len();
        self.composed += len as u32;
        Part::Composed { start, len: len as u16 }
    }

    fn gather(&mut self, parts: &[Part]) -> Gather {
        let start = self.gathered;
        self.gathered += black_box(parts).len() as u32;
        Gather { start, count: parts.len() as u16 }
    }

    fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        let start = self.gathered;
        let count = list.count - black_box(skipped).len() as u16;
        self.gathered += u32::from(count);
        Gather { start, count }
    }

    fn send(&mut self, run: &Run) -> Result<(), Full> {
        self.sent.set(self.sent.get() + u64::from(black_box(run).gather.count));
        Ok(())
    }

    fn flush(&mut self) {}

    fn report(&mut self) -> &mut SendReport {
        &mut self.report
    }

    fn waker(&self) -> Waker {
        Waker::new().expect("an eventfd")
    }

    fn receive_pressure(&self) -> f32 {
        0.0
    }

    fn stats(&self) -> DriverStats {
        DriverStats::default()
    }
}
