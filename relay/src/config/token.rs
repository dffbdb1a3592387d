//! The secret that opens the list of receivers, which is never shown.

use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;

use super::file::open_again;
use super::load::Merged;
use super::problem::{Complaint, Problem};
use super::{MAX_TOKEN, MIN_TOKEN};

/// A secret text. Neither `Debug` nor anything else here shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// True if this text is the secret. How long it takes tells its length at most.
    pub fn is(&self, text: &[u8]) -> bool {
        let differing = self.0.bytes().zip(text).fold(0, |sum, (own, other)| sum | (own ^ other));
        std::hint::black_box(differing) == 0 && self.0.len() == text.len()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

/// Reads a token; empty is none. A complaint does not quote it.
pub(super) fn parse(text: &str) -> Result<Option<Token>, Complaint> {
    let text = text.trim();
    match fault(text) {
        None => Ok((!text.is_empty()).then(|| Token(text.to_owned()))),
        Some(fault) => Err(Complaint::of_secret(fault)),
    }
}

/// What can be shown of it.
pub(super) fn show(token: &Option<Token>) -> String {
    token.as_ref().map(|_| "(set, not shown)".to_owned()).unwrap_or_default()
}

fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let is_long_enough = (MIN_TOKEN..=MAX_TOKEN).contains(&text.len());
    let fault = format!(
        "needs {MIN_TOKEN} to {MAX_TOKEN} visible ASCII characters, for instance of `openssl rand -hex 16`"
    );
    (!is_long_enough || text.bytes().any(|byte| !byte.is_ascii_graphic())).then_some(fault)
}

/// The token in force: the one that is given, or that of the file that is named.
pub(super) fn resolve(merged: &Merged) -> Result<Option<Token>, Problem> {
    let place = merged.place("status-token-file");
    let Some(path) = &merged.args.status_token_file else { return Ok(merged.args.status_token.clone()) };
    if merged.args.status_token.is_some() {
        let message = format!("{} says it too; keep one of them", merged.place("status-token"));
        return Err(Problem::Conflict { place, message });
    }
    let text = read(path).map_err(|error| Problem::Unreadable {
        place: place.clone(),
        path: path.clone(),
        error,
    })?;
    match parse(&text) {
        Ok(Some(token)) => Ok(Some(token)),
        Ok(None) => Err(Problem::Conflict { place, message: format!("{} is empty", path.display()) }),
        Err(complaint) => Err(Problem::Value { place, complaint }),
    }
}

fn read(path: &Path) -> io::Result<String> {
    // The same at the start: this is no file that somebody makes on the way.
    let file = open_again(path)?;
    let mut text = String::new();
    // White space around it is none of it; a longer file is refused for its length.
    file.take(2 * MAX_TOKEN as u64).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_compared_and_never_shown() {
        let token = parse(" 0123456789abcdef\n").unwrap().unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [&b""[..], b"0", b"0123456789abcdee", b"0123456789abcdef0", b"1123456789abcdef"] {
            assert!(!token.is(other));
        }
        assert_eq!(format!("{token:?}"), "Token(not shown)");
        assert_eq!((show(&Some(token)).as_str(), show(&None).as_str()), ("(set, not shown)", ""));
        for wrong in ["hunter2", "0123456789 abcdef", "0123456789abcdé f", &"x".repeat(MAX_TOKEN + 1)] {
            let complaint = parse(wrong).unwrap_err().to_string();
            assert!(!complaint.contains(wrong) && complaint.contains("visible ASCII"), "{complaint}");
        }
        assert_eq!(parse(""), Ok(None));
    }
}
