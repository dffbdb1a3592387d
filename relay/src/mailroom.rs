//! Where names and mail are kept: the store's thread, what it is asked, and how its answers reach the shards.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use engine::Everybody;
use net::Waker;
use people::{Desk, Signals};
use store::{Bounds, Busy, Done, Event, Place, Request, Store};

use crate::config::DataDir;

/// The store, as long as the relay serves. A clone is the same one.
#[derive(Clone)]
pub struct Mailroom {
    store: Arc<Mutex<Option<Store>>>,
    drawer: Arc<Drawer>,
}

/// Answers that no shard has fetched.
struct Drawer {
    answers: Mutex<Vec<Done>>,
    signals: Arc<Signals>,
    /// Of all shards: the one that wakes first fetches them, and the others may have somebody who comes into the lobby.
    wakers: OnceLock<Vec<Waker>>,
}

/// What the shards hold of it.
struct Hand(Mailroom);

impl Mailroom {
    /// Closed, until it is started.
    pub fn new() -> Self {
        let (answers, signals, wakers) = (Mutex::default(), Arc::default(), OnceLock::new());
        Self { store: Arc::default(), drawer: Arc::new(Drawer { answers, signals, wakers }) }
    }

    /// Starts the store's thread, whose answers wake these. The directory is opened when somebody first claims a name. `begin` is called
    /// on that thread first of all.
    ///
    /// # Errors
    /// If the system grants no thread.
    pub fn start(
        &self,
        place: &Where,
        bounds: Bounds,
        wakers: Vec<Waker>,
        begin: impl FnOnce() + Send + 'static,
    ) -> Result<(), store::Error> {
        // Nobody asks before.
        let _ = self.drawer.wakers.set(wakers);
        let drawer = Arc::clone(&self.drawer);
        let done = move |batch| drawer.put(batch);
        let (place, told) = ((place.place(), !place.is_asked), |event: Event<'_>| report(&event));
        *lock(&self.store) = Some(Store::defer(place, bounds, begin, told, done)?);
        Ok(())
    }

    /// The people who have this one.
    pub fn people(&self) -> Everybody {
        Everybody::new(Box::new(Hand(self.clone())), Arc::clone(&self.drawer.signals))
    }

    /// Looks at the store, unless it is closed.
    pub fn look<R>(&self, look: impl FnOnce(&Store) -> R) -> Option<R> {
        lock(&self.store).as_ref().map(look)
    }

    /// Answers what waits, and closes the file. Nothing is kept any more.
    pub fn close(&self) {
        let store = lock(&self.store).take();
        drop(store);
    }
}

impl Drawer {
    fn put(&self, batch: Vec<Done>) {
        lock(&self.answers).extend(batch);
        self.signals.answer();
        self.wakers.get().into_iter().flatten().for_each(Waker::wake);
    }
}

impl Desk for Hand {
    fn ask(&mut self, tag: u64, request: Request) -> Result<(), Busy> {
        lock(&self.0.store).as_ref().ok_or(Busy)?.ask(tag, request)
    }

    fn answers(&mut self) -> Vec<Done> {
        std::mem::take(&mut lock(&self.0.drawer.answers))
    }
}

/// Where names and mail are to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    /// None: in memory.
    pub directory: Option<PathBuf>,
    /// Somebody has said so; then nothing else will do.
    pub is_asked: bool,
}

impl Where {
    /// By the option, or where this user's programs, or this service, keep their state.
    pub fn of(option: &DataDir) -> Self {
        let (directory, is_asked) = match option {
            DataDir::Usual => (usual(|name| env::var_os(name).map(PathBuf::from)), false),
            DataDir::None => (None, true),
            DataDir::At(directory) => (Some(directory.clone()), true),
        };
        Self { directory, is_asked }
    }

    /// Makes the directory, which a confined relay could not: it stays empty until somebody claims a name.
    ///
    /// # Errors
    /// If it cannot be made although it was asked for.
    pub fn prepare(&self) -> Result<(), store::Error> {
        let Some(directory) = &self.directory else { return Ok(()) };
        match store::make_directory(directory) {
            Err(error) if self.is_asked => Err(error),
            _ => Ok(()),
        }
    }

    fn place(&self) -> Place {
        self.directory.clone().map_or(Place::Memory, Place::Directory)
    }
}

/// `$STATE_DIRECTORY` is a service manager's, and may be several.
fn usual(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let first = |list: PathBuf| env::split_paths(&list).next();
    let whole = |path: &PathBuf| path.is_absolute();
    let of_service = variable("STATE_DIRECTORY").and_then(first).filter(whole);
    let of_user = || variable("XDG_STATE_HOME").filter(whole);
    let at_home = || variable("HOME").filter(whole).map(|home| home.join(".local/state"));
    of_service.or_else(|| of_user().or_else(at_home).map(|state| state.join("relay")))
}

/// Tells the operator how the place is.
fn report(event: &Event<'_>) {
    match event {
        Event::Open(Place::Directory(directory)) => {
            tracing::info!(directory = %Path::display(directory), "names and mail are kept on disk");
        }
        Event::Open(Place::Memory) => {
            tracing::warn!(
                "names and mail are kept in memory only, and lost when the relay stops; set --data-dir"
            );
        }
        Event::InMemory(error) => {
            tracing::warn!(%error, "names and mail are kept in memory only, and lost when the relay stops");
        }
        Event::Failed(error) => {
            tracing::error!(%error, "names and mail cannot be kept; nobody can register");
        }
        Event::Recovered => tracing::info!("names and mail are kept again"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_place_is_the_services_or_the_users() {
        let place = |variables: &[(&str, &str)]| {
            usual(|name| variables.iter().find(|(other, _)| *other == name).map(|(_, path)| path.into()))
        };
        let all =
            [("STATE_DIRECTORY", "/var/lib/relay:/x"), ("XDG_STATE_HOME", "/state"), ("HOME", "/home/a")];
        assert_eq!(place(&all), Some("/var/lib/relay".into()));
        assert_eq!(place(&all[1..]), Some("/state/relay".into()));
        assert_eq!(place(&all[2..]), Some("/home/a/.local/state/relay".into()));
        assert_eq!(place(&[("HOME", "relative")]), None);
        assert_eq!(place(&[]), None);
    }
}
