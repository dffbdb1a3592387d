//! The groups that the file declares: `[groups.LOBBY-1]` with an optional `cap` and `coalesce`.

use std::collections::BTreeMap;

use engine::Terms;
use toml::de::{DeTable, DeValue};
use wire::GroupId;

use super::file::{Lines, scalar, sorted};
use super::place::Place;
use super::problem::{Problem, key_text};
use super::{duration, parse};

/// A group of the file.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub id: GroupId,
    pub terms: Terms,
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
        let terms = terms(lines, id, settings)?;
        let declared = Declared { id, terms, place: lines.place(offset, format!("groups.{id}")) };
        if let Some(Declared { place: Place::File { line, .. }, .. }) = groups.insert(id, declared) {
            return Err(lines.problem(
                offset,
                format!("{shown}: is the group of line {line}; ids are read in upper case"),
            ));
        }
    }
    Ok(groups.into_values().collect())
}

fn terms(lines: &Lines, id: GroupId, settings: &DeTable) -> Result<Terms, Problem> {
    let mut terms = Terms::default();
    for (key, value) in sorted(settings) {
        let (offset, key) = (key.span().start, key.get_ref().as_ref());
        let name = format!("groups.{id}.{key}");
        let expected = match key {
            "cap" => "a number or \"none\"",
            "coalesce" => "a duration",
            _ => return Err(lines.unknown_in_group(offset, id, key)),
        };
        let text = scalar(value.get_ref())
            .map_err(|is| lines.problem(offset, format!("{name}: is {is}, where {expected} is expected")))?;
        let text = text.trim();
        let set = match key {
            "cap" => parse::cap(text).map(|cap| terms.cap = Some(cap)),
            _ => duration::parse_coalesce(text).map(|coalesce| terms.coalesce = Some(coalesce)),
        };
        set.map_err(|complaint| Problem::Value { place: lines.place(offset, name), complaint })?;
    }
    Ok(terms)
}
