//! The folder of what is kept from one run to the next, for its owner's eyes only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use anyhow::anyhow;

/// A folder of this program's own.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The user's.
    ///
    /// # Errors
    /// The user has no home.
    pub fn of_user() -> anyhow::Result<Self> {
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
        let state =
            state.ok_or_else(|| anyhow!("set HOME or XDG_STATE_HOME: claims of names are kept there"))?;
        Ok(Self(state.join("relay-chat")))
    }

    #[cfg(test)]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where a file of it is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Waits until no other process has this lock, and has it until the answer is dropped. Makes the folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn lock(&self, name: &str) -> io::Result<File> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let lock = private().write(true).open(self.path(name))?;
        lock.lock()?;
        Ok(lock)
    }

    /// What a file has; nothing if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match fs::read(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    /// Puts this in the place of what a file has: all of it or nothing, whatever happens meanwhile.
    ///
    /// # Errors
    /// It cannot be written: then it stays as it is.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        let new = path.with_extension("new");
        let mut file = private().write(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.0)?.sync_all()
    }

    /// Writes this behind what a file has, and says how long that is then.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&self, name: &str, bytes: &[u8]) -> io::Result<u64> {
        let mut file = private().append(true).open(self.path(name))?;
        file.write_all(bytes)?;
        Ok(file.metadata()?.len())
    }
}

fn private() -> OpenOptions {
    let mut options = File::options();
    options.create(true).mode(0o600);
    options
}
