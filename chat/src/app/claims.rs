//! What proves that names are one's own, kept in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use chat::{Claims, fold};
use serde::{Deserialize, Serialize};
use wire::Token;

/// The file of claims, seen from one relay.
#[derive(Clone, Debug)]
pub struct Keeper {
    path: PathBuf,
    relay: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Book {
    #[serde(default, rename = "name")]
    names: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    relay: String,
    name: String,
    claim: String,
}

impl Keeper {
    /// The user's file; the relay is known by how it was given.
    ///
    /// # Errors
    /// The user has no home.
    pub fn of_user(relay: &str) -> anyhow::Result<Self> {
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
        let state =
            state.ok_or_else(|| anyhow!("set HOME or XDG_STATE_HOME: claims of names are kept there"))?;
        Ok(Self::at(state.join("relay-chat/claims.toml"), relay))
    }

    fn at(path: PathBuf, relay: &str) -> Self {
        Self { path, relay: relay.to_lowercase() }
    }

    /// The claims for this relay; none if there is no file yet.
    ///
    /// # Errors
    /// The file cannot be read, or is none of claims.
    pub fn load(&self) -> anyhow::Result<Claims> {
        let ours = self.read()?.names.into_iter().filter(|entry| entry.relay == self.relay);
        ours.map(|entry| {
            let claim = Token::parse(entry.claim.as_bytes());
            let claim = claim.ok_or_else(|| self.broken(&format!("the claim of {} is none", entry.name)))?;
            Ok((fold(&entry.name), claim))
        })
        .collect()
    }

    /// The names at this relay, as they were registered.
    ///
    /// # Errors
    /// As [`Keeper::load`].
    pub fn names(&self) -> anyhow::Result<Vec<String>> {
        let ours = self.read()?.names.into_iter().filter(|entry| entry.relay == self.relay);
        Ok(ours.map(|entry| entry.name).collect())
    }

    /// Keeps a claim, beside those that others have kept meanwhile.
    ///
    /// # Errors
    /// The file cannot be written, or is none of claims: then it stays as it is.
    pub fn keep(&self, name: &str, claim: Token) -> anyhow::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let done = || format!("cannot keep the claim of {name} in {}", self.path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(done)?;
        let lock = private().open(folder.join("claims.lock")).with_context(done)?;
        lock.lock().with_context(done)?;
        let mut book = self.read()?;
        let entry = Entry { relay: self.relay.clone(), name: name.to_owned(), claim: claim.to_string() };
        let same = |other: &&mut Entry| other.relay == entry.relay && fold(&other.name) == fold(&entry.name);
        match book.names.iter_mut().find(same) {
            Some(known) if known.claim == entry.claim && known.name == entry.name => return Ok(()),
            Some(known) => *known = entry,
            None => book.names.push(entry),
        }
        self.write(&toml::to_string(&book).with_context(done)?).with_context(done)
    }

    fn read(&self) -> anyhow::Result<Book> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            text => text.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        toml::from_str(&text).map_err(|error| self.broken(error.message()))
    }

    fn broken(&self, why: &str) -> anyhow::Error {
        let path = self.path.display();
        anyhow!(
            "{path} cannot be understood: {why}. Mend it, or move it away: with it the proof that names are yours is gone"
        )
    }

    /// All of it or nothing, whatever happens meanwhile.
    fn write(&self, text: &str) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = private().truncate(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// For its owner's eyes only.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.create(true).write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_claim_is_kept_for_one_relay_and_name_and_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/claims.toml");
        let (here, there) = (Keeper::at(path.clone(), "Relay:5000"), Keeper::at(path.clone(), "other:5000"));
        assert_eq!(here.load().unwrap(), Claims::new());
        here.keep("Anna", Token::of(1)).unwrap();
        there.keep("Anna", Token::of(2)).unwrap();
        here.keep("bob", Token::of(3)).unwrap();
        here.keep("anna", Token::of(4)).unwrap();
        assert_eq!(
            here.load().unwrap(),
            [("anna".into(), Token::of(4)), ("bob".into(), Token::of(3))].into()
        );
        assert_eq!(there.load().unwrap(), [("anna".into(), Token::of(2))].into());
        assert_eq!(here.names().unwrap(), ["anna", "bob"]);
        for (path, mode) in [(path.as_path(), 0o600), (path.parent().unwrap(), 0o700)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_broken_file_is_told_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claims.toml");
        let keeper = Keeper::at(path.clone(), "relay:5000");
        for broken in
            ["not toml", "[[name]]\nrelay = \"relay:5000\"\n", "[[name]]\nrelay = 1\n", "other = 1\n"]
        {
            fs::write(&path, broken).unwrap();
            for error in [keeper.load().unwrap_err(), keeper.keep("anna", Token::of(1)).unwrap_err()] {
                let words = format!("{error:#}");
                assert!(
                    words.contains("claims.toml cannot be understood") && words.contains("move it away"),
                    "{words}"
                );
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        }
        fs::write(&path, "[[name]]\nrelay = \"relay:5000\"\nname = \"a\"\nclaim = \"x\"\n").unwrap();
        assert!(keeper.load().unwrap_err().to_string().contains("the claim of a"));
    }

    #[test]
    fn many_who_keep_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::at(folder.path().join("claims.toml"), "relay:5000");
        std::thread::scope(|scope| {
            for number in 0..8u8 {
                let keeper = &keeper;
                scope.spawn(move || keeper.keep(&format!("n{number}"), Token::of(number.into())).unwrap());
            }
        });
        assert_eq!(keeper.load().unwrap().len(), 8);
    }
}
