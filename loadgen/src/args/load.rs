//! The flags that describe a load, and the plan that they mean.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use ipnet::IpNet;

use super::parse;
use super::profile::{Preset, Profile};
use crate::plan::{Arrivals, Backend, Heartbeat, Load, MAX_CLIENTS, PayloadSize, Plan, Senders, Sockets};

/// The flags that describe a load.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// The relay
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5000")]
    pub target: String,
    /// A named load; it only sets flags of this section, and a flag beside it wins
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Simulated clients [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CLIENTS)))]
    pub clients: Option<u32>,
    /// Clients in each group [default: 10]
    #[arg(long, value_name = "M", conflicts_with = "groups", value_parser = clap::value_parser!(u32).range(1..))]
    pub group_size: Option<u32>,
    /// Groups that the clients are spread over evenly, instead of --group-size
    #[arg(long, value_name = "G", value_parser = clap::value_parser!(u32).range(1..))]
    pub groups: Option<u32>,
    /// Payloads per second of each sender [default: 1]
    #[arg(long, value_name = "R", value_parser = parse::rate)]
    pub rate: Option<f64>,
    /// Closed loop instead of a rate: so many payloads on their way in each group, as fast as the relay goes
    #[arg(long, value_name = "W", conflicts_with = "rate", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub in_flight: Option<u16>,
    /// Who sends: all, or so many in each group [default: all]
    #[arg(long, value_name = "K|all", value_parser = parse::senders)]
    pub senders: Option<Senders>,
    /// Bytes of each payload, 40 to 4096: a size, a range (each size equally often), or mix: 7 of 64, 4 of 512, 1 of 1200
    /// [default: 64]
    #[arg(long, value_name = "SIZE|MIN..MAX|mix", value_parser = parse::payload)]
    pub payload: Option<PayloadSize>,
    /// How the intended times of payloads are spread [default: constant]
    #[arg(long, value_enum)]
    pub arrivals: Option<Arrivals>,
    /// How long to measure
    #[arg(long, value_name = "D", value_parser = parse::duration, default_value = "10s")]
    pub duration: Duration,
    /// Over how long the clients join [default: 1s]
    #[arg(long, value_name = "D", value_parser = parse::duration_or_zero)]
    pub ramp: Option<Duration>,
    /// Traffic before the measurement that is not counted
    #[arg(long, value_name = "D", value_parser = parse::duration_or_zero, default_value = "0")]
    pub warm_up: Duration,
    /// Distance of a client's pings; auto: what the relay's PONG asks for
    #[arg(long, value_name = "auto|D", value_parser = parse::heartbeat, default_value = "auto")]
    pub heartbeat: Heartbeat,
    /// Members per second that leave their group and join it again
    #[arg(long, value_name = "JOINS/S", value_parser = parse::rate, default_value = "0")]
    pub churn: f64,
    /// Part of the clients that join and then say nothing until the relay forgets them
    #[arg(long, value_name = "FRACTION", value_parser = parse::percent, default_value = "0")]
    pub silent: f64,
    /// Do not prove the clients' addresses before the relay insists: as clients of the base protocol, who know no proofs
    #[arg(long)]
    pub unproved: bool,
    /// How clients are many
    #[arg(long, value_enum, default_value = "auto", help_heading = "How")]
    pub sockets: Sockets,
    /// Where clients of shared sockets send from: a prefix that is routed to this machine [default on loopback:
    /// 127.64.0.0/10]
    #[arg(long, value_name = "PREFIX", help_heading = "How")]
    pub source_prefix: Option<IpNet>,
    /// How datagrams travel on shared sockets
    #[arg(long, value_enum, default_value = "auto", help_heading = "How")]
    pub backend: Backend,
    /// Let the kernel coalesce what arrives (UDP_GRO), as a receiver with a modern network card would
    #[arg(long, help_heading = "How")]
    pub gro: bool,
    /// Threads [default: as many as the load needs; half of the processors beside a relay on the same machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), help_heading = "How")]
    pub threads: Option<u32>,
    /// Processors that the threads are pinned to, one each in turn: 1 or 2-3 or 0,2-3 [default: the last ones]
    #[arg(long, value_name = "LIST", help_heading = "How")]
    pub cpus: Option<String>,
    /// What everything random comes from
    #[arg(long, value_name = "SEED", default_value_t = 1, help_heading = "How")]
    pub seed: u64,
}

/// A plan, and the target as it was written.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The plan.
    pub plan: Plan,
    /// The target as it was written.
    pub target: String,
}

