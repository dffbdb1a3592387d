//! The lines that an operator reads.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::super::{Exit, MAX_FILE, load};
use super::{Case, try_load};

#[test]
fn of_the_command_line() {
    let lines: &[(&[&str], &str)] = &[
        (&["--prot", "1"], "--prot: unknown flag (did you mean --port?); see --help"),
        (&["-x"], "-x: unknown flag; see --help"),
        (&["--a\nb"], "--a\\nb: unknown flag; see --help"),
        (&["--port"], "--port: needs a value; see --help"),
        (&["--port", "--pin"], "--port: needs a value; see --help"),
        (&["--port=1", "--port=2"], "--port: is given twice; see --help"),
        (
            &["--pin", "no"],
            r#""no": only flags are expected, and a switch's value behind = (--pin=no); see --help"#,
        ),
        (&["--cap", "x"], r#"--cap: "x" is neither a number from 1 to 4294967295 nor "none""#),
        (&["--port", "-5"], r#"--port: "-5" is not a number from 0 to 65535"#),
        (&["--port", "٣"], r#"--port: "٣" is not a number from 0 to 65535"#),
        (
            &["--coalesce", "2s"],
            r#"--coalesce: "2s" is longer than 1 s, the longest time for which payloads may wait"#,
        ),
        (&["--sweep", "0.0004"], r#"--sweep: "0.0004" is shorter than 1 ms, the shortest duration"#),
        (&["--empty-ttl", "366d"], r#"--empty-ttl: "366d" is longer than 365 days, the longest duration"#),
        (
            &["--heartbeat", "1e-3"],
            "--heartbeat: \"1e-3\" is not a duration; write seconds (90, 0.25) or a number with ms, s, m, h or d \
             (250ms, 5m)",
        ),
        (&["--backend", "epoll"], r#"--backend: "epoll" is not one of auto, uring, mmsg"#),
        (&["--shards", "0"], r#"--shards: "0" is neither a number from 1 to 256 nor "auto""#),
        (
            &["--metrics-listen", "localhost"],
            "--metrics-listen: \"localhost\" is neither an address with a port (127.0.0.1:9500, [::1]:9500) nor \"off\"",
        ),
        (
            &["--host=127.0.0.1", "--host=::1,127.0.0.1"],
            r#"--host: "127.0.0.1" and "127.0.0.1" are the same address; give it once"#,
        ),
        (
            &["--max-unjoined-groups=101", "--max-groups=100"],
            "--max-unjoined-groups: 101 is more than max-groups, which is 100; lower the one or raise the other",
        ),
        (
            &["--config", "/nowhere/relay.toml"],
            "--config: cannot read /nowhere/relay.toml: No such file or directory (os error 2); \
             create it or correct the path",
        ),
        (&["--config", "/"], "--config: cannot read /: Is a directory (os error 21); name a file in it"),
    ];
    for (flags, line) in lines {
        assert_eq!(try_load(&[], flags).unwrap_err(), *line);
    }
    let missing = try_load(&[("RELAY_CONFIG", "/nowhere")], &[]).unwrap_err();
    assert!(missing.starts_with("RELAY_CONFIG: cannot read /nowhere: "), "{missing}");
}

#[test]
fn of_the_file() {
    let lines = [
        ("\n\nprot = 5", "3: prot: unknown key; did you mean port?"),
        ("[server]\nport = 1", "1: server: unknown key; see --help for the keys"),
        ("'a\tb' = 1", r#"1: "a\tb": unknown key; see --help for the keys"#),
        ("port = \n", "1: is not TOML: string values must be quoted, expected literal string"),
        ("port = 1\nport = 2", "2: is not TOML: duplicate key"),
        ("empty-ttl = 1\nempty_ttl = 2", "2: empty_ttl: is given in line 1 already"),
        ("port = [1]", "1: port: is an array, where one value is expected"),
        ("port = 1979-05-27", "1: port: is a date, where one value is expected"),
        ("host = []", r#"1: host: "" is neither an IPv4 or IPv6 address nor a host name"#),
        ("cap = -1", r#"1: cap: "-1" is neither a number from 1 to 4294967295 nor "none""#),
        ("cap = 'a\u{85}b'", r#"1: cap: "a\u{85}b" is neither a number from 1 to 4294967295 nor "none""#),
        ("config = 'x'", "1: config: cannot stand in the file; use --config or RELAY_CONFIG"),
        ("groups = 3", "1: groups: is no table; write [groups.LOBBY-1] and so on"),
        (
            "[groups]\nX = 5",
            "2: groups.X: is no table; write [groups.X], and below it cap = 500 if it has its own",
        ),
        ("[groups.'a b']", r#"1: groups."a b": a group id is 1 to 32 characters of A-Z, 0-9, _ and -"#),
        (
            "[groups.lobby]\n\n[groups.LOBBY]",
            "3: groups.LOBBY: is the group of line 1; ids are read in upper case",
        ),
        (
            "[groups.x]\ncap = 0",
            r#"2: groups.X.cap: "0" is neither a number from 1 to 4294967295 nor "none""#,
        ),
        ("[groups.x]\ncap = []", r#"2: groups.X.cap: is an array, where a number or "none" is expected"#),
        (
            "[groups.x]\nkap = 1",
            "2: groups.X.kap: unknown key; a group has cap and coalesce and nothing else",
        ),
        (
            "[groups.x]\n\ncoalesce = '1001ms'",
            r#"3: groups.X.coalesce: "1001ms" is longer than 1 s, the longest time for which payloads may wait"#,
        ),
        (
            "coalesce = 1.5\n",
            r#"1: coalesce: "1.5" is longer than 1 s, the longest time for which payloads may wait"#,
        ),
        ("[groups.x]\ncoalesce = []", "2: groups.X.coalesce: is an array, where a duration is expected"),
        (
            "[groups.x]\ncoalesce = 'long'",
            "2: groups.X.coalesce: \"long\" is not a duration; write seconds (90, 0.25) or a number with ms, s, m, h or d \
             (250ms, 5m)",
        ),
        ("[groups.x]\nport = 1", "2: groups.X.port: unknown key; put port above the first [groups...] line"),
    ];
    for (content, line) in lines {
        let case = Case::new(content);
        assert_eq!(case.load(&[], &[]).unwrap_err(), format!("relay.toml:{line}"));
    }
}

#[test]
fn of_more_groups_than_the_ceiling() {
    let case = Case::new("max-groups = 1\n[groups.a]\n[groups.b]");
    let line = "relay.toml:1: max-groups: 1 is less than the 2 groups that the file declares";
    assert_eq!(case.load(&[], &[]).unwrap_err(), line);
}

#[test]
fn of_bytes_that_are_no_text() {
    let case = Case::new("");
    std::fs::write(case.path(), b"port = 1\ncap = \xff").unwrap();
    assert_eq!(
        case.load(&[], &[]).unwrap_err(),
        "relay.toml:2: is not UTF-8; save the file in that encoding"
    );

    let bad = || OsString::from_vec(b"a\xffb".to_vec());
    let line = |exit: Exit| match exit {
        Exit::Problem(problem) => problem.to_string(),
        Exit::Text(text) => text,
    };
    let by_flag = load(["relay".into(), "--cap".into(), bad()].into_iter(), [].into_iter());
    assert_eq!(line(by_flag.unwrap_err()), "--cap: \"a\u{fffd}b\" is not UTF-8");
    let variables = [(bad(), bad()), ("RELAY_OTHER".into(), bad()), ("RELAY_CAP".into(), bad())];
    let by_variable = load(["relay".into()].into_iter(), variables.into_iter());
    assert_eq!(line(by_variable.unwrap_err()), "RELAY_CAP: \"a\u{fffd}b\" is not UTF-8");
}

#[test]
fn of_a_file_without_end() {
    let line = try_load(&[], &["--config", "/dev/zero"]).unwrap_err();
    assert_eq!(MAX_FILE, 8 << 20);
    assert_eq!(
        line,
        "--config: cannot read /dev/zero: it is longer than 8 MiB, the longest configuration file"
    );
}

#[test]
fn long_values_are_cut() {
    let line = try_load(&[], &["--cap", &"ß".repeat(10_000)]).unwrap_err();
    assert!(
        line.starts_with("--cap: \"ßß") && line.contains("ß…\" is neither") && line.len() < 250,
        "{line}"
    );
}

#[test]
fn help_and_version_are_no_problem() {
    for flag in ["--help", "-h", "--version", "-V"] {
        let exit = load(["relay", flag].map(OsString::from).into_iter(), [].into_iter()).unwrap_err();
        assert!(matches!(&exit, Exit::Text(text) if !text.is_empty()));
        assert_eq!(exit.code(), 0);
    }
    let exit = load(["relay", "--helb"].map(OsString::from).into_iter(), [].into_iter()).unwrap_err();
    assert_eq!(exit.code(), 2);
}
