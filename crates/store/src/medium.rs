//! Where the database's bytes lie: a file, or memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
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
    Box::new(move || {
        // What could not be written stays in the kernel's cache as if it had been. Only what is read from the disk counts.
        let _lost = file.sync_data();
        posix_fadvise(&*file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        Ok(Medium::new(OnFile(Arc::clone(&file))))
    })
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
struct OnFile(Arc<File>);

impl StorageBackend for OnFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
