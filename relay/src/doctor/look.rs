//! Reading what the kernel tells, or why it does not.

use std::fs;
use std::io::{self, ErrorKind};
use std::str::FromStr;

/// Why something could not be looked at; the text says what was tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unseen(pub String);

/// What could be seen, or why not.
pub type Seen<T> = Result<T, Unseen>;

/// The text of a small file of the kernel, without blanks around it.
pub fn text(path: &str) -> Seen<String> {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|error| unseen(path, &error))
}

/// A number alone in a file.
pub fn number(path: &str) -> Seen<u64> {
    parse(path, &text(path)?)
}

/// A number, found at a place.
pub fn parse<T: FromStr>(place: &str, text: &str) -> Seen<T> {
    text.parse()
        .map_err(|_| Unseen(format!("{place} holds {text:?}, which this version does not understand")))
}

/// Why a place could not be read.
pub fn unseen(place: &str, error: &io::Error) -> Unseen {
    Unseen(match error.kind() {
        ErrorKind::NotFound => format!("{place} is not there: this kernel, or this container, has none"),
        ErrorKind::PermissionDenied => format!("this user may not read {place}; run it as root to know"),
        _ => format!("cannot read {place}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(text("/proc/version").unwrap().starts_with("Linux"));
        assert!(number("/proc/version").unwrap_err().to_string().contains("does not understand"));
        assert!(text("/proc/no-such-file").unwrap_err().to_string().contains("is not there"));
        let denied = unseen("/x", &ErrorKind::PermissionDenied.into());
        assert_eq!(denied.to_string(), "this user may not read /x; run it as root to know");
        assert!(text("/proc").unwrap_err().to_string().starts_with("cannot read /proc: "));
    }
}
