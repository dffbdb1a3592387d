//! What proves that names are one's own, kept in a file.

use anyhow::{Context, anyhow};
use chat::{Claims, Keep, fold};
use serde::{Deserialize, Serialize};
use wire::Token;

use super::folder::Folder;

const FILE: &str = "claims.toml";

/// The file of claims, seen from one relay.
#[derive(Clone, Debug)]
pub struct Keeper {
    folder: Folder,
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
    /// The claims for this relay, known by how it was given.
    pub fn new(folder: Folder, relay: &str) -> Self {
        Self { folder, relay: relay.to_lowercase() }
    }

    /// The claims for this relay; none if there is no file yet.
    ///
    /// # Errors
    /// The file cannot be read, or is none of claims.
    pub fn load(&self) -> anyhow::Result<Claims> {
        let ours = self.read()?.names.into_iter().filter(|entry| entry.relay == self.relay);
        ours.map(|entry| {
            let claim = self.claim_of(&entry)?;
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

    /// Changes the file, beside what others change in it; it stays as it is if there is nothing to change.
    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Vec<Entry>) -> (bool, T)) -> anyhow::Result<T> {
        let done = || format!("cannot keep the claim of {name} in {}", self.folder.path(FILE).display());
        let _lock = self.folder.lock("claims.lock").with_context(done)?;
        let mut book = self.read()?;
        let (changed, answer) = change(&mut book.names);
        if changed {
            let text = toml::to_string(&book).with_context(done)?;
            self.folder.replace(FILE, text.as_bytes()).with_context(done)?;
        }
        Ok(answer)
    }

    fn is_of(&self, entry: &Entry, name: &str) -> bool {
        entry.relay == self.relay && fold(&entry.name) == fold(name)
    }

    fn entry(&self, name: &str, claim: Token) -> Entry {
        Entry { relay: self.relay.clone(), name: name.to_owned(), claim: claim.to_string() }
    }

    fn claim_of(&self, entry: &Entry) -> anyhow::Result<Token> {
        let claim = Token::parse(entry.claim.as_bytes());
        claim.ok_or_else(|| self.broken(&format!("the claim of {} is none", entry.name)))
    }

    fn read(&self) -> anyhow::Result<Book> {
        let text = self.folder.read(FILE);
        let text = text.with_context(|| format!("cannot read {}", self.folder.path(FILE).display()))?;
        toml::from_slice(&text).map_err(|error| self.broken(error.message()))
    }

    fn broken(&self, why: &str) -> anyhow::Error {
        let path = self.folder.path(FILE);
        let path = path.display();
        anyhow!(
            "{path} cannot be understood: {why}. Mend it, or move it away: with it the proof that names are yours is gone"
        )
    }
}

impl Keep for Keeper {
    fn note(&self, name: &str, claim: Token) -> anyhow::Result<Token> {
        self.change(name, |names| match names.iter().find(|entry| self.is_of(entry, name)) {
            Some(known) => (false, self.claim_of(known)),
            None => {
                names.push(self.entry(name, claim));
                (true, Ok(claim))
            }
        })?
    }

    fn keep(&self, name: &str, claim: Token) -> anyhow::Result<()> {
        self.change(name, |names| {
            let entry = self.entry(name, claim);
            match names.iter_mut().find(|other| self.is_of(other, name)) {
                Some(known) if known.claim == entry.claim && known.name == entry.name => return (false, ()),
                Some(known) => *known = entry,
                None => names.push(entry),
            }
            (true, ())
        })
    }

    fn forget(&self, name: &str, claim: Token) -> anyhow::Result<()> {
        self.change(name, |names| {
            let (before, claim) = (names.len(), claim.to_string());
            names.retain(|entry| !(self.is_of(entry, name) && entry.claim == claim));
            (names.len() < before, ())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_claim_is_kept_for_one_relay_and_name_and_for_nobody_else_to_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(home.path().join("deep"));
        let (here, there) =
            (Keeper::new(folder.clone(), "Relay:5000"), Keeper::new(folder.clone(), "other:5000"));
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
        for (path, mode) in [(folder.path(FILE), 0o600), (home.path().join("deep"), 0o700)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn what_is_known_is_not_overwritten_by_what_is_noted_and_only_that_is_taken_out() {
        let home = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(Folder::at(home.path().to_owned()), "relay:5000");
        assert_eq!(keeper.note("Anna", Token::of(1)).unwrap(), Token::of(1));
        assert_eq!(keeper.note("anna", Token::of(2)).unwrap(), Token::of(1));
        keeper.forget("anna", Token::of(2)).unwrap();
        assert_eq!(keeper.load().unwrap(), [("anna".into(), Token::of(1))].into());
        keeper.forget("anna", Token::of(1)).unwrap();
        assert_eq!(keeper.load().unwrap(), Claims::new());
    }

    #[test]
    fn a_broken_file_is_told_and_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        let keeper = Keeper::new(Folder::at(home.path().to_owned()), "relay:5000");
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
        let home = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(Folder::at(home.path().to_owned()), "relay:5000");
        std::thread::scope(|scope| {
            for number in 0..8u8 {
                let keeper = &keeper;
                scope.spawn(move || keeper.keep(&format!("n{number}"), Token::of(number.into())).unwrap());
            }
        });
        assert_eq!(keeper.load().unwrap().len(), 8);
    }
}
