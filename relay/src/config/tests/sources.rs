//! Every option from every source, by the same parser, in the right order.

use engine::Settings;

use super::super::options::{Form, OPTIONS, Spec};
use super::super::{Backend, LogFormat, Shards, Source};
use super::{Case, try_load};

/// For each option three values, neighbours and the default unlike each other, and one that it does not take.
const SAMPLES: &[(&str, [&str; 3], &str)] = &[
    ("host", ["127.0.0.2", "127.0.0.3,::1", "0.0.0.0"], "a b"),
    ("port", ["1", "2", "3"], "65536"),
    ("empty-ttl", ["0", "1.5m", "0.25"], "5M"),
    ("sweep", ["1", "90s", "250ms"], "0"),
    ("heartbeat", ["1", "2h", "0.5"], "1e3"),
    ("cap", ["1", "none", "4294967295"], "0"),
    ("coalesce", ["1s", "0.02", "5ms"], "1001ms"),
    ("max-groups-per-client", ["0", "1", "2"], "-1"),
    ("gid-length", ["9", "10", "32"], "7"),
    ("max-rate", ["1", "off", "100000"], "0"),
    ("admission", ["open", "strict", "auto"], "closed"),
    ("unproved-egress", ["4096", "1G", "1T"], "4095"),
    ("trust", ["none", "10.0.0.0/8", "10.0.0.1,::1"], "10.0.0.1/8"),
    ("allow", ["10.0.0.0/8", "10.0.0.1,::/0", "none"], "10.0.0.1/8"),
    ("deny", ["::2", "::1", "10.0.0.0/8,2001:db8::/32"], "10.0.0"),
    ("max-clients", ["1", "2", "2147483648"], "2147483649"),
    ("max-groups", ["100000", "200000", "300000"], "0"),
    ("max-unjoined-groups", ["1", "2", "3"], "x"),
    ("shards", ["1", "2", "256"], "257"),
    ("pin", ["true", "off", "1"], "maybe"),
    ("tcp", ["off", "on", "auto"], "yes"),
    ("backend", ["uring", "mmsg", "uring"], "epoll"),
    ("receive-buffer", ["4096", "64K", "1G"], "4095"),
    ("send-buffer", ["4096", "64K", "1G"], "8MB"),
    ("lobby", ["HALL", "hall-2", "x"], "a b"),
    ("data-dir", ["none", "/srv/relay", "relative"], ""),
    ("mailbox-messages", ["1", "2", "10000"], "10001"),
    ("mailbox-bytes", ["4096", "64K", "1T"], "4095"),
    ("mail-bytes", ["4096", "64K", "1T"], "4095"),
    ("mail-age", ["1", "2h", "0.5"], "0"),
    ("max-names", ["1", "2", "100000000"], "100000001"),
    ("name-ttl", ["1", "2h", "0.5"], "0"),
    ("metrics-listen", ["off", "9501", "[::1]:9500"], "localhost"),
    ("status-token", ["", "", ""], ""),
    ("status-token-file", ["", "", ""], ""),
    ("sandbox", ["off", "on", "require"], "maybe"),
    ("log-format", ["json", "text", "json"], "xml"),
    ("log-level", ["debug", "warn", "off"], "loud"),
    ("config", ["", "", ""], ""),
    ("check-config", ["false", "true", "false"], "maybe"),
    ("print-config", ["false", "true", "false"], "maybe"),
];

fn samples(spec: &Spec) -> (&'static [&'static str; 3], &'static str) {
    let (_, values, bad) = SAMPLES.iter().find(|(name, ..)| *name == spec.name).expect(spec.name);
    (values, bad)
}

/// Not a file's name, because it must exist, nor a secret, because it is not shown: they have tests of their own.
fn is_any_text(spec: &Spec) -> bool {
    !matches!(spec.form, Form::Path | Form::Secret) && spec.name != "status-token-file"
}

/// Any text may be a directory's name.
fn may_be_wrong(spec: &Spec) -> bool {
    is_any_text(spec) && spec.name != "data-dir"
}

fn in_file(spec: &Spec, text: &str) -> String {
    if spec.in_file() { format!("\n{} = \"{text}\"\n", spec.name) } else { String::new() }
}

#[test]
fn the_stronger_source_wins_for_every_option() {
    for spec in OPTIONS.iter().filter(|spec| is_any_text(spec)) {
        let ([low, middle, high], _) = samples(spec);
        let canonical = |text| {
            let mut args = super::super::args::Args::blank();
            (spec.set)(&mut args, text).unwrap();
            (spec.show)(&args)
        };
        let (variable, flag) = (spec.variable(), format!("--{}={high}", spec.name));
        let case = Case::new(&in_file(spec, low));
        let seen = |variables: &[(&str, &str)], flags: &[&str]| {
            let loaded = case.load(variables, flags).unwrap();
            ((spec.show)(&loaded.merged.args), loaded.source(spec.name))
        };
        let weakest = if spec.in_file() { Source::File } else { Source::Default };
        let environment = [(variable.as_str(), *middle)];
        assert_eq!(seen(&[], &[]), (canonical(low), weakest), "{}", spec.name);
        assert_eq!(seen(&environment, &[]), (canonical(middle), Source::Environment), "{}", spec.name);
        assert_eq!(seen(&environment, &[&flag]), (canonical(high), Source::Flag), "{}", spec.name);
        assert_eq!(seen(&[(&variable, " ")], &[&flag]), (canonical(high), Source::Flag), "{}", spec.name);
        assert_eq!(seen(&[(&variable, "")], &[]), (canonical(low), weakest), "{}", spec.name);
        let default = (spec.show)(&try_load(&[], &[]).unwrap().merged.args);
        assert_eq!(default, canonical(spec.default), "{}", spec.name);
        assert_ne!((default, spec.in_file()), (canonical(low), true), "{}: choose another sample", spec.name);
        assert_ne!(canonical(low), canonical(middle), "{}: choose another sample", spec.name);
        assert_ne!(canonical(middle), canonical(high), "{}: choose another sample", spec.name);
    }
}

