//! The command line, by clap, which knows the names and leaves the values to the options' parsers.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::options::{Change, Form, OPTIONS, Spec};
use super::place::{Given, Layer, Place};
use super::problem::{Exit, Problem, quote};
use super::task::{Examination, Task};

/// The command line, for help, man page and completions.
pub fn command() -> Command {
    let live: Vec<_> =
        OPTIONS.iter().filter(|spec| spec.change == Change::Live).map(|spec| spec.name).collect();
    let after = format!(
        "DURATION is seconds (90, 0.25) or a number with ms, s, m, h or d (250ms, 5m), to the millisecond.\n\
         Precedence: flag, environment, file, default. SIGHUP reads the file again and takes over {} and the groups.\n\
         In the file, keys are the flags' names, and `[groups.LOBBY-1]` with an optional `cap = 500` and \
         `coalesce = \"5ms\"` declares a permanent group.",
        live.join(", ")
    );
    Command::new("relay")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Relays UDP datagrams within groups of clients.")
        .override_usage("relay [OPTIONS]\n       relay doctor [OPTIONS]")
        .after_help(after)
        .args(OPTIONS.iter().map(argument))
        .disable_help_subcommand(true)
        .subcommand(doctor())
}

fn doctor() -> Command {
    let switch = |name, help| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    Command::new("doctor")
        .about("Looks at this machine and says what will hurt, each with its fix")
        .override_usage("relay doctor [OPTIONS]")
        .after_help(
            "Run it as the user and with the limits that the relay will have, and with its flags, environment and \
             file. It changes nothing, and sends nothing to a relay that runs.\n\
             Exit code: 0 if nothing will hurt, 1 if something will (a warning or a problem), 2 for a usage error.",
        )
        .arg(switch("json", "Print one JSON object instead of text"))
        .arg(switch("measure", "Also measure both backends on this machine, for about ten seconds, and recommend one"))
        .next_help_heading("What the relay would run with")
        .args(OPTIONS.iter().filter(|spec| spec.form != Form::Once).map(argument))
}

fn argument(spec: &Spec) -> Arg {
    let default = match (spec.default, spec.form) {
        ("", Form::Secret) => "none",
        ("", _) => "no file",
        (default, _) => default,
    };
    let arg = Arg::new(spec.name)
        .long(spec.name)
        .value_name(spec.unit)
        .value_parser(value_parser!(OsString))
        .help(format!("{} [default: {default}] [env: {}]", spec.help, spec.variable()))
        .allow_negative_numbers(true)
        .action(if spec.form == Form::Many { ArgAction::Append } else { ArgAction::Set });
    match spec.form {
        Form::Switch | Form::Once => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Form::One | Form::Many | Form::Path | Form::Secret => arg,
    }
}

/// Reads the flags; the first argument is the program's name. A task's own flags are stronger than those before it.
pub(super) fn read(args: impl Iterator<Item = OsString>) -> Result<(Layer, Task), Exit> {
    let mut matches = command().try_get_matches_from(args).map_err(|error| explain(&error))?;
    let mut layer = layer(&mut matches)?;
    let Some((_, mut matches)) = matches.remove_subcommand() else { return Ok((layer, Task::Serve)) };
    layer.extend(self::layer(&mut matches)?);
    let examination = Examination { json: matches.get_flag("json"), measure: matches.get_flag("measure") };
    Ok((layer, Task::Doctor(examination)))
}

fn layer(matches: &mut ArgMatches) -> Result<Layer, Exit> {
    let mut layer = Layer::new();
    for spec in OPTIONS {
        // Not every task has every flag.
        let Ok(Some(values)) = matches.try_remove_many::<OsString>(spec.name) else { continue };
        let place = Place::Flag(spec.name);
        let texts: Result<Vec<_>, _> = values.map(OsString::into_string).collect();
        match texts {
            Ok(texts) => layer.insert(spec.name, Given { text: texts.join(","), place }),
            Err(bytes) => {
                return Err(Problem::Value { place, complaint: spec.not_utf8(&bytes) }.into());
            }
        };
    }
    Ok(layer)
}

/// Clap's errors take several lines; ours one.
fn explain(error: &clap::Error) -> Exit {
    let text = error.render().to_string();
    let flag = context(error, ContextKind::InvalidArg);
    let flag = flag.split_once(' ').map_or(flag, |(name, _)| name);
    let usage = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Exit::Text(text),
        ErrorKind::UnknownArgument => unknown(error),
        ErrorKind::InvalidSubcommand => unknown_word(context(error, ContextKind::InvalidSubcommand)),
        ErrorKind::ArgumentConflict => format!("{flag}: is given twice"),
        ErrorKind::InvalidValue => format!("{flag}: needs a value"),
        _ => text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    Problem::Usage(usage).into()
}

fn unknown(error: &clap::Error) -> String {
    let arg = context(error, ContextKind::InvalidArg);
    if !arg.starts_with('-') {
        return unknown_word(arg);
    }
    match context(error, ContextKind::SuggestedArg) {
        "" => format!("{arg}: unknown flag"),
        name => format!("{arg}: unknown flag (did you mean {name}?)"),
    }
}

fn unknown_word(word: &str) -> String {
    format!("{}: only flags are expected, and a switch's value behind = (--pin=no)", quote(word))
}

fn context(error: &clap::Error, kind: ContextKind) -> &str {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text,
        _ => "",
    }
}
