//! The program: what each task does, and how it ends.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::{
    self, Args, CapacityArgs, LoadArgs, MergeArgs, ObjectiveArgs, OutputArgs, Profile, RunArgs, Task,
    UsageError,
};
use crate::exporter::Exporter;
use crate::laboratory;
use crate::observer::Observer;
use crate::people::{self, PeoplePlan};
use crate::report::{Report, html, json, text};
use crate::run::{Context, Run};
use crate::session::{Watch, Watchers, probe};
use crate::verdict::Objectives;
use crate::view::{self, Status, View, Wish};
use crate::worker::{self, WorkerError};

/// Part of the copies that a search allows to be lost if no objective was given: RFC 9971 recommends a partial drop
/// rate beside the zero loss of RFC 2544, which a single late interrupt would decide.
const DEFAULT_LOSS: f64 = 0.001;

/// Does what was typed, and gives the exit code.
///
/// # Errors
/// What kept it from being done; a [`crate::args::UsageError`] means exit code 2.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.task {
        Task::Run(args) => measure(args),
        Task::Merge(args) => merge(args),
        Task::Worker(args) => {
            worker::work(args).map_err(worker_error)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Capacity(args) => search(args),
    }
}

fn worker_error(error: WorkerError) -> anyhow::Error {
    match error {
        WorkerError::Open(_) => UsageError::Other(error.to_string()).into(),
        error => error.into(),
    }
}

fn measure(args: &RunArgs) -> anyhow::Result<ExitCode> {
    if let Some(plan) = args.people()? {
        return measure_people(args, plan);
    }
    let output = &args.output;
    let context = prepare(&args.load, &args.objectives, output)?;
    let plan = &context.resolved.plan;
    let mut watchers = watchers(output)?;
    let outcome = Run::begin(&context, plan, &mut watchers).and_then(|mut run| {
        let report = run.measure(plan.load, plan.duration)?;
        run.end();
        Ok(report)
    });
    // The terminal first: what follows must be readable.
    watchers.view.finish()?;
    let report = outcome?;
    write(&report, output.json.as_deref(), output.html.as_deref())?;
    Ok(ExitCode::from(report.verdict.exit_code()))
}

