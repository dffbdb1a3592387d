//! Bytes that remember how they came to be, so that one can look at what a loss of power would have left of them.

use std::io;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use redb::StorageBackend;

use super::desk::{self, Bytes};
use crate::medium::{Medium, Source};
use crate::{Done, Request};

/// What a disk writes as a whole, or not at all.
const SECTOR: usize = 512;

/// The database's page in which bytes that have not changed are written again with those that have. No disk makes other
/// bytes of those; of pages beyond, new ones only are written, and anything may be found there.
const HEADER: usize = 4096;

/// Something that happened, in order.
#[derive(Clone, Debug)]
pub enum Event {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
    Asked(u64, Request),
    Answered(Vec<Done>),
}

/// All that has happened.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    events: Arc<Mutex<Vec<Event>>>,
    bytes: Bytes,
}

/// What becomes of writes that no sync has confirmed.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// All of them are lost.
    All,
    /// None is.
    None,
    /// Each by itself.
    Whole,
    /// Each sector by itself, which keeps its old content.
    Sectors,
    /// The same, and what is new may be zero, or anything.
    Garbage,
    /// Each byte by itself, within the header; sectors beyond.
    Bytes,
    /// All but those before a moment.
    Cut,
}

impl Loss {
    pub const ALL: [Loss; 7] =
        [Loss::All, Loss::None, Loss::Whole, Loss::Sectors, Loss::Garbage, Loss::Bytes, Loss::Cut];
}

impl Recorder {
    pub fn source(&self) -> Source {
        let recorder = self.clone();
        Box::new(move || Ok(Medium::new(recorder.clone())))
    }

    pub fn note(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}

impl StorageBackend for Recorder {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(Event::Length(len as usize));
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(Event::Write(offset as usize, data.to_vec()));
        self.bytes.write(offset, data)
    }
}

/// What is found after power was lost when these events had happened.
pub fn image(events: &[Event], loss: Loss, rng: &mut StdRng) -> Vec<u8> {
    let synced = events.iter().rposition(|event| matches!(event, Event::Sync)).map_or(0, |last| last + 1);
    let mut bytes = Vec::new();
    events[..synced].iter().for_each(|event| apply(&mut bytes, event));
    let unsynced = &events[synced..];
    let cut = rng.random_range(0..=unsynced.len());
    for (place, event) in unsynced.iter().enumerate() {
        match (loss, event) {
            (Loss::None, _) => apply(&mut bytes, event),
            (Loss::Cut, _) if place < cut => apply(&mut bytes, event),
            (Loss::All | Loss::Cut, _) => {}
            (Loss::Whole, _) | (_, Event::Length(_)) if rng.random() => apply(&mut bytes, event),
            (Loss::Sectors | Loss::Garbage | Loss::Bytes, Event::Write(start, data)) => {
                tear(&mut bytes, *start, data, loss, rng);
            }
            _ => {}
        }
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write(start, data) => desk::write(bytes, *start, data),
        Event::Length(length) => bytes.resize(*length, 0),
        _ => {}
    }
}

fn tear(bytes: &mut Vec<u8>, start: usize, data: &[u8], loss: Loss, rng: &mut StdRng) {
    for (number, sector) in data.chunks(SECTOR).enumerate() {
        let at = start + number * SECTOR;
        if at < HEADER && matches!(loss, Loss::Bytes) {
            let kept = sector.iter().enumerate().filter(|_| rng.random());
            kept.for_each(|(place, byte)| desk::write(bytes, at + place, &[*byte]));
        } else if rng.random() {
            desk::write(bytes, at, sector);
        } else if at >= HEADER && matches!(loss, Loss::Garbage) {
            let mut junk = vec![0; sector.len()];
            if rng.random() {
                rng.fill_bytes(&mut junk);
            }
            desk::write(bytes, at, &junk);
        }
    }
}
