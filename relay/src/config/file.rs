//! The configuration file: TOML, each key with its line.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use nix::libc::{EISDIR, O_NONBLOCK};
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};
use wire::GroupId;

use super::groups::{self, Declared};
use super::options::{self, Form, OPTIONS, Spec};
use super::place::{Given, Layer, Place};
use super::problem::{Problem, key_text};
use super::{MAX_FILE, spelling};

/// What a file says, values not yet parsed.
#[derive(Default)]
pub(super) struct File {
    pub layer: Layer,
    pub groups: Vec<Declared>,
}

/// When the configuration is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// Before anything serves: whatever can be read may be named, and waited for.
    Start,
    /// Meanwhile clients are served, and what was read once may have nothing more to say.
    Reload,
}

/// Reads and parses the file that `place` names.
pub(super) fn read(place: &Place, path: &Path, time: Time) -> Result<File, Problem> {
    let bytes = bytes(path, time).map_err(|error| Problem::Unreadable {
        place: place.clone(),
        path: path.into(),
        error,
    })?;
    parse(path, &bytes)
}

fn bytes(path: &Path, time: Time) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = match time {
        Time::Start => fs::File::open(path)?,
        Time::Reload => open_again(path)?,
    };
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is longer than 8 MiB, the longest configuration file"));
    }
    Ok(bytes)
}

/// Opens a file that can be read anew and waits for nobody. A pipe would be empty by now, which is no configuration.
pub(super) fn open_again(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::from_raw_os_error(EISDIR));
    }
    let other = || io::Error::other("it is no regular file, which alone can be read anew at a reload");
    kind.is_file().then_some(file).ok_or_else(other)
}

/// Parses a file's content; `path` is for the errors.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<File, Problem> {
    let lines = Lines::new(path, bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        lines.problem(error.valid_up_to(), "is not UTF-8; save the file in that encoding")
    })?;
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        lines.problem(start, format!("is not TOML: {}", error.message().replace('\n', ", ")))
    })?;
    let mut file = File::default();
    for (key, value) in sorted(table.get_ref()) {
        let offset = key.span().start;
        match (options::find(key.get_ref()), key.get_ref().as_ref()) {
            (None, "groups") => file.groups = groups::read(&lines, offset, value.get_ref())?,
            (Some(spec), _) if spec.in_file() => {
                let given = Given {
                    text: text_of(&lines, offset, spec, value.get_ref())?,
                    place: lines.place(offset, spec.name),
                };
                if let Some(Given { place: Place::File { line, .. }, .. }) =
                    file.layer.insert(spec.name, given)
                {
                    return Err(
                        lines.problem(offset, format!("{}: is given in line {line} already", key.get_ref()))
                    );
                }
            }
            (Some(spec), _) => {
                let message = format!(
                    "{}: cannot stand in the file; use --{} or {}",
                    spec.name,
                    spec.name,
                    spec.variable()
                );
                return Err(lines.problem(offset, message));
            }
            (None, unknown) => return Err(lines.unknown(offset, unknown)),
        }
    }
    Ok(file)
}

fn text_of(lines: &Lines, offset: usize, spec: &Spec, value: &DeValue) -> Result<String, Problem> {
    let wrong = |is| lines.problem(offset, format!("{}: is {is}, where one value is expected", spec.name));
    match value {
        DeValue::Array(items) if spec.form == Form::Many => {
            let texts: Result<Vec<_>, _> =
                items.iter().map(|item| scalar(item.get_ref()).map_err(wrong)).collect();
            Ok(texts?.join(","))
        }
        value => scalar(value).map_err(wrong),
    }
}

/// The text of a single value, for the option's parser; or what the value is instead.
pub(super) fn scalar(value: &DeValue) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(decimal(number)),
        DeValue::Float(number) => Ok(number.as_str().trim_start_matches('+').to_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Array(_) => Err("an array"),
        DeValue::Table(_) => Err("a table"),
    }
}

fn decimal(number: &DeInteger) -> String {
    let value = i128::from_str_radix(number.as_str(), number.radix());
    value.map_or_else(|_| number.to_string(), |value| value.to_string())
}

/// A key and its value.
type Entry<'a, 'i> = (&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>);

/// A table's entries in the order of the file.
pub(super) fn sorted<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Finds the lines of offsets.
pub(super) struct Lines {
    path: Arc<str>,
    ends: Vec<usize>,
}

impl Lines {
    fn new(path: &Path, bytes: &[u8]) -> Self {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(offset, _)| offset);
        Self { path: path.display().to_string().into(), ends: ends.collect() }
    }

    /// From 1.
    pub fn line(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }

    pub fn place(&self, offset: usize, key: impl Into<String>) -> Place {
        Place::File { path: self.path.clone(), line: self.line(offset), key: key.into() }
    }

    pub fn problem(&self, offset: usize, message: impl Into<String>) -> Problem {
        Problem::File { path: self.path.clone(), line: self.line(offset), message: message.into() }
    }

    /// A key of the file that no option is called.
    fn unknown(&self, offset: usize, key: &str) -> Problem {
        let known = OPTIONS.iter().filter(|spec| spec.in_file()).map(|spec| spec.name).chain(["groups"]);
        let hint = match spelling::nearest(key, known) {
            Some(name) => format!("did you mean {name}?"),
            None => "see --help for the keys".to_owned(),
        };
        self.problem(offset, format!("{}: unknown key; {hint}", key_text(key)))
    }

    /// A key that a group does not have.
    pub fn unknown_in_group(&self, offset: usize, id: GroupId, key: &str) -> Problem {
        let hint = match options::find(key) {
            Some(spec) => format!("put {} above the first [groups...] line", spec.name),
            None => "a group has cap and coalesce and nothing else".to_owned(),
        };
        self.problem(offset, format!("groups.{id}.{}: unknown key; {hint}", key_text(key)))
    }
}
