//! Where the database's bytes lie: a file, or memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use redb::StorageBackend;

/// Opens the same bytes again and again. The file stays open, so that a confined thread needs no path.
pub type Source = Box<dyn Fn() -> io::Result<Medium> + Send>;

/// Bytes that a database is kept in. Nobody else has them: the directory is locked.
#[derive(Debug)]
pub struct Medium(Box<dyn StorageBackend>);

impl Medium {
    pub fn new(backend: impl StorageBackend) -> Self {
        Self(Box::new(backend))
    }
}

/// A source of this file, which has a database in it, or is damaged.
pub fn of_file(file: File) -> Source {
    let source = of_new_file(file);
    Box::new(move || {
        let medium = source()?;
        // A database would be made in it, and all names were free.
        if medium.len()? == 0 {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"))
        } else {
            Ok(medium)
        }
    })
}

/// A source of a file that may become a database.
pub fn of_new_file(file: File) -> Source {
    let file = Arc::new(file);
    // There may be file systems that count no names.
    let has_name = has_name(&file).unwrap_or(false);
    Box::new(move || {
        // What could not be written stays in the kernel's cache as if it had been. Only what is read from the disk counts.
        let _lost = file.sync_data();
        posix_fadvise(&*file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        Ok(Medium::new(OnFile { file: Arc::clone(&file), has_name }))
    })
}

fn has_name(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() > 0)
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

#[derive(Debug)]
struct OnFile {
    file: Arc<File>,
    /// It had one when it was opened.
    has_name: bool,
}

impl StorageBackend for OnFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        // Nobody is kept from removing an open file, or putting another in its place: what is written there ends with the process.
        if self.has_name && !has_name(&self.file)? {
            return Err(io::ErrorKind::StaleNetworkFileHandle.into());
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
