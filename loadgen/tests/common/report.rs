//! A report, as other programs read it.

use serde_json::Value;

/// A JSON report.
#[derive(Clone, Debug)]
pub struct Seen(pub Value);

impl Seen {
    #[track_caller]
    pub fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:.500}")))
    }

    /// The number at a path: `/pongs/lost`.
    #[track_caller]
    pub fn number(&self, path: &str) -> u64 {
        self.0.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {path}"))
    }

    /// The text at a path.
    #[track_caller]
    pub fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {path}"))
    }

    /// One of the sums in the details.
    #[track_caller]
    pub fn total(&self, key: &str) -> u64 {
        self.number(&format!("/details/outcome/totals/{key}"))
    }

    /// Clients that were members at the end.
    #[track_caller]
    pub fn members(&self) -> u64 {
        self.number("/details/outcome/members")
    }

    pub fn reasons(&self) -> Vec<&str> {
        self.0["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}
