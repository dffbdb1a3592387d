//! The whole configuration as a file, each value with its source.

use super::duration;
use super::load::Loaded;
use super::options::{Form, OPTIONS, Spec};
use super::parse::show_cap;
use super::problem::one_line;

impl Loaded {
    /// A TOML file that says the same as all sources together; a comment behind each value names its source.
    pub fn print_config(&self) -> String {
        let mut text = format!("# relay {}, each value with its source\n", env!("CARGO_PKG_VERSION"));
        for spec in OPTIONS.iter().filter(|spec| spec.in_file()) {
            let value = literal(spec, &(spec.show)(&self.merged.args));
            let source = one_line(&self.merged.place(spec.name).comment());
            text += &format!("{} = {value} # {source}\n", spec.name);
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
        Form::One | Form::Path => scalar(text),
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
