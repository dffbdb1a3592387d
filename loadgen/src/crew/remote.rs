//! The processes of other machines.

use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::messages::{FromWorker, Hello, PATIENCE, Reader, VERSION, write};
use super::{Command, Crew, CrewError, Facts, Member, News};
use crate::capacity::Cores;
use crate::plan::{Plan, Share};

/// A worker, as seen from here. Dropped, it lets its clients leave, and ends.
struct Hand {
    stream: TcpStream,
    worker: String,
}

impl Member for Hand {
    fn tell(&mut self, command: Command) -> io::Result<()> {
        write(&mut self.stream, &command)
    }

    fn name(&self) -> String {
        format!("worker {}", self.worker)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Crew {
    /// Workers that do a plan together, each some of its groups; their clients begin to join.
    ///
    /// # Errors
    /// Why one of them cannot work.
    pub fn remote(plan: &Plan, workers: &[String], token: Option<&str>) -> Result<Crew, CrewError> {
        let shares = Plan::split(&plan.whole(), workers.len() as u32);
        if shares.len() < workers.len() {
            return Err(CrewError::FewGroups { groups: plan.groups, workers: workers.len() });
        }
        // All are asked before the first answer is waited for.
        let connections = workers
            .iter()
            .zip(shares)
            .map(|(worker, share)| hello(worker, plan, share, token).map_err(|error| lost(worker, &error)))
            .collect::<Result<Vec<_>, _>>()?;
        let (sender, news) = channel();
        let elsewhere = Cores { same_machine: Some(false), ..Cores::default() };
        // If one cannot do it, those before it leave.
        let mut crew = Crew::new(news, Facts { cores: elsewhere, ..Facts::default() });
        for (number, (worker, (stream, mut reader))) in workers.iter().zip(connections).enumerate() {
            crew.facts.add(ready(&mut reader).map_err(|error| lost(worker, &error))?);
            stream.set_read_timeout(None).map_err(|error| lost(worker, &error))?;
            let sender = sender.clone();
            crew.add(Box::new(Hand { stream, worker: worker.clone() }));
            let worker = worker.clone();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || listen(reader, number, &worker, &sender))
                .map_err(|error| CrewError::Thread("started", error))?;
        }
        Ok(crew)
    }
}

fn lost(worker: &str, error: &io::Error) -> CrewError {
    CrewError::Worker(worker.to_owned(), error.to_string())
}

fn hello(worker: &str, plan: &Plan, share: Share, token: Option<&str>) -> io::Result<(TcpStream, Reader)> {
    let mut last = io::Error::other("no address has this name");
    for address in worker.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let token = token.map(str::to_owned);
                write(&mut stream, &Hello { loadgen: VERSION, token, plan: plan.clone(), share })?;
                let reader = Reader::new(stream.try_clone()?);
                return Ok((stream, reader));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ready(reader: &mut Reader) -> io::Result<Facts> {
    match reader.read()? {
        Some(FromWorker::Ready(facts)) => Ok(facts),
        Some(FromWorker::News(News::Failed(reason))) => Err(io::Error::other(reason)),
        _ => Err(io::Error::other("it does not answer as a worker does")),
    }
}

/// Passes on what a worker tells, until it closes: after a failure its clients leave first.
fn listen(mut reader: Reader, number: usize, worker: &str, news: &Sender<(usize, News)>) {
    let failed = |reason: String| News::Failed(format!("worker {worker}: {reason}"));
    let mut has_failed = false;
    loop {
        let told = match reader.read() {
            Ok(Some(FromWorker::News(News::Failed(reason)))) => failed(reason),
            Ok(Some(FromWorker::News(News::Refused(reason)))) => {
                News::Refused(format!("worker {worker}: {reason}"))
            }
            Ok(Some(FromWorker::News(news))) => news,
            Ok(Some(FromWorker::Ready(_))) => continue,
            Ok(None) | Err(_) if has_failed => News::Left,
            Ok(None) => failed("it closed the connection".into()),
            Err(error) => failed(error.to_string()),
        };
        has_failed |= matches!(told, News::Failed(_) | News::Refused(_));
        let is_last = told == News::Left;
        if news.send((number, told)).is_err() || is_last {
            return;
        }
    }
}

impl Cores {
    /// Those who run beside the relay decide; of others nothing need be known.
    fn add(&mut self, other: Cores) {
        match (self.same_machine, other.same_machine) {
            (_, Some(false)) | (None, _) => {}
            (_, None) => *self = Cores::default(),
            (Some(false), Some(true)) => *self = other,
            (Some(true), Some(true)) => {
                let both = |one: Option<Vec<usize>>, other: Option<Vec<usize>>| Some([one?, other?].concat());
                self.generator = both(self.generator.take(), other.generator);
                self.relay = both(self.relay.take(), other.relay);
            }
        }
    }
}

impl Facts {
    fn add(&mut self, other: Facts) {
        self.threads += other.threads;
        self.cpus.extend(other.cpus);
        self.sockets = other.sockets;
        for backend in other.backends {
            if !self.backends.contains(&backend) {
                self.backends.push(backend);
            }
        }
        self.cores.add(other.cores);
        self.notes.extend(other.notes);
    }
}
