//! The dashboards as a reader sees them: Grafana's front end in a real browser, on top of a real Prometheus.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::dashboard::{DASHBOARDS, Dashboard, Panel};
use super::stage::{RELAYS, Stage};

/// What stood on the page.
struct Page {
    json: Value,
    picture: PathBuf,
}

/// The numbers of each unit end so.
const ENDS: [(&str, &[&str]); 8] = [
    ("pps", &["p/s"]),
    ("bps", &["b/s"]),
    ("cps", &["c/s"]),
    ("ops", &["ops/s"]),
    ("reqps", &["req/s"]),
    ("bytes", &["B"]),
    ("percentunit", &["%"]),
    ("s", &[" s", " ms", " µs", " ns", " min", " mins", "idle", "∞"]),
];

#[test]
fn every_panel_shows_its_series_with_their_units() {
    Stage::set(|stage| {
        for (name, text) in DASHBOARDS {
            let page = Page::open(name, &format!("http://{}", stage.prometheus.address()));
            assert_eq!(page.json["errors"], Value::Array(Vec::new()), "{name}: {}", page.picture.display());
            let dashboard = Dashboard::read(text);
            for variable in &dashboard.variables {
                let values = page.json["variables"][&variable.name].as_array();
                assert!(
                    values.is_some_and(|values| !values.is_empty()),
                    "{name}: {} has no values",
                    variable.name
                );
            }
            for panel in &dashboard.panels {
                page.assert_shows(panel);
            }
            for word in ["no data", "No data", "undefined", "[object", "NaN"] {
                assert!(!page.text().contains(word), "{name}: {word:?} in {}", page.text());
            }
            match name {
                "relay" => assert_relays(&page),
                _ => assert_load(&page),
            }
            println!("the dashboard as it looked: {}", page.picture.display());
        }
    });
}

/// What is known of the stage's relays.
fn assert_relays(page: &Page) {
    assert_eq!(page.value("Relays", "serving"), "2");
    assert_eq!(page.value("Relays", "not serving"), "0");
    assert_eq!(page.value("Alerts", "firing"), "0");
    for relay in RELAYS {
        for panel in ["Processor", "Memory", "System calls"] {
            page.value(panel, relay);
        }
    }
    let cells = page.seen("Versions and backends");
    for (column, texts) in [
        ("Instance", RELAYS),
        ("Backend", ["uring", "mmsg"]),
        ("Version", [env!("CARGO_PKG_VERSION"); 2]),
        ("Ready", ["Yes"; 2]),
        ("Why not io_uring", ["io_uring_setup: Operation not permitted (os error 1)"; 2]),
    ] {
        for text in texts {
            assert!(cells.contains(&(column, text)), "{text:?} is not in {column}: {cells:?}");
        }
    }
    assert!(
        cells.iter().any(|(column, text)| *column == "Up for"
            && [" s", " min", " mins"].iter().any(|end| text.ends_with(end))),
        "{cells:?}"
    );
    for fault in ["Requests refused, by reason", "Dropped by the kernel"] {
        assert!(page.seen(fault).iter().all(|(_, text)| text.ends_with("/s")), "{fault}");
    }
}

/// What is known of the stage's load.
fn assert_load(page: &Page) {
    assert_eq!(page.value("Phase", "measuring"), "1");
    assert_eq!(page.value("Members", "planned"), "50");
    assert_eq!(page.value("Groups", "groups"), "5");
    page.value("Processor", "generator 127.0.0.1:9501");
    page.value("Processor", "relay 127.0.0.1:9500");
}

impl Page {
    /// Opens a dashboard in the browser, waits until every panel has data, and closes it.
    #[track_caller]
    fn open(dashboard: &str, prometheus: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("dashboards");
        assert!(
            folder.join("built/page.js").is_file(),
            "the page is not built: cargo xtask test --only dashboards"
        );
        let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboard-{dashboard}.png"));
        let output = Command::new("node")
            .arg(folder.join("rendering/shoot.mjs"))
            .args([dashboard, prometheus, "1", "now-30s"])
            .arg(&picture)
            .output()
            .expect("node runs: it is in the Debian package nodejs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{dashboard}: {said}");
        Self { json: serde_json::from_slice(&output.stdout).expect("JSON"), picture }
    }

    fn text(&self) -> &str {
        self.json["text"].as_str().expect("text")
    }

    /// Names and texts of what a panel shows.
    #[track_caller]
    fn seen(&self, panel: &str) -> Vec<(&str, &str)> {
        let seen = self.json["panels"][panel]["seen"].as_array();
        let seen = seen.unwrap_or_else(|| panic!("{panel} is not on the page: {}", self.picture.display()));
        seen.iter()
            .map(|one| (one["name"].as_str().expect("a name"), one["text"].as_str().expect("a text")))
            .collect()
    }

    /// The newest value of a series.
    #[track_caller]
    fn value(&self, panel: &str, series: &str) -> &str {
        let all: BTreeMap<&str, &str> = self.seen(panel).into_iter().collect();
        all.get(series).unwrap_or_else(|| panic!("{panel} shows no {series}: {all:?}"))
    }

    /// The panel is of its kind, shows something of each query, and its numbers have its unit.
    #[track_caller]
    fn assert_shows(&self, panel: &Panel) {
        let title = &panel.title;
        assert_eq!(self.json["panels"][title]["type"], *panel.kind, "{title}");
        assert!(self.text().contains(title.as_str()), "{title} has no title on the page");
        let seen = self.seen(title);
        let fixed =
            panel.queries.iter().map(|query| query.legend.as_str()).filter(|legend| !legend.contains("{{"));
        for legend in fixed.filter(|legend| !legend.is_empty()) {
            assert!(seen.iter().any(|(name, _)| *name == legend), "{title} shows no {legend}: {seen:?}");
        }
        assert!(
            seen.iter().all(|(name, text)| !name.is_empty() && (panel.kind == "table" || !text.is_empty())),
            "{title}: {seen:?}"
        );
        let unit = panel.unit.as_deref().unwrap_or_default();
        let Some((_, ends)) = ENDS.iter().find(|(name, _)| *name == unit) else { return };
        // A heatmap's unit is that of its buckets.
        let numbers = seen.iter().map(|(name, text)| if panel.kind == "heatmap" { name } else { text });
        for number in numbers {
            assert!(ends.iter().any(|end| number.ends_with(end)), "{title}: {number:?} is not in {unit}");
        }
    }
}
