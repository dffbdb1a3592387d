//! The groups that the file declares: `[groups.LOBBY-1]` with an optional `cap`.

use std::collections::BTreeMap;

use engine::Cap;
use toml::de::{DeTable, DeValue};
use wire::GroupId;

use super::file::{Lines, scalar, sorted};
use super::parse;
use super::place::Place;
use super::problem::{Problem, key_text};

/// A group of the file.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub id: GroupId,
    /// `None`: it has none.
    pub cap: Option<Cap>,
    pub place: Place,
}

/// Reads the table `groups`; the result is in the order of the ids.
pub(super) fn read(lines: &Lines, offset: usize, value: &DeValue) -> Result<Vec<Declared>, Problem> {
    let DeValue::Table(table) = value else {
        return Err(lines.problem(offset, "groups: is no table; write [groups.LOBBY-1] and so on"));
    };
    let mut groups: BTreeMap<GroupId, Declared> = BTreeMap::new();
    for (key, value) in sorted(table) {
        let (offset, shown) = (key.span().start, format!("groups.{}", key_text(key.get_ref())));
        let id = GroupId::parse(key.get_ref().as_bytes())
            .map_err(|error| lines.problem(offset, format!("{shown}: {error}")))?;
        let DeValue::Table(settings) = value.get_ref() else {
            let message = format!(
                "{shown}: is no table; write [groups.{id}], and below it cap = 500 if it has its own"
            );
            return Err(lines.problem(offset, message));
        };
        let cap = cap(lines, id, settings)?;
        let declared = Declared { id, cap, place: lines.place(offset, format!("groups.{id}")) };
        if let Some(Declared { place: Place::File { line, .. }, .. }) = groups.insert(id, declared) {
            return Err(lines.problem(
                offset,
                format!("{shown}: is the group of line {line}; ids are read in upper case"),
            ));
        }
    }
    Ok(groups.into_values().collect())
}

fn cap(lines: &Lines, id: GroupId, settings: &DeTable) -> Result<Option<Cap>, Problem> {
    let mut cap = None;
    for (key, value) in sorted(settings) {
        let (offset, name) = (key.span().start, format!("groups.{id}.cap"));
        if key.get_ref() != "cap" {
            return Err(lines.unknown_in_group(offset, id, key.get_ref()));
        }
        let text = scalar(value.get_ref()).map_err(|is| {
            lines.problem(offset, format!("{name}: is {is}, where a number or \"none\" is expected"))
        })?;
        let place = lines.place(offset, name);
        cap = Some(parse::cap(text.trim()).map_err(|complaint| Problem::Value { place, complaint })?);
    }
    Ok(cap)
}
