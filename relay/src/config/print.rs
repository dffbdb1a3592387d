//! The whole configuration as a file, each value with its source.

use super::duration;
use super::load::Loaded;
use super::options::{Change, Form, OPTIONS, Spec};
use super::parse::show_cap;
use super::place::Source;
use super::problem::one_line;

/// One option, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The flag's name without `--`.
    pub name: &'static str,
    /// Its value; of a secret only whether it is set.
    pub value: String,
    /// The kind of place that the value comes from.
    pub source: Source,
    /// The place, for people: `flag`, `environment RELAY_CAP`, `file /etc/relay.toml:7`, `default`.
    pub place: String,
    /// True if a reload takes a new value over.
    pub live: bool,
}

impl Loaded {
    /// Every option that may stand in a file, with its value and where that comes from.
    pub fn shown(&self) -> impl Iterator<Item = Shown> {
        OPTIONS.iter().filter(|spec| spec.in_file()).map(|spec| {
            let place = self.merged.place(spec.name);
            Shown {
                name: spec.name,
                value: (spec.show)(&self.merged.args),
                source: place.source(),
                place: one_line(&place.comment()),
                live: spec.change == Change::Live,
            }
        })
    }

    /// A TOML file that says the same as all sources together, but for secrets; a comment behind each value names its
    /// source.
    pub fn print_config(&self) -> String {
        let mut text = format!("# relay {}, each value with its source\n", env!("CARGO_PKG_VERSION"));
        for spec in OPTIONS.iter().filter(|spec| spec.in_file()) {
            let value = (spec.show)(&self.merged.args);
            let source = one_line(&self.merged.place(spec.name).comment());
            // A file that is fed back must not make the note the secret.
            let note = if spec.form == Form::Secret && !value.is_empty() { "# " } else { "" };
            text += &format!("{note}{} = {} # {source}\n", spec.name, literal(spec, &value));
        }
        for group in &self.merged.groups {
            text += &format!("\n[groups.{}] # {}\n", group.id, one_line(&group.place.comment()));
            if let Some(cap) = &group.terms.cap {
                text += &format!("cap = {}\n", scalar(&show_cap(cap)));
            }
            if let Some(coalesce) = &group.terms.coalesce {
                text += &format!("coalesce = {}\n", scalar(&duration::show(coalesce)));
            }
        }
        text
    }
}

fn literal(spec: &Spec, text: &str) -> String {
    match spec.form {
        Form::Many => format!("[{}]", text.split(',').map(string).collect::<Vec<_>>().join(", ")),
        Form::Switch | Form::Once => text.to_owned(),
        Form::One | Form::Path | Form::Secret => scalar(text),
    }
}

/// A number stays bare.
fn scalar(text: &str) -> String {
    let parts: Vec<_> = text.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() <= 2 && parts.iter().all(digits) { text.to_owned() } else { string(text) }
}

fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}
