//! What can be meant, and rarely is.

use engine::{AdmissionMode, Prefixes};
use ipnet::IpNet;

use super::load::Merged;
use super::problem::one_line;

/// One line each, for the log.
pub(super) fn doubts(merged: &Merged) -> Vec<String> {
    let settings = &merged.args.settings;
    let line = |option, text: &str| format!("{}: {text}", one_line(&merged.place(option)));
    let mut lines = Vec::new();
    if settings.access.allow.given().is_empty() {
        lines.push(line("allow", "nobody may speak to the relay"));
    }
    if settings.admission != AdmissionMode::Open
        && let Some(all) = everything(&settings.trust)
    {
        let text = format!(
            "{all} is every address, so that none of them has to show anything; name networks in which nobody can \
             forge another's address, or say open as admission"
        );
        lines.push(line("trust", &text));
    }
    lines
}

fn everything(prefixes: &Prefixes) -> Option<&IpNet> {
    prefixes.given().iter().find(|net| net.prefix_len() == 0)
}
