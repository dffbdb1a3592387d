//! Can the relay listen for scrapes and for the status page where it would? Nothing is bound there: /proc tells.

use std::net::{SocketAddr, TcpListener};

use crate::doctor::finding::{Finding, How};
use crate::doctor::look::Seen;
use crate::doctor::patient::Patient;
use crate::port::Protocol;

use super::holder::{self, Holder, Kind};
use super::{addresses, port};

const NAME: &str = "metrics";

/// What was found about an address.
struct Facts {
    address: SocketAddr,
    /// Where nobody did, the relay serves without.
    asked_for: bool,
    /// Why a port of the kernel's choice could not be had there.
    refused: Option<String>,
    loopback_is_down: bool,
    holder: Seen<Option<Holder>>,
    /// Who has it has the relay's port, too.
    is_of_the_port: bool,
    /// The port takes a privilege that this user has not.
    lacks_privilege: bool,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let setup = patient.setup;
    let Some(address) = setup.metrics_listen else { return vec![Finding::ok(NAME, "off")] };
    let holder = match address.port() {
        0 => Ok(None),
        _ => holder::of(Protocol::Tcp, address),
    };
    let processes = |holder: &Seen<Option<Holder>>| match holder {
        Ok(Some(holder)) => holder.processes(),
        _ => Vec::new(),
    };
    let of_port = processes(&port::holder(patient));
    vec![judge(&Facts {
        address,
        asked_for: setup.metrics_source.asked_for(),
        refused: TcpListener::bind((address.ip(), 0)).err().map(|error| error.to_string()),
        loopback_is_down: addresses::loopback_is_down(),
        is_of_the_port: processes(&holder).iter().any(|process| of_port.contains(process)),
        holder,
        lacks_privilege: (1..port::unprivileged_from()).contains(&address.port().into())
            && !patient.privileges.bind_low_ports(),
    })]
}

fn judge(facts: &Facts) -> Finding {
    let address = facts.address;
    let elsewhere = |finding: Finding| {
        let next = SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1024));
        finding.fix(How::Relay, format!("--metrics-listen {next}"))
    };
    let finding = if facts.loopback_is_down && address.ip().is_loopback() {
        Finding::warning(NAME, format!("nobody can reach {address}: loopback is down"))
            .why("Nothing can scrape the relay, and nobody sees its status page.")
            .fix(How::Now, "ip link set dev lo up")
    } else if let Some(error) = &facts.refused {
        hurts(facts, format!("cannot listen at {}: {error}", address.ip()))
            .fix(How::Relay, "--metrics-listen 127.0.0.1:9500")
    } else if facts.lacks_privilege {
        let found = format!("{address} is a low port, and this user has no CAP_NET_BIND_SERVICE");
        elsewhere(hurts(facts, found).fix(How::Systemd, "AmbientCapabilities=CAP_NET_BIND_SERVICE"))
    } else {
        match &facts.holder {
            Ok(Some(holder)) => elsewhere(in_use(facts, holder)),
            Ok(None) if address.port() == 0 => Finding::ok(NAME, "the kernel chooses a free port"),
            Ok(None) => Finding::ok(NAME, format!("{address} is free")),
            Err(why) => Finding::unknown(NAME, why.to_string()),
        }
    };
    finding.value("address", address.to_string())
}

fn in_use(facts: &Facts, holder: &Holder) -> Finding {
    match holder.kind {
        Kind::Relay if !facts.is_of_the_port => {
            hurts(facts, format!("{} is in use by another relay, {}", holder.address, holder.names()))
        }
        Kind::Relay | Kind::HiddenRelay | Kind::Manager => holder.remedy(
            Finding::info(NAME, holder.found()).why("A second relay would have no metrics at this address."),
        ),
        Kind::Hidden | Kind::Other => holder.remedy(hurts(facts, holder.found())),
    }
}

fn hurts(facts: &Facts, found: String) -> Finding {
    if facts.asked_for {
        Finding::problem(NAME, found).why("The relay does not start, because the address was asked for.")
    } else {
        Finding::warning(NAME, found).why("The relay serves, but without metrics and status page.")
    }
}

#[cfg(test)]
mod tests {
    use super::super::holder::tests::holder;
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::doctor::look::Unseen;

    fn facts(holder: Option<Holder>) -> Facts {
        Facts {
            address: "127.0.0.1:9500".parse().unwrap(),
            asked_for: true,
            refused: None,
            loopback_is_down: false,
            holder: Ok(holder),
            is_of_the_port: true,
            lacks_privilege: false,
        }
    }

    #[test]
    fn a_taken_address_hurts_as_it_was_asked_for() {
        let taken = || facts(Some(holder(&[("prometheus", 7)], &[])));
        let problem = judge(&taken());
        assert_eq!((problem.verdict, problem.fixes[0].command.as_str()), (Verdict::Problem, "kill 7"));
        assert_eq!(problem.fixes[1].command, "--metrics-listen 127.0.0.1:9501");
        assert_eq!(judge(&Facts { asked_for: false, ..taken() }).verdict, Verdict::Warning);
        assert_eq!(judge(&facts(None)).verdict, Verdict::Ok);
        let hidden = Facts { holder: Err(Unseen("why".into())), ..facts(None) };
        assert_eq!(judge(&hidden).verdict, Verdict::Unknown);
    }

    #[test]
    fn the_relay_that_serves_may_have_it_and_another_may_not() {
        let relay = || facts(Some(holder(&[("relay", 7)], &[])));
        assert_eq!(judge(&relay()).verdict, Verdict::Info);
        let other = judge(&Facts { is_of_the_port: false, ..relay() });
        assert_eq!(other.verdict, Verdict::Problem);
        assert!(other.fixes.iter().all(|fix| !fix.command.contains("kill")), "{other:?}");
        assert_eq!(judge(&facts(Some(holder(&[("systemd", 1)], &[])))).verdict, Verdict::Info);
    }

    #[test]
    fn what_else_stands_against_it() {
        let refused = Some("Cannot assign requested address".to_owned());
        assert_eq!(judge(&Facts { refused, ..facts(None) }).verdict, Verdict::Problem);
        assert_eq!(judge(&Facts { lacks_privilege: true, ..facts(None) }).verdict, Verdict::Problem);
        let down = judge(&Facts { loopback_is_down: true, ..facts(None) });
        assert_eq!(
            (down.verdict, down.fixes[0].command.as_str()),
            (Verdict::Warning, "ip link set dev lo up")
        );
        let outside =
            Facts { address: "10.0.0.1:9500".parse().unwrap(), loopback_is_down: true, ..facts(None) };
        assert_eq!(judge(&outside).verdict, Verdict::Ok);
    }
}
