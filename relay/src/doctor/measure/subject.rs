//! A relay of one shard in this process, on a loopback port of the kernel's choice.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use engine::{Groups, Settings, Shared};
use procfs::process::{Process, Task};

use crate::clock::Monotonic;
use crate::config::{Backend, Setup};
use crate::crew::{self, CannotStart, Common, Crew};
use crate::doctor::patient::Patient;
use crate::meter::Meter;
use crate::own::own_addresses;

/// A relay of one shard.
pub struct Subject {
    crew: Crew,
    address: SocketAddr,
    shard: Task,
}

impl Subject {
    /// Starts the real shard; the inner error says why this backend cannot be had.
    ///
    /// # Errors
    /// No socket or thread can be had.
    pub fn start(patient: &Patient<'_>, backend: Backend) -> io::Result<Result<Self, String>> {
        let setup = Setup {
            backend,
            pin: patient.cpus.len() > 1,
            settings: Settings::default(),
            groups: Vec::new(),
            ..patient.setup.clone()
        };
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let binding = net::bind(&[here], 1, patient.options()).map_err(|error| error.source)?;
        let clock = Monotonic::start();
        let common = Common {
            setup: Arc::new(setup),
            own: Arc::new(own_addresses(&binding.addresses)),
            home: None,
            shared: Shared::new(Arc::new(Groups::new()), crew::admission(&clock)),
            clock,
            cpus: patient.cpus.clone(),
        };
        // Nobody listens: a shard that fails is seen by its silence.
        let (sender, _) = channel();
        let mut crew = match Crew::start(&common, binding.shards, None, &[Meter::default()], &sender) {
            Ok(crew) => crew,
            Err(CannotStart::Backend(error)) => return Ok(Err(error.to_string())),
            Err(CannotStart::Thread(error)) => return Err(error),
        };
        crew.begin();
        let shard = shard_thread().map_err(io::Error::other)?;
        Ok(Ok(Self { crew, address: binding.addresses[0], shard }))
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Processor time of its shard so far, and how long it waited for a processor.
    ///
    /// # Errors
    /// The kernel does not count.
    pub fn time(&self) -> io::Result<(Duration, Duration)> {
        let stat = self.shard.schedstat().map_err(io::Error::other)?;
        Ok((Duration::from_nanos(stat.sum_exec_runtime), Duration::from_nanos(stat.run_delay)))
    }

    /// Ends it, and gives everything back.
    pub fn stop(self) {
        self.crew.stop();
    }
}

/// The last thread of this name: earlier subjects have ended.
fn shard_thread() -> procfs::ProcResult<Task> {
    let tasks = Process::myself()?.tasks()?.flatten();
    let shards = tasks.filter(|task| task.stat().is_ok_and(|stat| stat.comm == "shard-0"));
    shards.max_by_key(|task| task.tid).ok_or_else(|| "the shard's thread is not to be seen".into())
}
