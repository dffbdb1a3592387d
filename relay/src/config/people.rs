//! Options about people: where their names and mail are kept, how much of it, and where they meet.

use std::path::PathBuf;

use store::limits::MOST_MAILS_PER_NAME;
use wire::GroupId;

use super::parse;
use super::problem::Complaint;
use super::size;

/// Where names and mail are kept (`--data-dir`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataDir {
    /// In the state directory of the service or of the user, or in memory if another relay is there or it may not be made; the default.
    #[default]
    Usual,
    /// In memory.
    None,
    /// There.
    At(PathBuf),
}

pub(super) fn data_dir(text: &str) -> Result<DataDir, Complaint> {
    Ok(match text {
        "" => DataDir::Usual,
        _ if text.eq_ignore_ascii_case("none") => DataDir::None,
        path => DataDir::At(path.into()),
    })
}

pub(super) fn show_data_dir(place: &DataDir) -> String {
    match place {
        DataDir::Usual => String::new(),
        DataDir::None => "none".to_owned(),
        DataDir::At(path) => path.display().to_string(),
    }
}

pub(super) fn lobby(text: &str) -> Result<Option<GroupId>, Complaint> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let wrong = || Complaint::new(text, "is neither a group id (1 to 32 of A-Z, 0-9, _ and -) nor \"none\"");
    GroupId::parse(text.as_bytes()).map(Some).map_err(|_| wrong())
}

pub(super) fn show_lobby(lobby: &Option<GroupId>) -> String {
    lobby.as_ref().map_or("none", GroupId::as_str).to_owned()
}

pub(super) fn mails(text: &str) -> Result<u32, Complaint> {
    parse::number(text, 1, MOST_MAILS_PER_NAME.into())
}

pub(super) fn names(text: &str) -> Result<u32, Complaint> {
    parse::number(text, 1, 100_000_000)
}

pub(super) fn bytes(text: &str) -> Result<u64, Complaint> {
    size::rate(text)
}
