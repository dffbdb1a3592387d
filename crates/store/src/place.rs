//! The place where a store keeps what it has, made ready and locked.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;

use crate::disk;
use crate::error::Error;
use crate::medium::{self, Medium, Source};

/// The file that holds everything.
const FILE: &str = "store.redb";

/// What will be that file when it is a database: a loss of power must not leave half of one under its name.
const NEW: &str = "store.redb.new";

/// Locked while a store uses the directory.
const LOCK: &str = "lock";

/// Where things are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a directory, which is made (for its owner only) if it does not exist.
    Directory(PathBuf),
    /// Nowhere: all is lost with the process.
    Memory,
}

/// A place that nobody else uses.
pub struct Ready {
    pub path: PathBuf,
    pub source: Source,
    /// Locks the directory as long as it is open.
    pub lock: Option<File>,
}

impl Place {
    pub(crate) fn prepare(&self) -> Result<Ready, Error> {
        match self {
            Place::Directory(directory) => prepare(directory),
            Place::Memory => Ok(in_memory()),
        }
    }

    /// True if nothing that was kept is lost where that error is taken for an answer: another relay has the place, or there is no
    /// directory, and the system does not let us make one.
    pub(crate) fn is_not_ours(&self, error: &Error) -> bool {
        match (self, error) {
            (_, Error::Taken(_)) => true,
            (Place::Directory(directory), Error::Directory { error, .. }) => {
                is_forbidden(error) && is_missing(directory)
            }
            _ => false,
        }
    }
}

/// No other error says that there never will be a directory: a disk may be mended, or not yet be mounted.
fn is_forbidden(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotADirectory | PermissionDenied | ReadOnlyFilesystem)
}

/// False also where nobody can tell.
fn is_missing(directory: &Path) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    fs::symlink_metadata(directory).is_err_and(|error| matches!(error.kind(), NotADirectory | NotFound))
}

fn in_memory() -> Ready {
    let source = Box::new(|| Ok(Medium::new(InMemoryBackend::new())));
    Ready { path: PathBuf::from("memory"), source, lock: None }
}

/// Makes a directory for its owner only, if it does not exist.
///
/// # Errors
/// If it cannot be made.
pub fn make_directory(directory: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| failed(directory, error))
}

/// What is wrong with a directory.
fn failed(directory: &Path, error: io::Error) -> Error {
    match Error::of_io(directory.to_owned(), error) {
        Error::Disk { path, error } => Error::Directory { path, error },
        other => other,
    }
}

fn prepare(directory: &Path) -> Result<Ready, Error> {
    let failed = |error| failed(directory, error);
    make_directory(directory)?;
    let lock = open(&directory.join(LOCK)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Taken(directory.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let path = directory.join(FILE);
    if !path.try_exists().map_err(failed)? {
        create(directory, &path)?;
    }
    let file = open(&path).map_err(failed)?;
    Ok(Ready { path, source: medium::of_file(file), lock: Some(lock) })
}

fn create(directory: &Path, path: &Path) -> Result<(), Error> {
    let failed = |error| Error::of_io(path.to_owned(), error);
    let new = directory.join(NEW);
    let file = open(&new).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    drop(disk::open(&medium::of_new_file(file), &new)?);
    fs::rename(&new, path).map_err(failed)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}
