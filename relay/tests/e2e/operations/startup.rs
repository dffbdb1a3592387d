//! Starting: without a flag, with chosen ports, and where the metrics' port is taken.

use std::net::{SocketAddr, TcpListener};

use crate::support::{Backend, RelayOptions, alone, each_backend, field};

use super::tools::{ConfigFile, assert_says, main_job, refused};

const METRICS: &str = "127.0.0.1:9500";

#[test]
fn without_a_flag_it_serves_at_the_usual_addresses_and_says_so_in_one_line() {
    alone(|| {
        let relay = RelayOptions::plain().start();
        assert_eq!(relay.addresses, ["127.0.0.1:5000".parse::<SocketAddr>().unwrap()]);
        main_job(relay.address());
        let log = relay.log();
        assert_eq!(log.len(), 1, "{log:#?}");
        assert_eq!(field(&log[0], "address"), "127.0.0.1:5000");
        assert_eq!(field(&log[0], "shards"), net::available_cpus().unwrap().len().to_string());
        assert_eq!(field(&log[0], "metrics"), format!("http://{METRICS}/metrics"));
        let backend = field(&log[0], "backend");
        assert_eq!(relay.metric("relay_build_info", &format!("backend=\"{backend}\"")), 1.0);
        assert_eq!(relay.http("/readyz").0, 200);
    });
}

#[test]
fn the_largest_buffers_are_no_reason_to_complain() {
    let relay =
        RelayOptions::new(Backend::Mmsg).with(["--receive-buffer", "1G", "--send-buffer", "1G"]).start();
    assert_eq!(relay.log().len(), 1, "{:#?}", relay.log());
}

#[test]
fn a_log_without_a_terminal_has_no_colours() {
    let relay = RelayOptions::new(Backend::Mmsg).start();
    assert!(!relay.log()[0].contains('\u{1b}'));
}

#[test]
fn port_zero_is_a_free_port_and_the_same_one_for_all_hosts() {
    each_backend(|backend| {
        let relay =
            RelayOptions::new(backend).with(["--host", "127.0.0.1,::1", "--host", "127.0.0.2"]).start();
        let [first, second, third] = relay.addresses[..] else { panic!("{:?}", relay.addresses) };
        assert!(first.is_ipv4() && second.is_ipv6() && third.is_ipv4());
        assert!(first.port() != 0 && first.port() == second.port() && first.port() == third.port());
        for address in [first, second, third] {
            main_job(address);
        }
    });
}

#[test]
fn metrics_can_be_switched_off() {
    alone(|| {
        let relay = RelayOptions::plain().with(["--metrics-listen", "off"]).start();
        assert_eq!(field(&relay.log()[0], "metrics"), "off");
        main_job(relay.address());
        drop(TcpListener::bind(METRICS).expect("nobody listens there"));
    });
}

#[test]
fn a_port_alone_listens_for_scrapes_on_loopback() {
    alone(|| {
        let relay = RelayOptions::plain().with(["--metrics-listen", "9600"]).start();
        assert_eq!(field(&relay.log()[0], "metrics"), "http://127.0.0.1:9600/metrics");
        assert_eq!(relay.http("/livez").0, 200);
    });
}

#[test]
fn the_default_metrics_port_if_taken_is_a_warning_and_the_relay_goes_on() {
    alone(|| {
        let _taken = TcpListener::bind(METRICS).unwrap();
        let relay = RelayOptions::plain().start();
        let log = relay.log();
        let [warning, serving] = &log[..] else { panic!("not two lines: {log:#?}") };
        assert_says(warning, &["WARN", METRICS, "in use", "--metrics-listen"]);
        assert_eq!(field(serving, "metrics"), "off");
        main_job(relay.address());
    });
}

#[test]
fn a_metrics_port_that_was_asked_for_and_is_taken_is_an_error() {
    alone(|| {
        let _taken = TcpListener::bind(METRICS).unwrap();
        let file = ConfigFile::new("port = 5000\nmetrics-listen = \"127.0.0.1:9500\"\n");
        let name = file.name();
        let asked = [
            (RelayOptions::plain().with(["--metrics-listen", METRICS]), "--metrics-listen".to_owned()),
            (RelayOptions::plain().env("RELAY_METRICS_LISTEN", METRICS), "RELAY_METRICS_LISTEN".to_owned()),
            (RelayOptions::plain().with(["--config", &name]), format!("{name}:2: metrics-listen")),
        ];
        for (options, place) in asked {
            let line = refused(options);
            assert!(line.starts_with(&place), "{line}");
            assert_says(&line, &[METRICS, "in use", "choose another address, or off"]);
        }
    });
}
