//! Configuration: who wins, every option from every source, what is wrong, and the configuration printed.

use std::fs::{File, OpenOptions};
use std::process::Stdio;

use crate::support::{Backend, Client, RelayOptions, each_backend};

use super::tools::{ConfigFile, assert_says, main_job, refused};

/// A value that is not the default, for every option that may stand in the file.
const OTHERS: [(&str, &str); 36] = [
    ("host", "127.0.0.5"),
    ("port", "5005"),
    ("empty-ttl", "301"),
    ("sweep", "31"),
    ("heartbeat", "61"),
    ("cap", "129"),
    ("coalesce", "0.005"),
    ("max-groups-per-client", "4"),
    ("gid-length", "12"),
    ("max-rate", "1000"),
    ("admission", "strict"),
    ("unproved-egress", "5M"),
    ("trust", "10.0.0.0/8"),
    ("allow", "10.1.0.0/16"),
    ("deny", "10.1.2.3/32"),
    ("max-clients", "1000"),
    ("max-groups", "2000"),
    ("max-unjoined-groups", "500"),
    ("shards", "3"),
    ("pin", "true"),
    ("tcp", "off"),
    ("backend", "mmsg"),
    ("receive-buffer", "64K"),
    ("send-buffer", "128K"),
    ("lobby", "HALL"),
    ("data-dir", "none"),
    ("mailbox-messages", "100"),
    ("mailbox-bytes", "64K"),
    ("mail-bytes", "1M"),
    ("mail-age", "3600"),
    ("max-names", "1000"),
    ("name-ttl", "7200"),
    ("metrics-listen", "127.0.0.5:9505"),
    ("sandbox", "off"),
    ("log-format", "json"),
    ("log-level", "debug"),
];

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = ConfigFile::new("heartbeat = 7\n");
    let name = file.name();
    each_backend(|backend| {
        for given in 0..8_u32 {
            let has = |bit: u32| given & bit != 0;
            let mut options = RelayOptions::new(backend);
            if has(1) {
                options = options.with(["--config", &name]);
            }
            if has(2) {
                options = options.env("RELAY_HEARTBEAT", "8");
            }
            if has(4) {
                options = options.with(["--heartbeat", "9.5"]);
            }
            let expected = match (has(4), has(2), has(1)) {
                (true, ..) => "9.5",
                (_, true, _) => "8.0",
                (.., true) => "7.0",
                _ => "60.0",
            };
            let relay = options.start();
            let client = Client::to(relay.address());
            client.join(&client.create());
            assert_eq!(client.ask("!PING"), format!("PONG {expected}"));
        }
    });
}

/// The names of all options, from the help.
fn options_of_the_help() -> Vec<(String, String)> {
    let (status, help, err) = RelayOptions::plain().with(["--help"]).run();
    assert!(status.success() && err.is_empty(), "{err}");
    let name = |line: &str| Some(line.trim_start().strip_prefix("--")?.split([' ', '[']).next()?.to_owned());
    let variable = |line: &str| Some(line.split_once("[env: ")?.1.split(']').next()?.to_owned());
    let names: Vec<String> = help.lines().filter_map(name).collect();
    let variables: Vec<String> = help.lines().filter_map(variable).collect();
    assert_eq!(names.len(), variables.len(), "{help}");
    names.into_iter().zip(variables).collect()
}

