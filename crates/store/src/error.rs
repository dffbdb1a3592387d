//! What can go wrong with the place where things are kept, and what to do then.

use std::io;
use std::path::PathBuf;

use crate::disk::KNOWN_FORMAT;

/// What is wrong with a place, with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has locked the directory.
    #[error("{}: another relay uses this data directory; stop it, or give each relay its own", .0.display())]
    Taken(PathBuf),
    /// It cannot be made, or not be written.
    #[error(
        "{}: this data directory cannot be used ({error}); let the relay's user write there, or choose another directory",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The disk, or a quota, is full.
    #[error("{}: no space is left on the disk; free some, or choose a data directory on another disk", .0.display())]
    NoSpace(PathBuf),
    /// What is in the file is not what was written.
    #[error(
        "{} is damaged ({why}); put a copy of it back, or move it away to begin anew, without names and mail",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database says.
        why: String,
    },
    /// The file that is written has no name any more.
    #[error(
        "{} was removed or replaced while the relay uses it; put a copy of it there, or nothing to begin anew, and restart the relay",
        .0.display()
    )]
    Removed(PathBuf),
    /// A version that keeps things otherwise has written it.
    #[error(
        "{} was written by another version (its format is {format}, and not {}); use that version, or move the file away \
         to begin anew, without names and mail",
        path.display(), KNOWN_FORMAT
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        format: u64,
    },
    /// Something else failed.
    #[error("{}: the disk failed ({error}); see what the system's log (dmesg) says of it", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The system grants no thread.
    #[error(
        "no thread for the store can be started ({0}); raise the limit of processes (ulimit -u, TasksMax)"
    )]
    Thread(#[source] io::Error),
}

impl Error {
    /// What the database says about that file.
    pub(crate) fn of(path: PathBuf, error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Io(error) => Self::of_io(path, error),
            redb::Error::PreviousIo => Self::Disk { path, error: io::Error::other("an earlier error") },
            other => Self::Damaged { path, why: other.to_string() },
        }
    }

    pub(crate) fn of_io(path: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace(path),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged { path, why: error.to_string() }
            }
            io::ErrorKind::StaleNetworkFileHandle => Self::Removed(path),
            _ => Self::Disk { path, error },
        }
    }
}
