//! What the text, the JSON and the page make of a run.

use std::time::Duration;

use serde_json::Value;

use super::plan;
use crate::people::outcome::{Deeds, Outcome};
use crate::people::report::{Report, html, json, text};
use crate::people::sums::Sums;
use crate::people::verdict::judge;
use crate::report::Setup;
use crate::verdict::Objectives;

const DOCUMENT: &str = include_str!("../../../../docs/loadgen.md");

fn report(sums: Sums) -> Report {
    let mut outcome = Outcome {
        duration: Duration::from_secs(10),
        sums,
        deeds: Deeds { deregistered: 3, returned: 3, ..Deeds::default() },
        ..Outcome::default()
    };
    (1..50).for_each(|ms| outcome.times.delivered.record(Duration::from_millis(ms)));
    outcome.times.first_mail.record(Duration::from_millis(7));
    let plan = plan(200);
    let judgement = judge(&plan, &Objectives::default(), &outcome);
    Report {
        target: "127.0.0.1:5000".into(),
        run: "load-abcde-".into(),
        plan,
        setup: Setup {
            backend: "uring".into(),
            sockets: "shared".into(),
            threads: 1,
            workers: 0,
            started: "2026-01-01T00:00:00Z".into(),
        },
        outcome,
        relay: None,
        relay_missing: Some("not asked for".into()),
        objectives: judgement.objectives,
        verdict: judgement.verdict,
        reasons: judgement.reasons,
        machine: crate::report::Machine::default(),
    }
}

fn good() -> Report {
    report(Sums { sent: 1000, delivered: 1000, delivered_from_mail: 200, shown: 1000, ..Sums::default() })
}

#[test]
fn the_text_says_what_has_become_of_the_messages() {
    let text = text::to_text(&good());
    let words: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in
        ["Delivered 1,000 100 % 100/s", "from mail 200 20.0 % 20/s", "Nothing lost, doubled or out of order"]
    {
        assert!(words.iter().any(|other| other == line), "{line} not in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let bad = text::to_text(&report(Sums { sent: 10, delivered: 9, lost: 1, shown: 9, ..Sums::default() }));
    assert!(bad.contains("! Missed: messages are gone") && bad.contains("1 message: lost"), "{bad}");
}

#[test]
fn the_page_is_complete_in_itself() {
    let page = html::to_html(&good());
    for part in ["Delivered p50", "first mail", "On the way", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is fetched");
}

#[test]
fn the_document_knows_every_key_of_the_summary_and_no_other() {
    let report = good();
    let written = json::to_json(&report);
    let whole: Value = serde_json::from_str(&written).unwrap();
    let section = DOCUMENT.split("\n## People\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let table = section.split("\n### The report\n").nth(1).unwrap();
    let documented = table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
    let mut documented: Vec<&str> = documented.collect();
    let mut keys: Vec<&str> = whole.as_object().unwrap().keys().map(String::as_str).collect();
    documented.sort_unstable();
    keys.sort_unstable();
    assert_eq!(documented, keys);
    let details: Report = serde_json::from_value(whole["details"].clone()).unwrap();
    assert_eq!(details, report);
}