#[test]
fn every_option_is_a_flag_a_variable_and_a_key() {
    let options = options_of_the_help();
    // The first three are for one run; the token is not shown, and has stories of its own.
    let apart = ["config", "check-config", "print-config", "status-token", "status-token-file"];
    let in_file: Vec<&str> =
        options.iter().map(|(name, _)| name.as_str()).filter(|name| !apart.contains(name)).collect();
    assert_eq!(in_file, OTHERS.map(|(name, _)| name));

    let print = || RelayOptions::plain().with(["--print-config"]);
    let mut by_flags = print();
    let mut by_environment = RelayOptions::plain().env("RELAY_PRINT_CONFIG", "yes");
    let mut text = String::new();
    for (name, value) in OTHERS {
        let variable = &options.iter().find(|(option, _)| option == name).unwrap().1;
        by_flags = by_flags.with([format!("--{name}={value}").as_str()]);
        by_environment = by_environment.env(variable, value);
        text += &format!("{name} = \"{value}\"\n");
    }
    let file = ConfigFile::new(&text);
    let by_file = RelayOptions::plain().env("RELAY_CONFIG", &file.name()).with(["--print-config"]);

    for (options, source) in
        [(by_flags, "# flag"), (by_environment, "# environment RELAY_"), (by_file, "# file ")]
    {
        let (status, printed, err) = options.run();
        assert!(status.success() && err.is_empty(), "{err}");
        for (name, value) in OTHERS {
            let line = printed.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
            assert_says(line, &[value, source]);
        }
    }
}

#[test]
fn the_printed_configuration_means_the_same_when_read() {
    let file = ConfigFile::new(
        "cap = 9\nhost = [\"127.0.0.3\", \"::1\"]\n[groups.LOBBY-1]\ncap = 500\ncoalesce = \"5ms\"\n[groups.HALL]\n",
    );
    let name = file.name();
    let print = |options: RelayOptions| {
        let (status, printed, err) = options.with(["--print-config"]).run();
        assert!(status.success() && err.is_empty(), "{err}");
        printed
    };
    let first = print(
        RelayOptions::plain()
            .env("RELAY_HEARTBEAT", "1.5")
            .env("RELAY_CAP", "none")
            .with(["--config", &name, "--pin", "--sweep", "250ms"]),
    );
    assert_says(
        &first,
        &[
            "[groups.LOBBY-1]",
            "cap = 500",
            "coalesce = 0.005",
            "[groups.HALL]",
            "cap = \"none\"",
            "heartbeat = 1.5",
        ],
    );
    let again = ConfigFile::new(&first);
    let second = print(RelayOptions::plain().with(["--config", &again.name()]));
    let without_sources = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" #").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(without_sources(&first), without_sources(&second));
    assert!(
        second
            .lines()
            .filter(|line| line.contains(" = ") && line.contains('#'))
            .all(|line| line.contains("# file "))
    );
}

