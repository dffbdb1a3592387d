//! A dashboard as it is committed: its panels, what they ask, and its variables.

use serde_json::Value;

/// The dashboards, by name.
pub const DASHBOARDS: [(&str, &str); 2] = [
    ("relay", include_str!("../../../../dashboards/relay.json")),
    ("loadgen", include_str!("../../../../dashboards/loadgen.json")),
];

/// Everything that one dashboard asks.
pub struct Dashboard {
    pub panels: Vec<Panel>,
    pub variables: Vec<Variable>,
}

/// A panel that shows data.
pub struct Panel {
    pub title: String,
    pub kind: String,
    /// The unit of its numbers, by Grafana's name; none of a table.
    pub unit: Option<String>,
    pub queries: Vec<Query>,
}

/// One query of a panel, with its variables.
pub struct Query {
    pub letter: String,
    pub expression: String,
    pub legend: String,
}

/// A variable that holds the values of a label.
pub struct Variable {
    pub name: String,
    pub series: String,
    pub label: String,
    /// What "All" matches, if it is not the values of the label.
    pub all: Option<String>,
}

impl Dashboard {
    /// Reads it.
    pub fn read(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).expect("JSON");
        let panels = list(&json["panels"]).iter().filter(|panel| panel["type"] != "row").map(Panel::read);
        let variables =
            list(&json["templating"]["list"]).iter().filter(|variable| variable["type"] == "query");
        Self { panels: panels.collect(), variables: variables.map(Variable::read).collect() }
    }
}

impl Panel {
    fn read(panel: &Value) -> Self {
        let kind = text(&panel["type"]);
        let unit = if kind == "heatmap" {
            &panel["options"]["yAxis"]["unit"]
        } else {
            &panel["fieldConfig"]["defaults"]["unit"]
        };
        let query = |target: &Value| Query {
            letter: text(&target["refId"]),
            expression: text(&target["expr"]),
            legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
        };
        Self {
            title: text(&panel["title"]),
            unit: unit.as_str().map(str::to_owned),
            queries: list(&panel["targets"]).iter().map(query).collect(),
            kind,
        }
    }
}

impl Variable {
    fn read(variable: &Value) -> Self {
        let query = text(&variable["query"]["query"]);
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (series, label) =
            inner.and_then(|inner| inner.rsplit_once(", ")).expect("label_values(series, label)");
        let all = variable["allValue"].as_str().map(str::to_owned);
        Self { name: text(&variable["name"]), series: series.to_owned(), label: label.to_owned(), all }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