#[test]
fn every_source_says_the_same_of_a_bad_value_even_of_one_that_loses() {
    for spec in OPTIONS.iter().filter(|spec| may_be_wrong(spec)) {
        let ([good, ..], bad) = samples(spec);
        let (name, variable) = (spec.name, spec.variable());
        let (good_flag, bad_flag) = (format!("--{name}={good}"), format!("--{name}={bad}"));
        let complaint = try_load(&[], &[&bad_flag]).unwrap_err();
        let complaint =
            complaint.strip_prefix(&format!("--{name}: \"{bad}\" ")).expect(&complaint).to_owned();
        let by_variable = try_load(&[(&variable, bad)], &[&good_flag]).unwrap_err();
        assert_eq!(by_variable, format!("{variable}: \"{bad}\" {complaint}"));
        if spec.in_file() {
            let by_file = Case::new(&in_file(spec, bad)).load(&[], &[&good_flag]).unwrap_err();
            assert_eq!(by_file, format!("relay.toml:2: {name}: \"{bad}\" {complaint}"));
        }
    }
}

#[test]
fn samples_and_table_have_the_same_options() {
    let names: Vec<_> = OPTIONS.iter().map(|spec| spec.name).collect();
    assert_eq!(names, SAMPLES.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    let help = try_load(&[], &["--help"]).unwrap_err();
    for spec in OPTIONS {
        assert!(
            help.contains(&format!("--{}", spec.name))
                && help.contains(&format!("[env: {}]", spec.variable()))
        );
    }
}

#[test]
fn defaults_are_the_engines() {
    let setup = try_load(&[], &[]).unwrap().setup;
    assert_eq!(setup.settings, Settings::default());
    assert_eq!((setup.hosts, setup.port), (vec!["127.0.0.1".parse().unwrap()], 5000));
    assert_eq!((setup.shards, setup.pin, setup.backend), (Shards::Auto, false, Backend::Auto));
    assert_eq!((setup.receive_buffer, setup.send_buffer), (8 << 20, 8 << 20));
    assert_eq!(setup.metrics_listen, Some("127.0.0.1:9500".parse().unwrap()));
    assert!(!setup.metrics_source.asked_for());
    assert_eq!((setup.log_format, setup.groups.len(), setup.warnings.len()), (LogFormat::Text, 0, 0));
}

#[test]
fn native_types_and_underscores_in_the_file() {
    let case = Case::new(
        "host = ['localhost', '::1']\nport = 0x1_388\nempty_ttl = 0.25\ncap = 7\npin = true\nheartbeat = +1.5\n\
         max_groups_per_client = 0\nmetrics-listen = 9501\nreceive-buffer = 8388608\n\
         [groups.lobby-1]\ncap = 500\ncoalesce = 0.005\n[groups]\nX = {}\ny.cap = 'none'\ny.coalesce = 0\n",
    );
    let setup = case.load(&[], &[]).unwrap().setup;
    assert_eq!((setup.hosts.len(), setup.port, setup.pin), (2, 5000, true));
    assert_eq!((setup.settings.empty_ttl.as_millis(), setup.settings.heartbeat.as_millis()), (250, 1500));
    assert_eq!(setup.metrics_listen, Some("127.0.0.1:9501".parse().unwrap()));
    let groups: Vec<_> =
        setup.groups.iter().map(|(id, terms)| format!("{id} {:?} {:?}", terms.cap, terms.coalesce)).collect();
    assert_eq!(
        groups,
        ["LOBBY-1 Some(Members(500)) Some(5ms)", "X None None", "Y Some(Unlimited) Some(0ns)"]
    );
}

#[test]
fn a_file_can_be_named_by_the_environment_and_unnamed_by_a_flag() {
    let case = Case::new("port = 7");
    let path = case.path().display().to_string();
    let variables = [("RELAY_CONFIG", path.as_str())];
    let loaded = try_load(&variables, &[]).unwrap();
    assert_eq!((loaded.setup.port, loaded.file()), (7, Some(case.path().as_path())));
    assert_eq!(try_load(&variables, &["--config="]).unwrap().setup.port, 5000);
}

#[test]
fn only_our_variables_count() {
    let variables = [
        ("RELAY_PORT", "tcp://10.0.0.1:5000"),
        ("RELAY_SERVICE_HOST", "10.0.0.1"),
        ("RELAY_PORT_5000_UDP_PORT", "x"),
        ("RELAY_port", "x"),
        ("PORT", "x"),
    ];
    let setup = try_load(&variables, &[]).unwrap().setup;
    let warning = "RELAY_PORT: \"tcp://10.0.0.1:5000\" is ignored, it looks like a Kubernetes service link; \
                   set enableServiceLinks: false in the pod, or use --port";
    assert_eq!((setup.port, setup.warnings), (5000, vec![warning.to_owned()]));
}

#[test]
fn a_lower_ceiling_of_groups_lowers_the_default_of_unjoined_ones() {
    let ceilings = try_load(&[], &["--max-groups=100"]).unwrap().setup.settings.ceilings;
    assert_eq!((ceilings.groups, ceilings.unjoined_groups), (100, 100));
}
