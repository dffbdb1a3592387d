//! Which messages were shown, kept in a file: the relay brings one again if its acknowledgement was lost, also to the next run.

use std::collections::HashMap;
use std::io;

use chat::fold;
use wire::MessageId;

use super::folder::Folder;

const FILE: &str = "shown";
/// Messages of one name at one relay. A relay has eight without an acknowledgement at most, and of each sender one.
const MAX_OF_ONE: usize = 1024;
/// A file that is longer than this is written anew, half as long at most.
const MAX_LEN: u64 = 512 * 1024;

/// The file of messages, seen from one relay.
#[derive(Clone, Debug)]
pub struct Shown {
    folder: Folder,
    relay: String,
}

impl Shown {
    /// Those of this relay, known by how it was given.
    pub fn new(folder: Folder, relay: &str) -> Self {
        Self { folder, relay: relay.to_lowercase() }
    }

    /// Senders and ids of what was shown to whoever has this name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(&self, name: &str) -> io::Result<Vec<(String, MessageId)>> {
        let (bytes, ours) = (self.folder.read(FILE)?, self.key(name));
        let text = String::from_utf8_lossy(&bytes);
        let known = text.lines().filter_map(read).filter(|(key, ..)| *key == ours);
        let known: Vec<_> = known.map(|(_, from, id)| (from.to_owned(), id)).collect();
        Ok(known[known.len().saturating_sub(MAX_OF_ONE)..].to_vec())
    }

    /// Keeps one more, beside those of others.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, name: &str, from: &str, id: MessageId) -> io::Result<()> {
        let _lock = self.folder.lock("shown.lock")?;
        let line = format!("{}\t{}\t{id}\n", self.key(name), fold(from));
        if self.folder.append(FILE, line.as_bytes())? > MAX_LEN {
            let text = self.folder.read(FILE)?;
            self.folder.replace(FILE, shorten(&String::from_utf8_lossy(&text)).as_bytes())?;
        }
        Ok(())
    }

    fn key(&self, name: &str) -> String {
        format!("{}\t{}", self.relay, fold(name))
    }
}

/// Relay with name, sender and id of a line, if it is whole.
fn read(line: &str) -> Option<(&str, &str, MessageId)> {
    let (rest, id) = line.rsplit_once('\t')?;
    let (key, from) = rest.rsplit_once('\t')?;
    Some((key, from, MessageId::parse(id.as_bytes())?))
}

/// The latest lines, so many of each name.
fn shorten(text: &str) -> String {
    let (mut counts, mut kept, mut len) = (HashMap::<&str, usize>::new(), Vec::new(), 0);
    for line in text.lines().rev() {
        let Some((key, ..)) = read(line) else { continue };
        let count = counts.entry(key).or_default();
        *count += 1;
        if *count > MAX_OF_ONE {
            continue;
        }
        len += line.len() as u64 + 1;
        if len > MAX_LEN / 2 {
            break;
        }
        kept.push(line);
    }
    kept.iter().rev().flat_map(|line| [*line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn id(number: usize) -> MessageId {
        MessageId::parse(number.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_was_shown_is_known_by_relay_name_sender_and_id() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(home.path().join("deep"));
        let (here, there) = (Shown::new(folder.clone(), "Relay:1"), Shown::new(folder.clone(), "other:1"));
        assert_eq!(here.load("anna").unwrap(), []);
        here.keep("Anna", "Bob", id(1)).unwrap();
        here.keep("anna", "eve", id(2)).unwrap();
        here.keep("eve", "bob", id(3)).unwrap();
        there.keep("anna", "bob", id(4)).unwrap();
        assert_eq!(here.load("ANNA").unwrap(), [("bob".into(), id(1)), ("eve".into(), id(2))]);
        assert_eq!(there.load("anna").unwrap(), [("bob".into(), id(4))]);
        let mode = std::fs::metadata(folder.path(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_line_of_ours_is_passed_by() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(home.path().to_owned());
        let shown = Shown::new(folder.clone(), "relay:1");
        folder
            .append(FILE, b"\n\xff\nrelay:1\tanna\nrelay:1\tanna\tbob\t\nrelay:1\tanna\tbob\t7\nrelay:1\tan")
            .unwrap();
        assert_eq!(shown.load("anna").unwrap(), [("bob".into(), id(7))]);
    }

    #[test]
    fn the_file_is_bounded_and_the_latest_of_each_name_stay() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(home.path().to_owned());
        let shown = Shown::new(folder.clone(), "relay:1");
        shown.keep("rare", "bob", id(0)).unwrap();
        let lines: String = (0..50_000).map(|number| format!("relay:1\tanna\tbob\t{number}\n")).collect();
        assert!(lines.len() as u64 > MAX_LEN);
        folder.append(FILE, lines.as_bytes()).unwrap();
        shown.keep("anna", "bob", id(50_000)).unwrap();
        let known = shown.load("anna").unwrap();
        assert_eq!((known.len(), known.last()), (MAX_OF_ONE, Some(&("bob".into(), id(50_000)))));
        assert_eq!(shown.load("rare").unwrap().len(), 1);
        assert!(folder.read(FILE).unwrap().len() < 100_000);
        let names: String = (0..50_000).map(|number| format!("relay:1\tn{number}\tbob\t1\n")).collect();
        folder.append(FILE, names.as_bytes()).unwrap();
        shown.keep("anna", "bob", id(50_001)).unwrap();
        assert!(folder.read(FILE).unwrap().len() as u64 <= MAX_LEN / 2);
        assert_eq!(shown.load("anna").unwrap().last(), Some(&("bob".into(), id(50_001))));
    }

    #[test]
    fn many_who_keep_at_once_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let shown = Shown::new(Folder::at(home.path().to_owned()), "relay:1");
        let lines: String = (0..25_000).map(|number| format!("relay:1\teve\tbob\t{number:05}\n")).collect();
        shown.keep("anna", "bob", id(0)).unwrap();
        // Soon somebody has to write it anew.
        shown.folder.append(FILE, &lines.as_bytes()[..(MAX_LEN - 500) as usize / 22 * 22]).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let shown = &shown;
                scope.spawn(move || {
                    (0..50).for_each(|number| shown.keep("anna", "eve", id(thread * 50 + number)).unwrap());
                });
            }
        });
        assert_eq!(shown.load("anna").unwrap().len(), 401);
        assert!(shown.folder.read(FILE).unwrap().len() < 100_000, "it was written anew");
    }
}
