//! Places that are opened when somebody first claims a name.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::desk::{claim, put};
use crate::{Answer, Bounds, Done, Opening, Place, Request, Store};

struct Desk {
    store: Store,
    answers: Receiver<Vec<Done>>,
    told: Receiver<String>,
}

fn defer(directory: &Path, or_memory: bool) -> Desk {
    let ((done, answers), (tell, told)) = (channel(), channel());
    let say = move |opening: Opening<'_>| {
        let word = match opening {
            Opening::Open(_) => "open".to_owned(),
            Opening::InMemory(error) => format!("memory: {error}"),
            Opening::Failed(error) => format!("failed: {error}"),
        };
        let _ = tell.send(word);
    };
    let place = (Place::Directory(directory.to_owned()), or_memory);
    let store =
        Store::defer(place, Bounds::default(), || (), say, move |batch| drop(done.send(batch))).unwrap();
    Desk { store, answers, told }
}

impl Desk {
    fn ask(&self, request: Request) -> Answer {
        self.store.ask(1, request).unwrap();
        self.answers.recv_timeout(Duration::from_secs(60)).unwrap().remove(0).answer
    }
}

#[test]
fn a_place_is_left_alone_until_somebody_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("state");
    let desk = defer(&directory, true);
    assert_eq!(desk.ask(Request::Sweep { now: 1 }), Answer::Failed);
    assert!(!directory.exists());
    assert!(matches!(desk.ask(claim("bob", None, "B", 1)), Answer::Claimed { .. }));
    assert!(directory.exists());
    assert_eq!(desk.told.recv().unwrap(), "open");
    assert!(matches!(desk.ask(put("bob", "anna", "1", 1, b"x")), Answer::Stored { .. }));
    drop(desk);
    let desk = defer(&directory, true);
    assert_eq!(desk.ask(claim("bob", None, "C", 1)), Answer::Taken, "it is remembered");
}

#[test]
fn what_another_has_is_kept_in_memory_unless_that_place_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let other = defer(folder.path(), true);
    other.ask(claim("bob", None, "B", 1));
    let desk = defer(folder.path(), true);
    assert!(matches!(desk.ask(claim("bob", None, "B", 1)), Answer::Claimed { .. }));
    let told = desk.told.recv().unwrap();
    assert!(
        told.starts_with("memory: ") && told.contains("another relay uses this data directory"),
        "{told}"
    );
    let desk = defer(folder.path(), false);
    assert_eq!(desk.ask(claim("bob", None, "B", 1)), Answer::Failed);
    assert!(desk.told.recv().unwrap().starts_with("failed: "));
    assert!(desk.store.trouble().unwrap().contains("another relay"));
    drop(other);
    let patience = || std::iter::repeat_with(|| desk.ask(claim("bob", None, "C", 1)));
    assert_eq!(
        patience().find(|answer| *answer != Answer::Failed),
        Some(Answer::Taken),
        "the next try has it"
    );
    assert_eq!(desk.store.trouble(), None);
}
