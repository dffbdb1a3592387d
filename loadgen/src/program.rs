//! The program: what each task does, and how it ends.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use crate::args::{Args, LoadArgs, MergeArgs, ObjectiveArgs, OutputArgs, RunArgs, Task};
use crate::observer::Observer;
use crate::report::{Report, html, json, text};
use crate::run::{Context, Run};
use crate::session::{Watch, Watchers, probe};
use crate::view::{self, View, Wish};
use crate::worker;

/// Does what was typed, and gives the exit code.
///
/// # Errors
/// What kept it from being done; a [`crate::args::UsageError`] means exit code 2.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.task {
        Task::Run(args) => measure(args),
        Task::Merge(args) => merge(args),
        Task::Worker(args) => {
            worker::work(args)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Capacity(_) => anyhow::bail!("not there yet"),
    }
}

fn measure(args: &RunArgs) -> anyhow::Result<ExitCode> {
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

/// Checks everything that can be checked before the first client joins.
fn prepare(load: &LoadArgs, objectives: &ObjectiveArgs, output: &OutputArgs) -> anyhow::Result<Context> {
    let resolved = load.resolve()?;
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
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second one ends the process at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let silent = output.json.as_deref().is_some_and(is_stdout);
    let view: Box<dyn View> = if silent { Box::new(Silence) } else { view::pick(output.plain) };
    Ok(Watchers { view, exporter: exporter(output)?, stop })
}

fn exporter(_output: &OutputArgs) -> anyhow::Result<Option<Watch>> {
    Ok(None)
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
        reports.push(json::from_json(&text).with_context(|| format!("{} is no report", path.display()))?);
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

/// A file that cannot be written is an error before the run, not after it.
fn writable(path: &Path) -> anyhow::Result<()> {
    if !is_stdout(path) {
        OpenOptions::new().append(true).create(true).open(path).with_context(|| cannot_write(path))?;
    }
    Ok(())
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
