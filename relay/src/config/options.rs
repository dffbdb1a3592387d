//! The one table of options: every flag, its variable and its key in the file are a line here.

use std::ffi::OsStr;
use std::path::PathBuf;

use engine::limits::{CEILING, MAX_GID_LENGTH, MIN_GID_LENGTH};

use super::args::Args;
use super::problem::Complaint;
use super::{choice, duration, host, parse, people, prefix, size, token};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One value.
    One,
    /// The flag may be repeated; elsewhere commas, in the file an array too.
    Many,
    /// Yes or no; the flag alone means yes.
    Switch,
    /// Like `Switch`, for one run: not in the file.
    Once,
    /// Like `One`: not in the file.
    Path,
    /// Like `One`: never shown.
    Secret,
}

/// Which values a running relay can take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// On SIGHUP.
    Live,
    /// At the next start.
    Restart,
}

/// One option.
pub(super) struct Spec {
    pub name: &'static str,
    pub form: Form,
    pub change: Change,
    /// The unit or type, as the help shows it.
    pub unit: &'static str,
    pub default: &'static str,
    pub help: &'static str,
    pub set: fn(&mut Args, &str) -> Result<(), Complaint>,
    /// The text that `set` reads as the same value, but of a secret.
    pub show: fn(&Args) -> String,
}

