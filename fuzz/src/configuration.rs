//! Flags, variables and a file, as the relay reads its configuration.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use relay::config::{Exit, Loaded, examine};

/// The option whose value is never shown.
const SECRET: &str = "status-token";

/// Panics if reading panics, an error is no line, or what the relay prints is not read as the same.
///
/// Lines that begin with `--` are flags, `RELAY_` variables, and all others the file.
pub fn check(bytes: &[u8]) {
    match load(bytes) {
        Ok(loaded) => check_printed(&loaded),
        Err(Exit::Text(text)) => assert!(!text.is_empty()),
        Err(Exit::Problem(problem)) => {
            let line = problem.to_string();
            assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
        }
    }
}

fn load(bytes: &[u8]) -> Result<Loaded, Exit> {
    let lines = || bytes.split_inclusive(|&byte| byte == b'\n');
    let is_flag = |line: &[u8]| line.starts_with(b"--");
    let is_variable = |line: &[u8]| line.starts_with(b"RELAY_");
    let flags = lines().filter(|line| is_flag(line)).map(text);
    let variables = lines().filter(|line| is_variable(line)).map(|line| {
        let end = line.iter().position(|&byte| byte == b'=').unwrap_or(line.len());
        (text(&line[..end]), text(line.get(end + 1..).unwrap_or_default()))
    });
    let file: Vec<u8> =
        lines().filter(|line| !is_flag(line) && !is_variable(line)).flatten().copied().collect();
    examine([OsString::from("relay")].into_iter().chain(flags), variables, &file)
}

fn text(line: &[u8]) -> OsString {
    OsStr::from_bytes(line.strip_suffix(b"\n").unwrap_or(line)).to_owned()
}

fn check_printed(loaded: &Loaded) {
    let printed = loaded.print_config();
    let again = load(printed.as_bytes());
    let Ok(again) = again else { panic!("{printed}\nis not read: {again:?}") };
    let shown = |loaded: &Loaded| {
        let public = loaded.shown().filter(|option| option.name != SECRET);
        public.map(|option| (option.name, option.value)).collect::<Vec<_>>()
    };
    assert_eq!(shown(loaded), shown(&again));
    assert_eq!(loaded.setup.groups, again.setup.groups);
}