/// Flags that do not go together, or with this machine. Displayed as one line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The target is no address.
    #[error("--target {0}: {1}; give HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000")]
    Target(String, String),
    /// More groups than clients.
    #[error("--groups {groups} with --clients {clients}: a group needs a client")]
    Groups {
        /// Groups.
        groups: u32,
        /// Clients.
        clients: u32,
    },
    /// The list of processors is none.
    #[error("--cpus {0}: {1}")]
    Cpus(String, String),
    /// A backend that sockets of clients do not have.
    #[error(
        "--backend is about shared sockets; a socket for each client is driven by epoll: leave it out, or --sockets per-client"
    )]
    Backend,
    /// Nobody would be left.
    #[error(
        "--churn {churn} with --clients {clients}: who leaves waits a second, so that nobody would be left; at most half \
         of the clients can leave in a second"
    )]
    Churn {
        /// Members that leave in a second.
        churn: f64,
        /// Clients.
        clients: u32,
    },
    /// Nobody would say anything.
    #[error("--silent 100% leaves nobody who sends or pings")]
    Silent,
    /// Any other.
    #[error("{0}")]
    Other(String),
}

impl LoadArgs {
    /// The plan.
    ///
    /// # Errors
    /// What does not go together.
    pub fn resolve(&self) -> Result<Resolved, UsageError> {
        let preset = self.profile.map_or(Preset::NONE, Profile::preset);
        let clients = self.clients.unwrap_or(preset.clients);
        let size = self.group_size.unwrap_or(preset.group_size);
        let groups = self.groups.unwrap_or_else(|| clients.div_ceil(size));
        if groups > clients {
            return Err(UsageError::Groups { groups, clients });
        }
        if self.silent >= 1.0 {
            return Err(UsageError::Silent);
        }
        if self.churn > f64::from(clients) / 2.0 {
            return Err(UsageError::Churn { churn: self.churn, clients });
        }
        if self.sockets == Sockets::PerClient && self.backend != Backend::Auto {
            return Err(UsageError::Backend);
        }
        let cpus = self.cpus.as_deref().map(parse::cpus).transpose();
        let cpus = cpus.map_err(|error| UsageError::Cpus(self.cpus.clone().unwrap_or_default(), error))?;
        let plan = Plan {
            target: self.address()?,
            clients,
            groups,
            senders: self.senders.unwrap_or(preset.senders),
            load: self.load(&preset),
            payload: self.payload.unwrap_or(preset.payload),
            heartbeat: self.heartbeat,
            churn: self.churn,
            silent: self.silent,
            unproved: self.unproved,
            ramp: self.ramp.unwrap_or(preset.ramp),
            warm_up: self.warm_up,
            duration: self.duration,
            sockets: self.sockets,
            source_prefix: self.source_prefix,
            backend: self.backend,
            gro: self.gro,
            threads: self.threads,
            cpus: cpus.unwrap_or_default(),
            seed: self.seed,
        };
        Ok(Resolved { plan, target: self.target.clone() })
    }

    fn load(&self, preset: &Preset) -> Load {
        let arrivals = self.arrivals.unwrap_or(preset.arrivals);
        match (self.in_flight, self.rate, preset.in_flight) {
            (Some(window), ..) | (None, None, Some(window)) => Load::InFlight(window),
            (None, rate, _) => Load::Open { rate: rate.unwrap_or(preset.rate), arrivals },
        }
    }

    fn address(&self) -> Result<SocketAddr, UsageError> {
        let wrong = |why: &str| UsageError::Target(self.target.clone(), why.to_owned());
        let mut found = self.target.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
        let address = plain(found.next().ok_or_else(|| wrong("no address has this name"))?);
        if address.port() == 0 {
            return Err(wrong("nobody can be reached at port 0"));
        }
        if address.ip().is_unspecified() || address.ip().is_multicast() {
            return Err(wrong("this is no address of one machine"));
        }
        Ok(address)
    }
}

/// An IPv4 address in the clothes of IPv6 as what it is: sockets of both families would be needed otherwise.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(four) => SocketAddr::from((four, address.port())),
        // Its scope must stay.
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn resolve(words: &str) -> Result<Plan, UsageError> {
        let typed = Typed::try_parse_from(["load"].into_iter().chain(words.split_whitespace())).unwrap();
        typed.load.resolve().map(|resolved| resolved.plan)
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let target = |words: &str| resolve(words).unwrap().target.to_string();
        assert_eq!(target("--target [::ffff:127.0.0.1]:7100"), "127.0.0.1:7100");
        assert_eq!(target("--target [::1]:7100"), "[::1]:7100");
        assert!(resolve("--target [::ffff:0.0.0.0]:7100").is_err());
    }

    #[test]
    fn churn_leaves_somebody() {
        assert!(resolve("--clients 100 --churn 50").is_ok());
        let error = resolve("--clients 100 --churn 50.5").unwrap_err().to_string();
        assert!(error.contains("--churn 50.5") && error.contains("nobody would be left"), "{error}");
    }
}
