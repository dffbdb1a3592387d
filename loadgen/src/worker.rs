//! A process that does a part of what another loadgen plans.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::WorkerArgs;
use crate::crew::messages::{FromWorker, GREETING, Hello, PATIENCE, Reader, VERSION, write};
use crate::crew::{Command, Crew, News};
use crate::session::probe;

/// Commands are looked for, and progress is told, in this distance.
const TURN: Duration = Duration::from_millis(20);
const PROGRESS: Duration = Duration::from_millis(100);

/// So many connections may be without a plan at a time; more are closed.
const GREETINGS: usize = 8;

/// When no connection can be taken (there are too few descriptors, say), this long goes by until the next try.
const SETBACK: Duration = Duration::from_millis(200);

/// Why a worker cannot wait for plans.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Anybody could make this machine flood another.
    #[error("--listen {0} can be reached by others, who could send load anywhere with it: give a --token")]
    Open(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Nobody can wait there.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
}

/// What all connections share.
struct Desk {
    token: Option<String>,
    busy: AtomicBool,
    greetings: AtomicUsize,
    /// Hears of plans that were done, if somebody waits for that.
    done: Option<Sender<()>>,
}

/// A connection that has no plan yet.
struct Greeting(Arc<Desk>);

/// The plan that is being done: one at a time.
struct Place<'a>(&'a AtomicBool);

/// Waits for plans and does them, one at a time.
///
/// # Errors
/// Why it cannot wait.
pub fn work(args: &WorkerArgs) -> Result<(), WorkerError> {
    // An empty word is none.
    let token = args.token.clone().filter(|token| !token.is_empty());
    if !args.listen.ip().is_loopback() && token.is_none() {
        return Err(WorkerError::Open(args.listen));
    }
    let failed = |error| WorkerError::Listen(args.listen, error);
    let listener = TcpListener::bind(args.listen).map_err(failed)?;
    eprintln!("loadgen: a worker waits for plans on {}", listener.local_addr().map_err(failed)?);
    let (sender, done) = channel();
    let done_once = args.once.then_some(sender);
    let desk = Desk { token, busy: false.into(), greetings: 0.into(), done: done_once };
    let desk = Arc::new(desk);
    if !args.once {
        accept(&listener, &desk);
    }
    let accepting = thread::Builder::new().spawn(move || accept(&listener, &desk));
    accepting.map_err(WorkerError::Thread)?;
    // The other end is never dropped.
    let _ = done.recv();
    Ok(())
}

/// Takes connections for ever, each to a thread of its own.
fn accept(listener: &TcpListener, desk: &Arc<Desk>) -> ! {
    loop {
        let (stream, from) = match listener.accept() {
            Ok(connection) => connection,
            Err(error) => {
                // There is no event that says when it will work again.
                eprintln!("loadgen: a connection cannot be taken: {error}");
                thread::sleep(SETBACK);
                continue;
            }
        };
        let Some(greeting) = Greeting::enter(desk) else { continue };
        let desk = Arc::clone(desk);
        let visit = thread::Builder::new().spawn(move || visit(stream, from, greeting, &desk));
        if let Err(error) = visit {
            eprintln!("loadgen: no thread for {from}: {error}");
        }
    }
}

fn visit(stream: TcpStream, from: SocketAddr, greeting: Greeting, desk: &Desk) {
    let taken = AtomicBool::new(false);
    match serve(stream, greeting, desk, &taken) {
        Ok(()) => eprintln!("loadgen: the plan of {from} is done"),
        Err(error) => eprintln!("loadgen: the plan of {from}: {error}"),
    }
    if let Some(done) = &desk.done
        && taken.into_inner()
    {
        // Whoever waited has heard it from another plan.
        let _ = done.send(());
    }
}

