//! The card as plain text of at most 100 columns.

use std::fmt;

use super::super::search::Ending;
use super::super::trial::{Purpose, Spread, Trial};
use super::title::{load, unit};
use super::{CapacityCard, Level, Varied};
use crate::plan::{PayloadSize, Plan, Senders};
use crate::report::Verdict;
use crate::show;

/// Columns that the text keeps to.
const WIDTH: usize = 100;

/// Columns before the values.
const INDENT: usize = 14;

impl fmt::Display for CapacityCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = wrapped(&self.title, WIDTH);
        let rule = title.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        writeln!(f, "{}\n{}", title.join("\n"), "=".repeat(rule))?;
        for caveat in &self.caveats {
            write_row(f, "But", caveat)?;
        }
        writeln!(f)?;
        for (label, value) in self.result().into_iter().chain(self.circumstances()) {
            write_row(f, label, &value)?;
        }
        writeln!(f, "\nTrials (load in {}; CPU of the relay in % of a core)", unit(self))?;
        write_trials(f, self)
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, label: &str, value: &str) -> fmt::Result {
    for (index, line) in wrapped(value, WIDTH - INDENT).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        writeln!(f, "{label:INDENT$}{line}")?;
    }
    Ok(())
}

/// Breaks between words, but not before a percent sign.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.replace(" %", "\u{a0}%").split(' ') {
        let line = lines.last_mut().unwrap_or_else(|| unreachable!("there is always a line"));
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.into());
        }
    }
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

impl CapacityCard {
    fn result(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![("Lower bound", self.lower_bound()), ("Upper bound", self.upper_bound())];
        rows.extend(self.upper.as_ref().map(|upper| ("", overload(upper))));
        rows.push(("Clients", self.clients(self.lower.as_ref().or(self.upper.as_ref()))));
        if let Some(lower) = &self.lower {
            rows.push(("Measured", self.basis(lower)));
            rows.extend(rates(lower));
            rows.extend(costs(lower));
        }
        rows
    }

    fn lower_bound(&self) -> String {
        let Some(bound) = self.found.lower else {
            return "none: no load was proved good".into();
        };
        let throughput = self.found.conditional_throughput.unwrap_or(bound);
        let also = if (throughput - bound).abs() > bound * 1e-9 {
            format!("; conditional throughput {}", show::exact(throughput))
        } else {
            String::new()
        };
        format!("{}{also}", load(self, bound))
    }

    fn upper_bound(&self) -> String {
        let limit = self.found.generator_limit.map(|limit| load(self, limit));
        match (self.found.upper, self.found.lower, limit) {
            (Some(upper), Some(lower), _) => format!(
                "{}; the bounds are {} apart, {} was aimed at",
                load(self, upper),
                show::ratio((upper - lower) / upper),
                show::ratio(self.goal.width)
            ),
            (Some(upper), None, _) => load(self, upper),
            (None, _, Some(limit)) => format!("none: the generator could not sustain {limit}"),
            (None, _, None) => "none: no load was proved bad".into(),
        }
    }

    fn clients(&self, level: Option<&Level>) -> String {
        let (clients, groups) =
            level.map_or((self.plan.clients, self.plan.groups), |level| (level.clients, level.groups));
        let load = match self.varied {
            Varied::Rate => String::new(),
            Varied::Clients => format!("; {}", each_load(&self.plan)),
        };
        let (senders, payloads) = (senders(&self.plan), payloads(&self.plan));
        format!("{} in {}; {senders}; {payloads}{load}", many(clients, "client"), many(groups, "group"))
    }

    fn basis(&self, level: &Level) -> String {
        let when = if self.confirmation.valid > 0 { "after the search" } else { "of the search" };
        let trials = many(level.trials, "trial");
        format!("at the lower bound, in {trials} {when}; {} met the objectives", level.good)
    }

    fn circumstances(&self) -> Vec<(&'static str, String)> {
        let objectives: Vec<String> =
            self.objectives.iter().map(|limit| format!("{} {}", limit.flag, limit.limit)).collect();
        let machine = &self.machine;
        vec![
            ("Objectives", if objectives.is_empty() { "none".into() } else { objectives.join(", ") }),
            ("Relay", self.relay_name()),
            (
                "Machine",
                format!(
                    "{}, {}, {}, Linux {}",
                    machine.processor,
                    show::plural(machine.cpus as u64, "core"),
                    show::memory(machine.memory),
                    machine.kernel
                ),
            ),
            (
                "Generator",
                format!(
                    "{}, {}, {} sockets",
                    self.setup.backend,
                    many(self.setup.threads, "thread"),
                    self.setup.sockets
                ),
            ),
            ("Cores", self.cores()),
            ("Method", self.method.clone()),
            ("Goal", self.goal()),
            ("Search", self.search()),
        ]
    }

    fn relay_name(&self) -> String {
        let name = self.relay.as_ref().map_or_else(
            || "its metrics could not be read".into(),
            |relay| format!("{}, {}, {}", relay.version, relay.backend, many(relay.shards, "shard")),
        );
        format!("{name}; at {}", self.target)
    }

    fn cores(&self) -> String {
        if self.cores.same_machine == Some(false) {
            return "generator and relay on different machines".into();
        }
        let cpus = |cpus: &Option<Vec<usize>>| {
            cpus.as_ref().map_or_else(|| "unknown".into(), |cpus| show::list(cpus))
        };
        format!("generator {}, relay {}", cpus(&self.cores.generator), cpus(&self.cores.relay))
    }

