//! The configuration, resolved and checked: what the rest of the relay sees.

use std::net::{IpAddr, SocketAddr};

use engine::{Cap, Settings, Terms};
use store::Bounds;
use tracing::level_filters::LevelFilter;
use wire::GroupId;

use super::choice::{Backend, LogFormat, SandboxMode, Shards, TcpMode};
use super::load::Merged;
use super::people::DataDir;
use super::place::Source;
use super::problem::Problem;
use super::token::{self, Token};

/// What to run with. Defaults and units are those of `relay --help`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Addresses to serve on, at least one, all different, no wildcard beside another address of its family.
    /// Default 127.0.0.1.
    pub hosts: Vec<IpAddr>,
    /// Port of all of them, default 5000; 0 lets the kernel choose.
    pub port: u16,
    /// What the engine decides by.
    pub settings: Settings,
    /// Groups that the file declares, in the order of their ids, with the terms that they have of their own.
    pub groups: Vec<(GroupId, Terms)>,
    /// Threads that serve.
    pub shards: Shards,
    /// True if each shard is pinned to a core, default false.
    pub pin: bool,
    /// Whether clients are served by TCP, too.
    pub tcp: TcpMode,
    /// How datagrams move.
    pub backend: Backend,
    /// Bytes to ask for as each socket's receive buffer, default 8 MiB.
    pub receive_buffer: usize,
    /// Bytes to ask for as each socket's send buffer, default 8 MiB.
    pub send_buffer: usize,
    /// Where to serve metrics, default 127.0.0.1:9500; `None` is `off`.
    pub metrics_listen: Option<SocketAddr>,
    /// Who asked for `metrics_listen`: if nobody did, an address in use is no error.
    pub metrics_source: Source,
    /// Who has it sees the addresses of receivers on the status page; `None` is nobody from afar.
    pub status_token: Option<Token>,
    /// Where names and mail are kept.
    pub data_dir: DataDir,
    /// How much of them, and for how long.
    pub mail: Bounds,
    /// What it gives up once it serves, default as much as can be had.
    pub sandbox: SandboxMode,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The least severe lines to log, default info. `RUST_LOG` is not read: one option, one name.
    pub log_level: LevelFilter,
    /// Tell that the configuration is good, and end.
    pub check_config: bool,
    /// Print [`super::Loaded::print_config`], and end.
    pub print_config: bool,
    /// One line each, about what was ignored.
    pub warnings: Vec<String>,
}

impl Setup {
    /// True if payloads of any group wait for company.
    pub fn coalesces(&self) -> bool {
        let own = self.groups.iter().filter_map(|(_, terms)| terms.coalesce);
        own.chain([self.settings.coalesce]).any(|hold| !hold.is_zero())
    }
}

/// Checks what no option can check alone.
pub(super) fn check(merged: &Merged, hosts: Vec<IpAddr>, warnings: Vec<String>) -> Result<Setup, Problem> {
    let groups = with_lobby(merged)?;
    check_ceilings(merged, groups.len())?;
    let args = merged.args.clone();
    let status_token = token::resolve(merged)?;
    Ok(Setup {
        hosts,
        port: args.port,
        settings: args.settings,
        groups,
        shards: args.shards,
        pin: args.pin,
        tcp: args.tcp,
        backend: args.backend,
        receive_buffer: args.receive_buffer,
        send_buffer: args.send_buffer,
        metrics_listen: args.metrics_listen,
        metrics_source: merged.place("metrics-listen").source(),
        status_token,
        data_dir: args.data_dir,
        mail: args.mail,
        sandbox: args.sandbox,
        log_format: args.log_format,
        log_level: args.log_level,
        check_config: args.check_config,
        print_config: args.print_config,
        warnings,
    })
}

/// The groups of the file, and the lobby, which is permanent and has no cap.
fn with_lobby(merged: &Merged) -> Result<Vec<(GroupId, Terms)>, Problem> {
    let mut groups: Vec<_> = merged.groups.iter().map(|group| (group.id, group.terms)).collect();
    let Some(lobby) = merged.args.settings.lobby else { return Ok(groups) };
    match groups.iter_mut().find(|(id, _)| *id == lobby) {
        Some((_, Terms { cap: Some(Cap::Members(cap)), .. })) => {
            let message = format!(
                "{lobby} has a cap of {cap} in the file; the lobby has none: remove the cap, or name another group"
            );
            Err(Problem::Conflict { place: merged.place("lobby"), message })
        }
        Some(_) => Ok(groups),
        None => {
            groups.push((lobby, Terms { cap: Some(Cap::Unlimited), ..Terms::default() }));
            groups.sort_unstable_by_key(|(id, _)| *id);
            Ok(groups)
        }
    }
}

fn check_ceilings(merged: &Merged, declared: usize) -> Result<(), Problem> {
    let ceilings = merged.args.settings.ceilings;
    let conflict = |option, message| Err(Problem::Conflict { place: merged.place(option), message });
    if ceilings.unjoined_groups > ceilings.groups {
        let (unjoined, all) = (ceilings.unjoined_groups, ceilings.groups);
        let message =
            format!("{unjoined} is more than max-groups, which is {all}; lower the one or raise the other");
        return conflict("max-unjoined-groups", message);
    }
    if declared > ceilings.groups as usize {
        let message =
            format!("{} is less than the {declared} groups that the file declares", ceilings.groups);
        return conflict("max-groups", message);
    }
    Ok(())
}