fn measure_people(args: &RunArgs, plan: PeoplePlan) -> anyhow::Result<ExitCode> {
    let output = &args.output;
    output.json.iter().chain(&output.html).try_for_each(|path| writable(path))?;
    probe(plan.plan.target)?;
    let task = people::run::Task {
        observer: Observer::find(&output.relay_metrics, plan.plan.target),
        plan,
        target: args.load.target.clone(),
        objectives: args.objectives.resolve(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    heed_signals(Arc::clone(&stop))?;
    let is_silent = output.json.as_deref().is_some_and(is_stdout);
    let lines = (!is_silent).then(people::lines::Lines::default);
    let report =
        people::run::run(&task, &mut people::run::Watchers { lines, exporter: exporter(output)?, stop })?;
    if let Some(path) = &output.html {
        save(path, &people::report::html::to_html(&report))?;
    }
    if let Some(path) = &output.json {
        save(path, &people::report::json::to_json(&report))?;
    }
    if !is_silent {
        print(&people::report::text::to_text(&report))?;
    }
    Ok(ExitCode::from(report.verdict.exit_code()))
}

fn search(args: &CapacityArgs) -> anyhow::Result<ExitCode> {
    let output = &args.output;
    if args.load.profile == Some(Profile::People) {
        let why = "--profile people is for `loadgen run`: a search varies what groups are sent";
        return Err(UsageError::Other(why.into()).into());
    }
    if output.html.is_some() {
        return Err(
            UsageError::Other("--html shows one run; a search writes its card with --json".into()).into()
        );
    }
    let mut context = prepare(&args.load, &args.objectives, output)?;
    if context.objectives == Objectives::default() {
        context.objectives.loss = Some(DEFAULT_LOSS);
    }
    let mut watchers = watchers(output)?;
    let card = laboratory::search(&context, args, &mut watchers);
    watchers.view.finish()?;
    let card = card?;
    if let Some(path) = &output.json {
        save(path, &serde_json::to_string_pretty(&card)?)?;
    }
    if !output.json.as_deref().is_some_and(is_stdout) {
        print(&format!("{card}\n"))?;
    }
    Ok(ExitCode::from(card.exit_code()))
}

/// Checks everything that can be checked before the first client joins.
fn prepare(load: &LoadArgs, objectives: &ObjectiveArgs, output: &OutputArgs) -> anyhow::Result<Context> {
    let resolved = load.resolve()?;
    args::check(&resolved.plan, &objectives.resolve(), output.workers.is_empty())?;
    output.json.iter().chain(&output.html).try_for_each(|path| writable(path))?;
    if output.workers.is_empty() {
        probe(resolved.plan.target)?;
    }
    let observer = Observer::find(&output.relay_metrics, resolved.plan.target);
    Ok(Context {
        resolved,
        objectives: objectives.resolve(),
        observer,
        workers: output.workers.clone(),
        token: output.token.clone(),
    })
}

fn watchers(output: &OutputArgs) -> anyhow::Result<Watchers> {
    let stop = Arc::new(AtomicBool::new(false));
    heed_signals(Arc::clone(&stop))?;
    let silent = output.json.as_deref().is_some_and(is_stdout);
    let view: Box<dyn View> = if silent { Box::new(Silence) } else { view::pick(output.plain, &stop) };
    Ok(Watchers { view, exporter: exporter(output)?, stop })
}

/// The first signal asks for an early end; a second one ends the process at once, with the terminal as it was.
fn heed_signals(stop: Arc<AtomicBool>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let heed = move || {
        for _ in signals.forever() {
            if stop.swap(true, Ordering::Relaxed) {
                view::abort();
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(heed).map(drop)
}

fn exporter(output: &OutputArgs) -> anyhow::Result<Option<Watch>> {
    let Some(address) = output.metrics_listen else { return Ok(None) };
    let (exporter, address) =
        Exporter::start(address).with_context(|| format!("cannot serve metrics on {address}"))?;
    eprintln!("loadgen: its own metrics are at http://{address}/metrics");
    Ok(Some(Box::new(move |status| exporter.update(status))))
}

/// Shows nothing: standard output is for the report.
struct Silence;

impl View for Silence {
    fn show(&mut self, _: &Status) -> io::Result<Wish> {
        Ok(Wish::GoOn)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn merge(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let mut reports = Vec::new();
    for path in &args.reports {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let report = json::from_json(&text);
        // The error says all of it, its source included.
        reports.push(report.map_err(|error| anyhow::anyhow!("{} {error}", path.display()))?);
    }
    let report = Report::merged(reports)?;
    args.json.iter().chain(&args.html).try_for_each(|path| writable(path))?;
    write(&report, args.json.as_deref(), args.html.as_deref())?;
    Ok(ExitCode::from(report.verdict.exit_code()))
}

fn write(report: &Report, json_file: Option<&Path>, html_file: Option<&Path>) -> anyhow::Result<()> {
    if let Some(path) = html_file {
        save(path, &html::to_html(report))?;
    }
    if let Some(path) = json_file {
        save(path, &json::to_json(report))?;
    }
    if !json_file.is_some_and(is_stdout) {
        print(&text::to_text(report))?;
    }
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// A file that cannot be written is an error before the run, not after it. What was not there is not there afterwards.
fn writable(path: &Path) -> anyhow::Result<()> {
    // A link to nothing is followed when it is written.
    if is_stdout(path) || (path.is_symlink() && !path.exists()) {
        return Ok(());
    }
    let made = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    };
    made.with_context(|| cannot_write(path))
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    if is_stdout(path) { print(text) } else { std::fs::write(path, text).with_context(|| cannot_write(path)) }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read it has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
