//! A process that does a part of what another loadgen plans.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::WorkerArgs;
use crate::crew::messages::{FromWorker, Hello, LONGEST_HELLO, PATIENCE, Reader, VERSION, write};
use crate::crew::{Command, Crew, News};
use crate::session::probe;

/// Commands are looked for, and progress is told, in this distance.
const TURN: Duration = Duration::from_millis(20);
const PROGRESS: Duration = Duration::from_millis(100);

/// Why a worker cannot wait for plans.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Anybody could make this machine flood another.
    #[error("--listen {0} can be reached by others, who could send load anywhere with it: give a --token")]
    Open(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
}

/// Waits for plans and does them, one at a time.
///
/// # Errors
/// Why it cannot wait.
pub fn work(args: &WorkerArgs) -> Result<(), WorkerError> {
    if !args.listen.ip().is_loopback() && args.token.is_none() {
        return Err(WorkerError::Open(args.listen));
    }
    let failed = |error| WorkerError::Listen(args.listen, error);
    let listener = TcpListener::bind(args.listen).map_err(failed)?;
    eprintln!("loadgen: a worker waits for plans on {}", listener.local_addr().map_err(failed)?);
    let busy = Arc::new(AtomicBool::new(false));
    loop {
        // A connection that broke before it was taken concerns nobody.
        let Ok((stream, from)) = listener.accept() else { continue };
        let (busy, token) = (Arc::clone(&busy), args.token.clone());
        let visit = move || match serve(stream, token.as_deref(), &busy) {
            Ok(()) => eprintln!("loadgen: the plan of {from} is done"),
            Err(error) => eprintln!("loadgen: the plan of {from}: {error}"),
        };
        if args.once {
            visit();
            return Ok(());
        }
        thread::spawn(visit);
    }
}

/// Does what one connection asks for.
fn serve(mut stream: TcpStream, token: Option<&str>, busy: &AtomicBool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = Reader::new(stream.try_clone()?);
    let Some(hello) = reader.read_up_to::<Hello>(LONGEST_HELLO)? else { return Ok(()) };
    let result = match refusal(&hello, token) {
        Some(reason) => Err(reason),
        None if busy.swap(true, Ordering::AcqRel) => Err("it is busy with another plan".to_owned()),
        None => {
            let result = begin(&hello).map_err(|error| error.to_string());
            let result =
                result.and_then(|crew| follow(&mut stream, reader, crew).map_err(|error| error.to_string()));
            busy.store(false, Ordering::Release);
            result
        }
    };
    if let Err(reason) = result {
        // The other side may be gone, which is then the reason.
        let _ = write(&mut stream, &FromWorker::News(News::Failed(reason.clone())));
        return Err(io::Error::other(reason));
    }
    Ok(())
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
    let given = given.unwrap_or_default();
    let differences = given.bytes().zip(wanted.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    given.len() == wanted.len() && differences == 0
}

fn begin(hello: &Hello) -> anyhow::Result<Crew> {
    probe(hello.plan.target)?;
    Ok(Crew::local(&hello.plan, &hello.share)?)
}

/// Passes commands to the crew and news to the other side, until everybody has left or the connection is gone.
fn follow(stream: &mut TcpStream, reader: Reader, mut crew: Crew) -> io::Result<()> {
    write(stream, &FromWorker::Ready(crew.facts().clone()))?;
    stream.set_read_timeout(None)?;
    let commands = listen(reader);
    let mut told = Instant::now();
    loop {
        match commands.try_recv() {
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
fn listen(mut reader: Reader) -> Receiver<(Command, Instant)> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        while let Ok(Some(command)) = reader.read() {
            if sender.send((command, Instant::now())).is_err() {
                return;
            }
        }
    });
    receiver
}
