//! What `--print-config` prints is a configuration file.

use super::super::Setup;
use super::{Case, try_load};

/// Everything but who asked for it.
fn values(setup: &Setup) -> Setup {
    let metrics_source = super::super::Source::Default;
    Setup { metrics_source, check_config: false, print_config: false, ..setup.clone() }
}

#[test]
fn printed_and_read_again() {
    let content = "host = ['localhost', '::1']\nempty-ttl = 0.001\ncap = 'none'\npin = true\nreceive-buffer = 5000\n\
                   [groups.lobby-1]\ncap = 500\ncoalesce = '5ms'\n[groups.-]\ncoalesce = 0\n[groups.1]\ncap = 'none'\n";
    let case = Case::new(content);
    let first = case.load(&[("RELAY_METRICS_LISTEN", "[::1]:0")], &["--port=7", "--print-config"]).unwrap();
    let again = Case::new(&first.print_config()).load(&[], &[]).unwrap();
    assert_eq!(values(&again.setup), values(&first.setup));
    assert_eq!(strip(&again.print_config()), strip(&first.print_config()));
    let default = try_load(&[], &[]).unwrap();
    let again = Case::new(&default.print_config()).load(&[], &[]).unwrap();
    assert_eq!(values(&again.setup), values(&default.setup));
}

fn strip(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split(" # ").next().unwrap_or_default()).collect()
}

#[test]
fn each_value_has_its_source() {
    let case = Case::new("\ncap = 5\n\n[groups.lobby]\ncap = 'none'\ncoalesce = '20ms'\n");
    let loaded = case.load(&[("RELAY_SWEEP", "1.5m")], &["--host=::1", "--host=127.0.0.1", "--pin"]).unwrap();
    let expected = "\
# relay 0.1.0, each value with its source
host = [\"::1\", \"127.0.0.1\"] # flag
port = 5000 # default
empty-ttl = 300 # default
sweep = 90 # environment RELAY_SWEEP
heartbeat = 60 # default
cap = 5 # file relay.toml:2
coalesce = 0 # default
max-groups-per-client = 3 # default
gid-length = 8 # default
max-rate = \"off\" # default
admission = \"auto\" # default
unproved-egress = 25000000 # default
trust = [\"127.0.0.0/8\", \"::1/128\"] # default
allow = [\"0.0.0.0/0\", \"::/0\"] # default
deny = [\"none\"] # default
max-clients = 1048576 # default
max-groups = 262144 # default
max-unjoined-groups = 65536 # default
shards = \"auto\" # default
pin = true # flag
tcp = \"auto\" # default
backend = \"auto\" # default
receive-buffer = \"8M\" # default
send-buffer = \"8M\" # default
lobby = \"none\" # default
data-dir = \"\" # default
mailbox-messages = 1000 # default
mailbox-bytes = \"1M\" # default
mail-bytes = \"256M\" # default
mail-age = 2592000 # default
max-names = 100000 # default
name-ttl = 2592000 # default
metrics-listen = \"127.0.0.1:9500\" # default
status-token = \"\" # default
status-token-file = \"\" # default
sandbox = \"on\" # default
log-format = \"text\" # default
log-level = \"info\" # default

[groups.LOBBY] # file relay.toml:4
cap = \"none\"
coalesce = 0.02
"
    .replace("relay 0.1.0", concat!("relay ", env!("CARGO_PKG_VERSION")));
    assert_eq!(case.shorten(&loaded.print_config()), expected);
}

#[test]
fn a_path_cannot_break_the_comment() {
    let case = Case::new("");
    let path = case.directory.path().join("a\nport = 9");
    std::fs::write(&path, "cap = 5").unwrap();
    let loaded = try_load(&[], &["--config", path.to_str().unwrap()]).unwrap();
    let again = Case::new(&loaded.print_config()).load(&[], &[]).unwrap();
    assert_eq!(again.setup.port, 5000);
}