#[test]
fn a_printed_configuration_that_cannot_be_written_is_an_error_unless_nobody_wants_it() {
    for flag in ["--print-config", "--check-config"] {
        let run = |out: Stdio| {
            let mut options = RelayOptions::plain().with([flag]);
            let child = options.command().stdout(out).stderr(Stdio::piped()).spawn().unwrap();
            let output = child.wait_with_output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, err) = run(full.into());
        assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
        assert_says(&err, &["relay: cannot write to the standard output", "No space left"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(writer.into()), (Some(0), String::new()));
    }
}

#[test]
fn a_service_link_of_a_cluster_is_ignored_with_a_warning() {
    let link = "tcp://10.0.0.1:5000";
    let options = RelayOptions::new(Backend::Mmsg).with(["--port", "0"]);
    let relay = options.env("RELAY_PORT", link).env("RELAY_SERVICE_HOST", "10.0.0.1").start();
    let warning = relay.wait_for_log("RELAY_PORT");
    assert_says(&warning, &["WARN", link, "enableServiceLinks: false", "--port"]);
    main_job(relay.address());
    // Without another port it is the default.
    let (status, printed, err) = RelayOptions::plain().env("RELAY_PORT", link).with(["--print-config"]).run();
    assert!(status.success());
    assert_says(&printed, &["port = 5000 # default"]);
    assert_says(&err, &["relay: RELAY_PORT", link]);
}

#[test]
fn check_config_says_yes_or_what_is_wrong() {
    let file = ConfigFile::new("cap = 5\n");
    let name = file.name();
    let (status, out, err) = RelayOptions::plain().with(["--config", &name, "--check-config"]).run();
    assert_eq!((status.code(), out.as_str(), err.as_str()), (Some(0), "the configuration is valid\n", ""));
    file.write("cap = 5\nport = 70000\n");
    let line = refused(RelayOptions::plain().with(["--config", &name, "--check-config"]));
    assert_says(&line, &[&format!("{name}:2: port"), "70000", "65535"]);
}

#[test]
fn what_is_wrong_is_one_line_that_says_where() {
    let flags: [(&[&str], &[&str]); 15] = [
        (&["--prot", "1"], &["--prot", "did you mean --port"]),
        (&["serve"], &["serve", "only flags"]),
        (&["--port"], &["--port", "needs a value"]),
        (&["--port", "70000"], &["--port", "70000", "65535"]),
        (&["--port", "1", "--port", "2"], &["--port", "given twice"]),
        (&["--port", "-1"], &["--port", "-1"]),
        (&["--cap", "0"], &["--cap", "none"]),
        (&["--heartbeat", "0"], &["--heartbeat"]),
        (&["--coalesce", "1001ms"], &["--coalesce", "1 s"]),
        (&["--sweep", "5parsecs"], &["--sweep", "5parsecs"]),
        (&["--backend", "epoll"], &["--backend", "auto, uring, mmsg"]),
        (&["--shards", "0"], &["--shards", "auto"]),
        (&["--host", "localhost:5000"], &["--host", "--port"]),
        (&["--metrics-listen", "nowhere"], &["--metrics-listen", "off"]),
        (
            &["--config", "/no/such/file.toml"],
            &["--config", "/no/such/file.toml", "create it or correct the path"],
        ),
    ];
    for (flags, says) in flags {
        assert_says(&refused(RelayOptions::plain().with(flags.iter().copied())), says);
    }
    let bad = |name, value| refused(RelayOptions::plain().env(name, value));
    assert_says(&bad("RELAY_SHARDS", "many"), &["RELAY_SHARDS", "many", "auto"]);
    assert_says(&bad("RELAY_CONFIG", "/no/such/file.toml"), &["RELAY_CONFIG", "/no/such/file.toml"]);
}

#[test]
fn what_is_wrong_in_the_file_is_one_line_with_its_number() {
    let wrong: [(&str, u32, &[&str]); 9] = [
        ("cap = 5\nheartbeet = 5\n", 2, &["heartbeet", "did you mean heartbeat"]),
        ("# nothing\n\ncap = \"lots\"\n", 3, &["cap", "lots", "none"]),
        ("port = 1\nport = 2\n", 2, &[]),
        ("port = \n", 1, &["TOML"]),
        ("[groups.LOBBY]\nsize = 5\n", 2, &["groups.LOBBY", "size"]),
        ("[groups.LOBBY]\ncoalesce = 2\n", 2, &["groups.LOBBY.coalesce", "1 s"]),
        ("[groups.\"NO GROUP\"]\n", 1, &["groups"]),
        ("config = \"other.toml\"\n", 1, &["config", "--config"]),
        ("[server]\nport = 5\n", 1, &["server", "unknown key"]),
    ];
    for (text, number, says) in wrong {
        let file = ConfigFile::new(text);
        let name = file.name();
        let line = refused(RelayOptions::plain().with(["--config", &name]));
        assert!(line.starts_with(&format!("{name}:{number}: ")), "{text:?}: {line}");
        assert_says(&line, says);
    }
    let folder = tempfile::tempdir().unwrap();
    let line = refused(RelayOptions::plain().with(["--config", &folder.path().display().to_string()]));
    assert_says(&line, &["--config", "Is a directory", "name a file in it"]);
}

#[test]
fn a_closed_standard_output_is_no_reason_to_fail() {
    let mut options = RelayOptions::plain().with(["--version"]);
    let closed = File::open("/dev/null").unwrap();
    assert!(options.command().stdout(closed).status().unwrap().success());
}
