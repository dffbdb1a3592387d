//! A store whose askers wait.

use std::collections::HashMap;
use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use crate::medium::{Medium, Source};
use crate::place::Ready;
use crate::{Answer, Bounds, Done, Error, Event, Name, Place, Request, Store};

/// A store, and its answers.
pub struct Desk {
    pub store: Store,
    done: Receiver<Vec<Done>>,
    answers: HashMap<u64, Answer>,
    tag: u64,
    told: Receiver<String>,
}

impl Desk {
    pub fn open(place: &Place, bounds: Bounds) -> Result<Self, Error> {
        Self::start(place.prepare()?, bounds)
    }

    pub fn on(source: Source, bounds: Bounds) -> Result<Self, Error> {
        Self::start(Ready { path: PathBuf::from("test"), source, lock: None }, bounds)
    }

    fn start(ready: Ready, bounds: Bounds) -> Result<Self, Error> {
        let ((sender, done), (tell, told)) = (channel(), channel());
        let say = move |event: Event<'_>| drop(tell.send(word(&event)));
        let store = Store::start(ready, bounds, say, move |answers| drop(sender.send(answers)))?;
        Ok(Self { store, done, answers: HashMap::new(), tag: 0, told })
    }

    /// What the operator has been told since the last call.
    pub fn told(&self) -> Vec<String> {
        self.told.try_iter().collect()
    }

    /// Asks without waiting; the tag of the answer.
    pub fn post(&mut self, request: Request) -> u64 {
        self.tag += 1;
        self.store.ask(self.tag, request).expect("room in the queue");
        self.tag
    }

    /// Waits for the answer with that tag.
    pub fn wait(&mut self, tag: u64) -> Answer {
        loop {
            if let Some(answer) = self.answers.remove(&tag) {
                return answer;
            }
            let more = self.done.recv().expect("the store answers");
            self.answers.extend(more.into_iter().map(|done| (done.tag, done.answer)));
        }
    }

    pub fn ask(&mut self, request: Request) -> Answer {
        let tag = self.post(request);
        self.wait(tag)
    }

    /// All that waits for a name, page by page.
    pub fn mails(&mut self, name: &str) -> Vec<crate::Mail> {
        let mut all: Vec<crate::Mail> = Vec::new();
        loop {
            let after = all.last().map_or(0, |mail| mail.number);
            let Answer::Mails(more) = self.ask(read(name, after, 3)) else { panic!("mails") };
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }
}

/// What an operator is told, and why.
pub fn word(event: &Event<'_>) -> String {
    match event {
        Event::Open(_) => "open".to_owned(),
        Event::InMemory(error) => format!("memory: {error}"),
        Event::Failed(error) => format!("failed: {error}"),
        Event::Recovered => "recovered".to_owned(),
    }
}

/// A name whose spelling is in capitals.
pub fn name(key: &str) -> Name {
    Name { key: key.into(), shown: key.to_uppercase().into() }
}

pub fn claim(key: &str, claim: Option<&str>, fresh: &str, now: u64) -> Request {
    let fresh = (!fresh.is_empty()).then(|| fresh.into());
    Request::Claim { name: name(key), claim: claim.map(Into::into), fresh, now }
}

pub fn put(to: &str, from: &str, id: &str, now: u64, text: &[u8]) -> Request {
    put_from(None, to, from, id, now, text)
}

pub fn put_from(site: Option<u64>, to: &str, from: &str, id: &str, now: u64, text: &[u8]) -> Request {
    let site = site.and_then(NonZeroU64::new);
    Request::Put { to: to.into(), from: name(from), site, id: id.into(), now, bytes: text.into() }
}

pub fn read(name: &str, after: u64, count: usize) -> Request {
    Request::Read { name: name.into(), after, count }
}

pub fn delete(name: &str, number: u64) -> Request {
    Request::Delete { name: name.into(), number }
}

/// Bytes that outlive the store.
#[derive(Clone, Debug, Default)]
pub struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    pub fn source(&self) -> Source {
        let bytes = self.clone();
        Box::new(move || Ok(Medium::new(bytes.clone())))
    }
}

impl StorageBackend for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, start) = (self.0.lock().unwrap(), offset as usize);
        let from = bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        write(&mut self.0.lock().unwrap(), offset as usize, data);
        Ok(())
    }
}

/// Writes as into a file, which grows if need be.
pub fn write(bytes: &mut Vec<u8>, start: usize, data: &[u8]) {
    if bytes.len() < start + data.len() {
        bytes.resize(start + data.len(), 0);
    }
    bytes[start..start + data.len()].copy_from_slice(data);
}