impl Greeting {
    fn enter(desk: &Arc<Desk>) -> Option<Self> {
        let greeting = Greeting(Arc::clone(desk));
        (desk.greetings.fetch_add(1, Ordering::AcqRel) < GREETINGS).then_some(greeting)
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        self.0.greetings.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<'a> Place<'a> {
    fn take(busy: &'a AtomicBool) -> Option<Self> {
        (!busy.swap(true, Ordering::AcqRel)).then_some(Place(busy))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Does what one connection asks for, and tells it what keeps that from being done.
fn serve(mut stream: TcpStream, greeting: Greeting, desk: &Desk, taken: &AtomicBool) -> io::Result<()> {
    let deadline = Instant::now() + GREETING;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let reader = Reader::new(stream.try_clone()?);
    let result = attend(&mut stream, reader, deadline, greeting, desk, taken);
    if let Err(error) = &result {
        // The other side may be gone, which is then the reason.
        let _ = write(&mut stream, &FromWorker::News(News::Failed(error.to_string())));
    }
    // Whoever reads commands has the connection as well.
    let _ = stream.shutdown(Shutdown::Both);
    result
}

fn attend(
    stream: &mut TcpStream,
    mut reader: Reader,
    deadline: Instant,
    greeting: Greeting,
    desk: &Desk,
    taken: &AtomicBool,
) -> io::Result<()> {
    let nothing = || io::Error::other("it was closed before it said anything");
    let mut hello = reader.read_hello(deadline)?.ok_or_else(nothing)?;
    hello.plan = hello.plan.canonical();
    if let Some(reason) = refusal(&hello, desk.token.as_deref()) {
        return Err(io::Error::other(reason));
    }
    let busy = || io::Error::other("it is busy with another plan");
    let place = Place::take(&desk.busy).ok_or_else(busy)?;
    drop(greeting);
    let crew = begin(&hello).map_err(|error| io::Error::other(error.to_string()))?;
    taken.store(true, Ordering::Relaxed);
    let result = follow(stream, reader, crew);
    drop(place);
    result
}

fn refusal(hello: &Hello, token: Option<&str>) -> Option<String> {
    if hello.loadgen != VERSION {
        return Some(format!("it speaks version {VERSION}, and was asked in version {}", hello.loadgen));
    }
    if !is_right(hello.token.as_deref(), token) {
        return Some("the --token is not the one that it was started with".to_owned());
    }
    hello.plan.fault(&hello.share)
}

/// Takes the same time wherever the first difference is.
fn is_right(given: Option<&str>, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return true };
    if wanted.is_empty() {
        return false;
    }
    let given = given.unwrap_or_default();
    let differences = given.bytes().zip(wanted.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    given.len() == wanted.len() && differences == 0
}

fn begin(hello: &Hello) -> anyhow::Result<Crew> {
    probe(hello.plan.target)?;
    Ok(Crew::local(&hello.plan, &hello.share)?)
}

/// Passes commands to the crew and news to the other side, until everybody has left or the connection is gone. However it
/// ends, everybody has left then.
fn follow(stream: &mut TcpStream, reader: Reader, mut crew: Crew) -> io::Result<()> {
    write(stream, &FromWorker::Ready(crew.facts().clone()))?;
    stream.set_read_timeout(None)?;
    let commands = listen(reader)?;
    let mut told = Instant::now();
    loop {
        match commands.try_recv() {
            Ok((Command::Measure(measurement, wait), _)) if measurement.fault(wait).is_some() => {
                return Err(io::Error::other(measurement.fault(wait).unwrap_or_default()));
            }
            Ok((command, at)) => crew.tell(since(command, at))?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(io::Error::other("the connection was closed")),
        }
        let news = crew.hear(TURN);
        let is_progress = matches!(news, News::Progress(_));
        if is_progress && told.elapsed() < PROGRESS {
            crew.keep(news);
            continue;
        }
        told = Instant::now();
        let is_last = matches!(news, News::Left | News::Failed(_) | News::Refused(_));
        write(stream, &FromWorker::News(news))?;
        if is_last {
            return Ok(());
        }
    }
}

/// The command as it is after it has waited here.
fn since(command: Command, at: Instant) -> Command {
    match command {
        Command::Measure(measurement, wait) => {
            Command::Measure(measurement, wait.saturating_sub(at.elapsed()))
        }
        other => other,
    }
}

/// Commands as they come, with the time; ends with the connection.
fn listen(mut reader: Reader) -> io::Result<Receiver<(Command, Instant)>> {
    let (sender, receiver) = channel();
    thread::Builder::new().spawn(move || {
        while let Ok(Some(command)) = reader.read() {
            if sender.send((command, Instant::now())).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
