//! The report for people: a line for what is well, a paragraph for what is not, and one line at the end.

use std::fmt::Write;

use super::finding::{Finding, How, Verdict, count};
use super::report::{Subject, Summary};

/// Columns of the longest check's name.
const NAME: usize = 14;
/// Where the text of a paragraph begins.
const INDENT: usize = 2 + 8 + 1 + NAME + 2;
/// Where lines are broken; commands never are.
const WIDTH: usize = 110;

pub(super) fn render(relay: &Subject, checks: &[Finding], summary: Summary, colour: bool) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let user = if relay.user == 0 { "root".to_owned() } else { relay.user.to_string() };
    let _ = writeln!(
        out,
        "What a relay {} on {} with {} (backend {}, user {user}) would find here:\n",
        env!("CARGO_PKG_VERSION"),
        relay.addresses.join(","),
        count(relay.shards as u64, "shard"),
        relay.backend,
    );
    checks.iter().for_each(|check| show(&mut out, check, colour));
    let _ = writeln!(out, "\n{}", summary_line(summary));
    out
}

fn show(out: &mut String, check: &Finding, colour: bool) {
    let (word, code) = match check.verdict {
        Verdict::Ok => ("ok", "32"),
        Verdict::Info => ("info", "36"),
        Verdict::Unknown => ("unknown", "35"),
        Verdict::Warning => ("WARNING", "1;33"),
        Verdict::Problem => ("PROBLEM", "1;31"),
    };
    let (on, off) = if colour { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
    let subject = check.subject.as_ref().map_or(String::new(), |subject| format!("{subject}: "));
    let found = wrap(&format!("{subject}{}", check.found));
    let _ = writeln!(out, "  {on}{word:<8}{off} {:<NAME$}  {found}", check.name);
    if check.verdict == Verdict::Ok {
        return;
    }
    if let Some(why) = &check.why {
        let _ = writeln!(out, "{:INDENT$}{}", "", wrap(why));
    }
    let mut before = None;
    for fix in &check.fixes {
        let how = match fix.how {
            how if before == Some(how) => "or",
            How::Now => "now",
            How::Persistent => "for good",
            How::Systemd => "systemd",
            How::Container => "container",
            How::Relay => "relay",
            How::Advice => "advice",
        };
        before = Some(fix.how);
        let _ = writeln!(out, "{:INDENT$}{:<11}{}", "", format!("{how}:"), fix.command);
    }
}

/// Breaks at blanks, so that no line is longer than the width.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut column = INDENT;
    for word in text.split(' ') {
        let len = word.chars().count();
        if column > INDENT && column + 1 + len > WIDTH {
            let _ = write!(out, "\n{:INDENT$}", "");
            column = INDENT;
        } else if column > INDENT {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
    }
    out
}

fn summary_line(summary: Summary) -> String {
    let bad = summary.problem + summary.warning;
    let list = |parts: &[(usize, &str, &str)]| {
        let parts = parts.iter().filter(|(number, ..)| *number > 0);
        parts
            .map(|(number, one, many)| format!("{number} {}", if *number == 1 { one } else { many }))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let named = list(&[(summary.problem, "problem", "problems"), (summary.warning, "warning", "warnings")]);
    let line = match bad {
        0 => "Nothing will hurt".to_owned(),
        1 => format!("One thing will hurt ({named})"),
        _ => format!("{bad} things will hurt ({named})"),
    };
    let rest = list(&[
        (summary.ok, "check is fine", "checks are fine"),
        (summary.info, "is worth knowing", "are worth knowing"),
        (summary.unknown, "could not be looked at", "could not be looked at"),
    ]);
    format!("{line}: {rest}.").replace(": .", ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: &[Finding], colour: bool) -> String {
        let relay = Subject { addresses: vec!["127.0.0.1:5000".into()], shards: 2, backend: "auto", user: 0 };
        let warnings = checks.iter().filter(|check| check.verdict == Verdict::Warning).count();
        let summary = Summary { ok: checks.len() - warnings, warning: warnings, ..Summary::default() };
        render(&relay, checks, summary, colour)
    }

    #[test]
    fn what_is_well_takes_a_line_and_what_is_not_a_paragraph() {
        let checks = [
            Finding::ok("kernel", "fine").why("not shown").fix(How::Now, "not shown"),
            Finding::warning("mtu", "small")
                .of("eth0")
                .why("It costs.")
                .fix(How::Now, "ip link set eth0 mtu 1500"),
        ];
        let text = report(&checks, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "  ok       kernel          fine");
        assert_eq!(lines[3], "  WARNING  mtu             eth0: small");
        assert_eq!(lines[4].trim_start(), "It costs.");
        assert_eq!(lines[5].trim_start(), "now:       ip link set eth0 mtu 1500");
        assert_eq!(lines[7], "One thing will hurt (1 warning): 1 check is fine.");
        assert!(!text.contains('\x1b') && report(&checks, true).contains("\x1b[1;33mWARNING \x1b[0m"));
    }

    #[test]
    fn long_text_is_broken_under_its_beginning() {
        let text = report(&[Finding::ok("kernel", "word ".repeat(40).trim())], false);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().nth(3).unwrap().starts_with(&format!("{:INDENT$}word", "")), "{text}");
    }
}
