//! Every query of the dashboards, asked of a real Prometheus while everything happens that they are to show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::dashboard::{DASHBOARDS, Dashboard, Panel, Query};
use super::stage::{RELAYS, Stage};
use super::watch::{Watch, relay_at};
use crate::support::{PATIENCE, Prometheus, alone, eventually};

/// What may be 0 all the time, or absent, with the reason why no trouble is made for it.
const MAY_BE_ZERO: [(&str, &str, &str); 25] = [
    ("Requests refused, by reason", "B", "loopback is trusted; the stories of abuse exhaust a prefix"),
    ("Relays", "B", "every relay serves; the alerts' tests stop one"),
    ("Relays", "C", "every shard turns; the alerts' tests halt one"),
    ("Alerts", "A", "no alert fires; the alerts' tests make them fire"),
    ("Receive queue against its buffer", "A", "a scrape must fall into a burst"),
    ("Errors from the network", "B", "a receive fails for lack of memory only"),
    ("Unproved members", "B", "everyone speaks; the alerts' tests make the relay guarded"),
    ("Guarded", "A", "nobody attacks; the alerts' tests do"),
    ("Guarded", "B", "the same"),
    ("Overloaded", "A", "nobody asks for more than a shard can do; the stories of overload do"),
    ("Dropped by the kernel, by shard", "B", "the same, and a filter is the last resort"),
    ("Copies that wait", "A", "a scrape must fall between two turns"),
    ("Ring events", "A", "a receive is armed again when the ring has overflowed"),
    ("Ring events", "B", "1024 buffers are more than a small socket holds"),
    ("Ring events", "C", "completions wait in the kernel only under a flood"),
    ("Stored messages", "B", "they live for days, and are looked at once an hour"),
    ("The store", "A", "it answers before a scrape sees that somebody waits"),
    ("The store", "B", "its disk works; the alerts' tests fill one"),
    ("The store", "C", "the same"),
    ("Not arrived", "A", "copies that are on their way, when a scrape happens to see them"),
    ("Lost by the generator", "A", "the generator's own queues are large"),
    ("Lost by the generator", "B", "the loopback takes everything"),
    ("Wrong copies", "A", "nothing between the two duplicates"),
    ("Wrong copies", "B", "one client's datagrams stay on one shard"),
    ("Wrong copies", "C", "the relay breaks nothing"),
];

#[test]
fn every_query_of_the_dashboards_finds_something() {
    Stage::set(|stage| {
        let prometheus = &stage.prometheus;
        for (name, text) in DASHBOARDS {
            let dashboard = Dashboard::read(text);
            let start = Instant::now();
            let mut found = faults(prometheus, &dashboard);
            while !found.is_empty() && start.elapsed() < PATIENCE {
                stage.suffer();
                found = faults(prometheus, &dashboard);
            }
            assert!(found.is_empty(), "{name}.json: {found:#?}");

            // Who checks the checker: a metric with another name, in a panel and in a variable.
            for metric in ["relay_received_packets_total", "relay_build_info"] {
                let users = dashboard
                    .panels
                    .iter()
                    .filter(|panel| panel.queries.iter().any(|query| query.expression.contains(metric)));
                let renamed = Dashboard::read(&text.replace(metric, "relay_renamed"));
                let found = faults(prometheus, &renamed);
                for user in users {
                    assert!(
                        found.iter().any(|fault| fault.starts_with(&user.title)),
                        "{} has no fault without {metric}",
                        user.title
                    );
                }
                assert!(!found.is_empty(), "{metric}");
            }
        }
    });
}

#[test]
fn what_may_be_zero_is_there() {
    let panels: Vec<Panel> = DASHBOARDS.iter().flat_map(|(_, text)| Dashboard::read(text).panels).collect();
    for (title, letter, _) in MAY_BE_ZERO {
        let mut queries = panels.iter().filter(|panel| panel.title == title).flat_map(|panel| &panel.queries);
        assert!(queries.any(|query| query.letter == letter), "no query {letter} in a panel {title:?}");
    }
}

/// What is wrong with a dashboard, each fault with the name of its panel or variable in front.
fn faults(prometheus: &Prometheus, dashboard: &Dashboard) -> Vec<String> {
    let mut faults = Vec::new();
    let chosen = all_chosen(prometheus, dashboard, |variable| faults.push(format!("{variable}: no values")));
    for panel in &dashboard.panels {
        for query in &panel.queries {
            if let Some(fault) = fault(prometheus, panel, query, &filled_in(&query.expression, &chosen)) {
                faults.push(format!("{}, query {}: {fault}", panel.title, query.letter));
            }
        }
    }
    faults
}

