//! The secret of the status page: from every source, from a file, read anew, and never shown.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use super::super::{Exit, load, reload};
use super::{Case, try_load};

const SECRETS: [&str; 4] =
    ["flag-flag-flag-flag", "environment-environment", "file-file-file-file", "credential-credential"];

#[test]
fn every_source_gives_it_and_none_shows_it() {
    let [flag, variable, key, _] = SECRETS;
    let case = Case::new(&format!("status-token = \"{key}\"\n"));
    let variables = [("RELAY_STATUS_TOKEN", variable)];
    let flags = ["--status-token", flag];
    for (loaded, secret, source) in [
        (case.load(&[], &[]), key, "file relay.toml:1"),
        (case.load(&variables, &[]), variable, "environment RELAY_STATUS_TOKEN"),
        (case.load(&variables, &flags), flag, "flag"),
    ] {
        let loaded = loaded.unwrap();
        assert!(loaded.setup.status_token.as_ref().unwrap().is(secret.as_bytes()));
        let printed = case.shorten(&loaded.print_config());
        assert!(
            printed.contains(&format!("\n# status-token = \"(set, not shown)\" # {source}\n")),
            "{printed}"
        );
        let shown = format!("{printed}{:?}{:?}", loaded.setup, loaded.shown().collect::<Vec<_>>());
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
        // What is printed can be read, and does not make the note the secret.
        assert_eq!(Case::new(&printed).load(&[], &[]).unwrap().setup.status_token, None);
    }
    let line = try_load(&[("RELAY_STATUS_TOKEN", "hunter2")], &[]).unwrap_err();
    assert!(
        line.starts_with("RELAY_STATUS_TOKEN: the value, which is not shown here, needs 16 to 512"),
        "{line}"
    );
    assert!(!line.contains("hunter2"));
    // Nor where it is no text.
    let bytes = OsString::from_vec(b"supersecret\xfftoken12345".to_vec());
    let flag = [OsString::from("relay"), "--status-token".into(), bytes.clone()];
    let by_flag = load(flag.into_iter(), std::iter::empty()).unwrap_err();
    let variable = [("RELAY_STATUS_TOKEN".into(), bytes)];
    let by_variable = load(["relay".into()].into_iter(), variable.into_iter()).unwrap_err();
    for (exit, place) in [(by_flag, "--status-token"), (by_variable, "RELAY_STATUS_TOKEN")] {
        let Exit::Problem(problem) = exit else { panic!("{place}: not a problem") };
        let wanted = format!("{place}: the value, which is not shown here, is not UTF-8");
        assert_eq!(problem.to_string(), wanted);
    }
}

#[test]
fn a_file_of_its_own_is_read_anew_by_a_reload() {
    let case = Case::new("");
    let file = case.directory.path().join("token");
    let name = file.to_str().unwrap();
    let load = || case.load(&[], &["--status-token-file", name]);
    assert!(load().unwrap_err().starts_with("--status-token-file: cannot read token: "));
    for (text, says) in [
        ("\n", "--status-token-file: token is empty"),
        ("short\n", "--status-token-file: the value, which is"),
    ] {
        std::fs::write(&file, text).unwrap();
        let line = case.shorten(&load().unwrap_err());
        assert!(line.starts_with(says) && !line.contains("short"), "{line}");
    }
    std::fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let line = load().unwrap_err();
    assert!(line.contains("cannot read token: it is no regular file"), "{line}");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, format!("{}\n", SECRETS[3])).unwrap();
    let loaded = load().unwrap();
    assert!(loaded.setup.status_token.as_ref().unwrap().is(SECRETS[3].as_bytes()));
    assert!(loaded.print_config().contains(&format!("status-token-file = \"{name}\"")));
    std::fs::write(&file, SECRETS[0]).unwrap();
    let new = reload(&loaded).unwrap();
    assert!(
        new.pending.is_empty() && new.loaded.setup.status_token.as_ref().unwrap().is(SECRETS[0].as_bytes())
    );
    let line = case.load(&[("RELAY_STATUS_TOKEN", SECRETS[1])], &["--status-token-file", name]).unwrap_err();
    assert_eq!(line, "--status-token-file: RELAY_STATUS_TOKEN says it too; keep one of them");
}