impl Spec {
    /// The name of the variable.
    pub fn variable(&self) -> String {
        format!("RELAY_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// What is wrong with bytes that are no text.
    pub fn not_utf8(&self, value: &OsStr) -> Complaint {
        const VERDICT: &str = "is not UTF-8";
        match self.form {
            Form::Secret => Complaint::of_secret(VERDICT),
            _ => Complaint::new(&value.to_string_lossy(), VERDICT),
        }
    }

    /// True if the option may stand in the file.
    pub fn in_file(&self) -> bool {
        !matches!(self.form, Form::Once | Form::Path)
    }
}

/// The option of this name; `_` counts as `-`.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    let same = |a: u8, b: u8| a == b || (a == b'-' && b == b'_');
    OPTIONS.iter().find(|spec| {
        spec.name.len() == name.len() && spec.name.bytes().zip(name.bytes()).all(|(a, b)| same(a, b))
    })
}

fn join(hosts: &[host::Host]) -> String {
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

macro_rules! option {
    ($name:literal $form:ident $change:ident $unit:literal = $default:literal: $help:expr,
     $($field:ident).+ <- $set:expr, $show:expr) => {
        Spec {
            name: $name,
            form: Form::$form,
            change: Change::$change,
            unit: $unit,
            default: $default,
            help: $help,
            set: |args, text| {
                args.$($field).+ = $set(text)?;
                Ok(())
            },
            show: |args| $show(&args.$($field).+),
        }
    };
}

fn port(text: &str) -> Result<u16, Complaint> {
    parse::number(text, 0, u64::from(u16::MAX))
}

fn quota(text: &str) -> Result<u32, Complaint> {
    parse::number(text, 0, u64::from(u32::MAX))
}

fn gid_length(text: &str) -> Result<u8, Complaint> {
    parse::number(text, MIN_GID_LENGTH.into(), MAX_GID_LENGTH.into())
}

fn ceiling(text: &str) -> Result<u32, Complaint> {
    parse::number(text, 1, u64::from(CEILING))
}

fn path(text: &str) -> Result<Option<PathBuf>, Complaint> {
    Ok((!text.is_empty()).then(|| text.into()))
}

fn show_path(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
}

/// All options, in the order of the help. Where the original server has an option its default is the same, and
/// those of the ceilings are [`engine::limits`]' (a test compares both); 8 MiB hold about 10 ms of small datagrams at a million a second.
pub(super) static OPTIONS: &[Spec] = &[
    option!("host" Many Restart "ADDRESS" = "127.0.0.1":
        "Address or name to serve on; may be repeated or hold several with commas. `::` is IPv6 only, so `0.0.0.0,::` serves both",
        hosts <- host::parse, join),
    option!("port" One Restart "PORT" = "5000":
        "UDP port of all addresses; 0 lets the kernel choose",
        port <- port, ToString::to_string),
    option!("empty-ttl" One Live "DURATION" = "300":
        "How long an empty group lives; 0 means until the next sweep",
        settings.empty_ttl <- duration::parse_or_zero, duration::show),
    option!("sweep" One Live "DURATION" = "30":
        "How often idle clients and empty groups are removed",
        settings.sweep <- duration::parse, duration::show),
    option!("heartbeat" One Live "DURATION" = "60":
        "Heartbeat that clients are told; who is silent for three of them is removed",
        settings.heartbeat <- duration::parse, duration::show),
    option!("cap" One Live "MEMBERS|none" = "128":
        "Members of a group at most, at least 1; the file can give a group its own",
        settings.cap <- parse::cap, parse::show_cap),
    option!("coalesce" One Live "DURATION" = "0":
        "How long a group's payloads may wait for company, so that each member gets them in fewer, larger sends: more capacity for more latency; 0 (no wait) to 1s; the file can give a group its own",
        settings.coalesce <- duration::parse_coalesce, duration::show),
    option!("max-groups-per-client" One Live "GROUPS" = "3":
        "Live groups that one client has created at most; 0 leaves only the groups of the file",
        settings.max_groups_per_client <- quota, ToString::to_string),
    option!("gid-length" One Live "LETTERS" = "8":
        "Letters of the ids of new groups, 8 to 32: each makes an id 34 times as hard to guess",
        settings.gid_length <- gid_length, ToString::to_string),
    option!("max-rate" One Live "PAYLOADS|off" = "off":
        "Payloads a second that one client may send, 1 to 100000, and a quarter of them at once; more are dropped and counted",
        settings.max_rate <- parse::max_rate, parse::show_max_rate),
    option!("admission" One Live "open|auto|strict" = "auto":
        "Who has to show that it is where it says it is before it joins: nobody, whoever joins while the relay is under attack, or whoever joins",
        settings.admission <- choice::choose, choice::word),
    option!("unproved-egress" One Live "BYTES" = "25000000":
        "What members who have not shown it get in all in a second, with IP headers, 4096 to 1T; with auto, reaching it counts as an attack",
        settings.unproved_egress <- size::rate, size::show_rate),
    option!("trust" Many Live "PREFIX|none" = "127.0.0.0/8,::1/128":
        "Prefix whose addresses nobody else can forge, so that they need not show anything; may be repeated or hold several with commas",
        settings.trust <- prefix::parse, prefix::show),
    option!("allow" Many Live "PREFIX" = "0.0.0.0/0,::/0":
        "Prefix whose addresses may speak to the relay; may be repeated or hold several with commas. Loopback is no exception",
        settings.access.allow <- prefix::parse, prefix::show),
    option!("deny" Many Live "PREFIX|none" = "none":
        "Prefix whose addresses may not, even if allowed; their datagrams are dropped and counted, and a reload ends their membership",
        settings.access.deny <- prefix::parse, prefix::show),
    option!("max-clients" One Restart "CLIENTS" = "1048576":
        "Clients of the relay at most",
        settings.ceilings.clients <- ceiling, ToString::to_string),
    option!("max-groups" One Restart "GROUPS" = "262144":
        "Groups of the relay at most, those of the file included",
        settings.ceilings.groups <- ceiling, ToString::to_string),
    option!("max-unjoined-groups" One Restart "GROUPS" = "65536":
        "Groups that nobody ever joined at most; by default not above --max-groups",
        settings.ceilings.unjoined_groups <- ceiling, ToString::to_string),
    option!("shards" One Restart "SHARDS|auto" = "auto":
        "Threads that serve, 1 to 256; auto is one for each core",
        shards <- parse::shards, parse::show_shards),
    option!("pin" Switch Restart "BOOL" = "false":
        "Pin each shard to a core",
        pin <- choice::choose, choice::word),
    option!("tcp" One Restart "auto|on|off" = "auto":
        "Serve clients by TCP on the same port number, too: where it is free, or else not start, or never",
        tcp <- choice::choose, choice::word),
    option!("backend" One Restart "auto|uring|mmsg" = "auto":
        "How datagrams move: io_uring, recvmmsg and sendmmsg, or the first that works",
        backend <- choice::choose, choice::word),
    option!("receive-buffer" One Restart "BYTES" = "8M":
        "Receive buffer to ask for, per socket, 4096 to 1G; K, M and G are powers of 1024",
        receive_buffer <- size::parse, size::show),
    option!("send-buffer" One Restart "BYTES" = "8M":
        "Send buffer to ask for, per socket, 4096 to 1G",
        send_buffer <- size::parse, size::show),
    option!("lobby" One Live "ID|none" = "none":
        "Permanent group without a cap that whoever registers a name in no group comes into",
        settings.lobby <- people::lobby, people::show_lobby),
    option!("data-dir" One Restart "DIR|none" = "":
        "Where names and mail are kept: by default below the state directory of the service or of the user, opened when the first name is registered, and in memory if another relay has it or it may not be made; none keeps them in memory",
        data_dir <- people::data_dir, people::show_data_dir),
    option!("mailbox-messages" One Restart "MESSAGES" = "1000":
        "Messages that wait for one name at most, up to 10000; a quarter of them may be one sender's",
        mail.mails_per_name <- people::mails, ToString::to_string),
    option!("mailbox-bytes" One Restart "BYTES" = "1M":
        "Bytes that wait for one name at most, 4096 to 1T, with 64 for each message",
        mail.bytes_per_name <- people::bytes, size::show_rate),
    option!("mail-bytes" One Restart "BYTES" = "256M":
        "Bytes that wait for all names together at most, 4096 to 1T",
        mail.bytes <- people::bytes, size::show_rate),
    option!("mail-age" One Restart "DURATION" = "30d":
        "How long a message waits at most",
        mail.age <- duration::parse, duration::show),
    option!("max-names" One Restart "NAMES" = "100000":
        "Names of the relay at most, online or not, up to 100000000",
        mail.names <- people::names, ToString::to_string),
    option!("name-ttl" One Restart "DURATION" = "30d":
        "How long a name that nobody uses is kept, with its mail",
        mail.name_ttl <- duration::parse, duration::show),
    option!("metrics-listen" One Restart "ADDRESS:PORT|off" = "127.0.0.1:9500":
        "Where the status page, /metrics, /livez and /readyz are served over HTTP; a port alone means on 127.0.0.1",
        metrics_listen <- parse::listen, parse::show_listen),
    option!("status-token" Secret Live "TOKEN" = "":
        "Who has it may see the worst receivers' addresses on the status page, and nobody else; without one they are shown only if --metrics-listen is loopback. Better in a file: who can list processes can read a flag",
        status_token <- token::parse, token::show),
    option!("status-token-file" One Live "FILE" = "":
        "File that holds the status token alone",
        status_token_file <- path, show_path),
    option!("sandbox" One Restart "on|require|off" = "on":
        "Give up privileges, files and system calls that a serving relay does not need: as much as this kernel lets it, all of it or an error, or nothing, for debugging",
        sandbox <- choice::choose, choice::word),
    option!("log-format" One Restart "text|json" = "text":
        "Log lines for people or for programs",
        log_format <- choice::choose, choice::word),
    option!("log-level" One Restart "LEVEL" = "info":
        "Least severe lines to log: off, error, warn, info, debug or trace",
        log_level <- choice::choose, choice::word),
    option!("config" Path Restart "FILE" = "":
        "TOML file with any of these settings and predeclared groups",
        config <- path, show_path),
    option!("check-config" Once Restart "BOOL" = "false":
        "Check the configuration and end",
        check_config <- choice::choose, choice::word),
    option!("print-config" Once Restart "BOOL" = "false":
        "Print each value with its source, as a configuration file, and end",
        print_config <- choice::choose, choice::word),
];