/// The variables with all of the values that are known now; tells of those without.
fn all_chosen(
    prometheus: &Prometheus,
    dashboard: &Dashboard,
    mut without_values: impl FnMut(&str),
) -> BTreeMap<String, String> {
    let mut chosen = BTreeMap::new();
    for variable in &dashboard.variables {
        let series = prometheus.vector(&filled_in(&variable.series, &chosen));
        let values: BTreeSet<String> =
            series.iter().filter_map(|(labels, _)| labels.get(&variable.label).cloned()).collect();
        if values.is_empty() {
            without_values(&variable.name);
        }
        let values = || format!("({})", values.into_iter().collect::<Vec<_>>().join("|"));
        chosen.insert(variable.name.clone(), variable.all.clone().unwrap_or_else(values));
    }
    chosen
}

/// The numbers in the panels of the overview that tell of relays that are gone: serving, not serving, alerts.
fn glance(prometheus: &Prometheus) -> [Option<f64>; 3] {
    let dashboard = Dashboard::read(DASHBOARDS[0].1);
    let chosen = all_chosen(prometheus, &dashboard, |_| ());
    [("Relays", "A"), ("Relays", "B"), ("Alerts", "A")].map(|(title, letter)| {
        let mut queries =
            dashboard.panels.iter().filter(|panel| panel.title == title).flat_map(|panel| &panel.queries);
        let query = queries.find(|query| query.letter == letter).expect("the query");
        prometheus.ask(&filled_in(&query.expression, &chosen))
    })
}

#[test]
fn relays_that_are_down_stay_on_the_dashboard() {
    alone(|| {
        let [one, other] = [9501, 9502];
        let watch = Watch::over([one, other].into_iter());
        let shows = |expected: [f64; 3]| {
            eventually("the dashboard says so", || {
                (glance(&watch.prometheus) == expected.map(Some)).then_some(())
            });
        };
        let [stays, goes] = [relay_at(one).start(), relay_at(other).start()];
        shows([2.0, 0.0, 0.0]);
        drop(goes);
        shows([1.0, 1.0, 1.0]);
        drop(stays);
        shows([0.0, 2.0, 2.0]);
    });
}

#[test]
fn targets_that_are_gone_are_an_alert_on_the_dashboard() {
    alone(|| {
        let watch = Watch::over(std::iter::empty());
        eventually("the dashboard says so", || {
            (glance(&watch.prometheus) == [0.0, 0.0, 1.0].map(Some)).then_some(())
        });
    });
}

/// What is wrong with the answer to one query.
fn fault(prometheus: &Prometheus, panel: &Panel, query: &Query, expression: &str) -> Option<String> {
    let series = prometheus.range(expression, Duration::from_secs(15), Duration::from_secs(1));
    let numbers = || {
        series.iter().flat_map(|(_, values)| values).map(|(_, value)| *value).filter(|value| !value.is_nan())
    };
    let may_be_zero =
        MAY_BE_ZERO.iter().any(|(title, letter, _)| panel.title == *title && query.letter == *letter);
    let instances: BTreeSet<&str> =
        series.iter().filter_map(|(labels, _)| Some(labels.get("instance")?.as_str())).collect();
    if numbers().next().is_none() {
        Some(format!("no numbers: {expression}"))
    } else if !may_be_zero && numbers().all(|value| value == 0.0) {
        Some(format!("always 0: {expression}"))
    } else if query.legend.contains("{{instance}}") && query.expression.contains("relay_") {
        RELAYS
            .iter()
            .find(|relay| !instances.contains(*relay))
            .map(|relay| format!("nothing of {relay}: {expression}"))
    } else {
        None
    }
}

/// PromQL with the values of its variables, as Grafana fills them in.
fn filled_in(expression: &str, chosen: &BTreeMap<String, String>) -> String {
    let mut filled = expression.replace("$__rate_interval", "4s");
    for (name, value) in chosen {
        for end in ['"', '|'] {
            filled = filled.replace(&format!("${name}{end}"), &format!("{value}{end}"));
        }
    }
    filled
}