    fn goal(&self) -> String {
        let goal = &self.goal;
        format!(
            "final trials {}, initial trials {}, duration sum {}, exceed ratio {}, width {} of the upper bound",
            show::seconds(goal.final_trial),
            show::seconds(goal.initial_trial),
            show::seconds(goal.duration_sum),
            goal.exceed_ratio,
            show::ratio(goal.width)
        )
    }

    fn search(&self) -> String {
        let found = &self.found;
        let why = match found.ending {
            Ending::Regular if self.goal.whole => "no load lies between its bounds that would matter",
            Ending::Regular => "its bounds are as close as they were to be",
            Ending::Maximum => "the maximum is good (irregular: there is no upper bound)",
            Ending::Minimum => "the minimum is bad (irregular: there is no lower bound)",
            Ending::Generator => "the generator could not sustain more (irregular)",
            Ending::Budget => "its trials or its time were used up (irregular)",
            Ending::Stopped => "it was stopped (irregular)",
        };
        let range = match self.max {
            Some(max) => format!("from {} to {}", show::exact(self.min), load(self, max)),
            None => format!("from {} up", load(self, self.min)),
        };
        let minutes = show::duration(found.measured);
        format!("{range}, {} of {minutes} in all; it ended because {why}", many(found.trials, "trial"))
    }
}

fn rates(level: &Level) -> Vec<(&'static str, String)> {
    let per_second = |spread: &Spread| spread.shown(show::exact) + " per second";
    let p99 = level.p99_seconds.as_ref().map(|p99| ("  p99", p99.shown(show::from_seconds)));
    let mut rows = vec![
        ("  payloads", per_second(&level.payloads_per_second)),
        ("  deliveries", per_second(&level.deliveries_per_second)),
    ];
    rows.extend(p99);
    rows.push(("  loss", level.loss.shown(show::ratio)));
    rows
}

/// What was measured where the objectives do not hold.
fn overload(level: &Level) -> String {
    let p99 = level.p99_seconds.map_or_else(|| "none".into(), |p99| show::from_seconds(p99.median));
    format!(
        "there: {} payloads/s, {} deliveries/s, p99 {p99}, loss {} (medians of {}; {} met the objectives)",
        show::exact(level.payloads_per_second.median),
        show::exact(level.deliveries_per_second.median),
        show::ratio(level.loss.median),
        many(level.trials, "trial"),
        level.good
    )
}

fn costs(level: &Level) -> Option<(&'static str, String)> {
    let cpu = level.relay_cpu_percent.as_ref()?.shown(show::three);
    let each = level.relay_ns_per_delivery.as_ref().map(|each| each.shown(show::exact));
    let each = each.map_or_else(String::new, |each| format!("; {each} ns per delivery"));
    Some(("  relay CPU", format!("{cpu} % of a core{each}")))
}

fn many(count: u32, what: &str) -> String {
    show::plural(count.into(), what)
}

fn senders(plan: &Plan) -> String {
    match plan.senders {
        Senders::All => "all of them send".into(),
        Senders::PerGroup(count) => format!("{} in each group", many(count, "sender")),
    }
}

fn payloads(plan: &Plan) -> String {
    match plan.payload {
        PayloadSize::Fixed(size) => format!("payloads of {size} bytes"),
        PayloadSize::Between(least, most) => format!("payloads of {least} to {most} bytes"),
        PayloadSize::Mix => "payloads of 64, 512 and 1200 bytes (7:4:1)".into(),
    }
}

fn each_load(plan: &Plan) -> String {
    match plan.load {
        crate::plan::Load::Open { rate, .. } => format!("{} payloads/s from each sender", show::exact(rate)),
        crate::plan::Load::InFlight(count) => format!("{count} in flight in each group"),
    }
}

fn write_trials(f: &mut fmt::Formatter<'_>, card: &CapacityCard) -> fmt::Result {
    writeln!(
        f,
        "{:>4} {:>11} {:>5} {:>11} {:>12} {:>12} {:>9} {:>7}  result",
        "#", "load", "s", "payloads/s", "deliveries/s", "loss", "p99", "CPU %"
    )?;
    let mut before = Purpose::Search;
    for (index, trial) in card.trials.iter().enumerate() {
        if trial.purpose != before {
            writeln!(f, "     after the search, at the lower bound:")?;
        }
        before = trial.purpose;
        writeln!(f, "{}", row(index + 1, trial))?;
    }
    Ok(())
}

fn row(number: usize, trial: &Trial) -> String {
    let p99 = trial.p99_seconds.map_or_else(|| "-".into(), show::from_seconds);
    let cpu = trial.relay_cpu_percent.map_or_else(|| "-".into(), show::three);
    format!(
        "{number:>4} {:>11} {:>5} {:>11} {:>12} {:>12} {p99:>9} {cpu:>7}  {}",
        show::exact(trial.load),
        show::three(trial.seconds),
        show::exact(trial.payloads_per_second),
        show::exact(trial.deliveries_per_second),
        show::ratio(trial.loss),
        verdict(trial)
    )
}

/// At most 20 columns: with those before it, that makes 100.
fn verdict(trial: &Trial) -> String {
    let missed = || trial.missed.iter().map(|flag| flag.trim_start_matches("--").trim_start_matches("max-"));
    let result = match trial.verdict {
        _ if trial.interrupted => "stopped".into(),
        Verdict::Met => "met".into(),
        Verdict::Missed => format!("missed {}", missed().collect::<Vec<_>>().join(", ")),
        Verdict::Invalid => "invalid".into(),
    };
    result.trim_end().chars().take(20).collect()
}
