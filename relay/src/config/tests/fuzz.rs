//! No bytes in a file, no text in a flag or a variable panics, and every error is one line.

use std::path::Path;

use proptest::prelude::*;

use super::super::file;
use super::super::load::overlay;
use super::super::options::{Form, OPTIONS};
use super::super::place::Layer;
use super::try_load;

fn check(bytes: &[u8]) {
    let merged = file::parse(Path::new("relay.toml"), bytes)
        .and_then(|file| overlay(file, &Layer::new(), &Layer::new()));
    if let Err(problem) = merged {
        let line = problem.to_string();
        assert!(!line.contains('\n') && line.starts_with("relay.toml:"), "{line:?}");
    }
}

/// A line that is nearly one of a configuration.
fn near_line() -> impl Strategy<Value = String> {
    let names: Vec<&str> = OPTIONS
        .iter()
        .map(|spec| spec.name)
        .chain(["groups", "groups.X", "groups.X.cap", "groups.X.coalesce"])
        .collect();
    let key = prop_oneof![4 => prop::sample::select(names).prop_map(str::to_owned), 1 => "[a-z._\"-]{0,9}"];
    let value = prop_oneof![
        "[0-9]{1,12}(\\.[0-9]{0,9})?",
        "\"[0-9a-z:,.%\\[\\]-]{0,20}\"",
        "true|false|\\[\\]|\\{\\}|nan|1e9|0x[0-9a-f]{1,40}",
        "\\[(\"[0-9.:]{0,9}\",?){0,3}\\]",
        "\\{ ?(cap|coalesce) ?= ?[0-9]{0,3} ?\\}",
        "\\PC{0,20}",
    ];
    let table = "\\[\\[?(groups)?\\.?[A-Za-z0-9_\"-]{0,40}\\]?\\]".prop_map(|text| text);
    prop_oneof![4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")), 1 => table]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_in_a_file(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn nearly_good_files(lines in prop::collection::vec(near_line(), 0..6)) {
        check(lines.join("\n").as_bytes());
    }

    #[test]
    fn any_value_of_any_option(option in 0..OPTIONS.len(), text in "\\PC{0,30}|[0-9.]{0,30}[a-zA-Z]{0,2}|[\\x00-\\x1f]{0,3}") {
        let spec = &OPTIONS[option];
        // A host name would be looked up, a file opened.
        prop_assume!(!["host", "config", "status-token-file"].contains(&spec.name));
        for line in [
            try_load(&[], &[&format!("--{}={text}", spec.name)]).err(),
            try_load(&[(&spec.variable(), &text)], &[]).err(),
        ] {
            prop_assert!(!line.is_some_and(|line| line.contains('\n')));
        }
    }

    /// What `show` writes, `set` reads as the same.
    #[test]
    fn shown_values_are_read_again(option in 0..OPTIONS.len(), text in "[0-9]{1,12}(\\.[0-9]{1,4})?[a-zA-Z]{0,2}|[a-z:.,0-9]{1,20}") {
        let spec = &OPTIONS[option];
        let mut args = super::super::args::Args::blank();
        if spec.form != Form::Secret && (spec.set)(&mut args, &text).is_ok() {
            let mut again = super::super::args::Args::blank();
            prop_assert_eq!((spec.set)(&mut again, &(spec.show)(&args)), Ok(()));
            prop_assert_eq!(args, again);
        }
    }
}
