//! What a check found: a verdict, what it rests on, why it matters, and what to do.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// How bad it is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// Worth knowing; costs nothing, or only under conditions that are told.
    Info,
    /// It could not be looked at; the finding says why.
    Unknown,
    /// It will cost capacity, delay or datagrams.
    Warning,
    /// The relay will not start, or will not serve as it should.
    Problem,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The check.
    pub name: &'static str,
    /// What of several it looked at: an interface, an address.
    pub subject: Option<String>,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found, with units.
    pub found: String,
    /// The same for programs.
    pub values: BTreeMap<&'static str, Value>,
    /// Why it matters.
    pub why: Option<String>,
    /// What to do, best first.
    pub fixes: Vec<Fix>,
}

/// One way to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// Where it goes.
    pub how: How,
    /// What to paste, or the line to add.
    pub command: String,
}

/// Where a fix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// A command, until the next boot.
    Now,
    /// A command, or a place in the system's configuration, that survives a boot.
    Persistent,
    /// A line of the unit's `[Service]` section.
    Systemd,
    /// A flag of `docker run` or `podman run`.
    Container,
    /// A flag of the relay.
    Relay,
    /// Something that takes a person.
    Advice,
}

impl Finding {
    /// A finding without a reason, values and fixes.
    pub fn new(verdict: Verdict, name: &'static str, found: impl Into<String>) -> Self {
        let (found, values) = (found.into(), BTreeMap::new());
        Self { name, subject: None, verdict, found, values, why: None, fixes: Vec::new() }
    }

    /// Nothing to do.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, name, found)
    }

    /// Worth knowing.
    pub fn info(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Info, name, found)
    }

    /// It could not be looked at, and why.
    pub fn unknown(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, name, why)
    }

    /// It will cost something.
    pub fn warning(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, name, found)
    }

    /// It will not work.
    pub fn problem(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(Verdict::Problem, name, found)
    }

    /// Of which of several.
    pub fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Why it matters.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// A value for programs.
    pub fn value(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.insert(name, value.into());
        self
    }

    /// What to do.
    pub fn fix(mut self, how: How, command: impl Into<String>) -> Self {
        self.fixes.push(Fix { how, command: command.into() });
        self
    }

    /// A kernel setting to change, now and for good.
    pub fn sysctl(self, name: &str, value: impl std::fmt::Display) -> Self {
        let value = value.to_string();
        let quoted = if value.contains(' ') { format!("'{value}'") } else { value.clone() };
        self.fix(How::Now, format!("sysctl -w {name}={quoted}"))
            .fix(How::Persistent, format!("echo '{name} = {value}' >> /etc/sysctl.d/90-relay.conf"))
    }
}

/// `1 socket`, `2 sockets`.
pub fn count(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Bytes in the largest unit that leaves at least 1: `208 KiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = UNITS.iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    if bytes.is_multiple_of(*unit) {
        return format!("{} {name}", bytes / unit);
    }
    format!("{:.1} {name}", bytes as f64 / *unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts() {
        let sizes = [999, 212_992, 8 << 20, 3 << 29].map(size);
        assert_eq!(sizes, ["999 bytes", "208 KiB", "8 MiB", "1.5 GiB"]);
        assert_eq!([count(1_u64, "shard"), count(2_u64, "shard")], ["1 shard", "2 shards"]);
    }

    #[test]
    fn a_kernel_setting_is_set_now_and_for_good() {
        let finding = Finding::warning("x", "y").sysctl("a.b", "1 2");
        let commands: Vec<_> = finding.fixes.iter().map(|fix| fix.command.as_str()).collect();
        assert_eq!(commands, ["sysctl -w a.b='1 2'", "echo 'a.b = 1 2' >> /etc/sysctl.d/90-relay.conf"]);
    }
}
