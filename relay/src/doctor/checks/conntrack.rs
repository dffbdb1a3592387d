//! Does the firewall remember every client, and for how many has it room?

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::doctor::finding::{Finding, How, count};
use crate::doctor::look::{self, Seen};
use crate::doctor::patient::Patient;

use super::notrack;

const NAME: &str = "conntrack";
const SETTINGS: &str = "/proc/sys/net/core";
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// Flows of the trial, which are forgotten after 30 s.
const FLOWS: u64 = 32;
/// Percent of the table from where on it is nearly full.
const NEARLY_FULL: u64 = 80;

/// What was found.
struct Facts {
    port: u16,
    clients: u64,
    /// Nothing if there is none.
    table: Seen<Option<Table>>,
    /// True if what arrives at the port, and what leaves it, is exempt; nothing if nobody could be asked.
    exempt: Option<(bool, bool)>,
}

struct Table {
    flows: u64,
    room: u64,
    /// Flows of a trial over loopback were remembered.
    remembers: bool,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let port = patient.setup.port;
    let table = match (look::number(COUNT), look::number(MAX)) {
        (Ok(flows), Ok(room)) => {
            let remembers = has_room(FLOWS) && remembers(flows).unwrap_or(false);
            Ok(Some(Table { flows, room, remembers }))
        }
        // The module's files are missed only where those of others can be seen.
        _ if Path::new(SETTINGS).exists() && !Path::new(COUNT).exists() => Ok(None),
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    // Where nothing is remembered, asking for rules might load the modules for them.
    let used = matches!(&table, Ok(Some(table)) if table.remembers || table.flows > 0);
    let exempt = used.then(rules).flatten().map(|rules| notrack::exempt(&rules, port));
    vec![judge(&Facts { port, clients: patient.setup.settings.ceilings.clients.into(), table, exempt })]
}

/// True if so many flows over loopback, and as many again, leave the table unharmed.
pub fn has_room(flows: u64) -> bool {
    match (look::number(COUNT), look::number(MAX)) {
        (Ok(before), Ok(room)) => before + 2 * flows < room,
        _ => true,
    }
}

/// Makes a few flows over loopback, to a socket of its own.
fn remembers(before: u64) -> io::Result<bool> {
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    for _ in 0..FLOWS {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(b"?", to.local_addr()?)?;
    }
    // Others may be forgotten meanwhile.
    Ok(look::number(COUNT).is_ok_and(|after| after >= before + FLOWS / 2))
}

/// All rules that either tool lists; nothing if neither can be asked.
fn rules() -> Option<String> {
    let list = |program: &str, arguments: &[&str]| {
        let output =
            Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
    };
    // Without a table's name, so that none is made.
    let lists =
        [list("nft", &["-n", "list", "ruleset"]), list("iptables-save", &[]), list("ip6tables-save", &[])];
    let known: Vec<u8> = lists.iter().flatten().flatten().copied().collect();
    lists.iter().any(Option::is_some).then(|| String::from_utf8_lossy(&known).into_owned())
}

fn judge(facts: &Facts) -> Finding {
    let table = match &facts.table {
        Ok(Some(table)) => table,
        Ok(None) => return Finding::ok(NAME, "not loaded: no client is remembered"),
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    let Table { flows, room, remembers } = *table;
    let filled = format!("{} of {room} remembered", count(flows, "flow"));
    let finding = match facts.exempt {
        _ if !remembers && flows == 0 => Finding::ok(NAME, "loaded, but no rule here uses it: no client is remembered"),
        _ if !remembers && flows < FLOWS => Finding::info(NAME, format!("{filled}, but none of a trial over loopback"))
            .why("Left over from a rule that is gone, or loopback is exempt and the network is not: then each datagram pays for a look-up."),
        Some((true, true)) => Finding::ok(NAME, format!("port {} is exempt ({filled})", facts.port)),
        _ if flows.saturating_mul(100) >= room.saturating_mul(NEARLY_FULL) => Finding::problem(NAME, format!("{filled}: nearly full"))
            .why("A full table drops every datagram of a client that it does not know yet."),
        _ if room < facts.clients => Finding::warning(NAME, format!("{filled}; --max-clients {} would take more", facts.clients))
            .why("Every client is a flow; a full table drops the datagrams of new ones, and each datagram pays for the look-up."),
        _ => Finding::warning(NAME, filled).why("Each datagram, in and out, pays for a look-up in this table."),
    };
    let finding = finding
        .value("loaded", true)
        .value("flows", flows)
        .value("room", room)
        .value("remembers", remembers)
        .value("exempt", facts.exempt.map(|(incoming, outgoing)| incoming && outgoing));
    fix(finding, facts.port)
}

fn fix(finding: Finding, port: u16) -> Finding {
    let chain = |name: &str, rule: &str| {
        format!("chain {name} {{ type filter hook {name} priority raw; udp {rule} {port} notrack; }};")
    };
    let table =
        format!("table inet relay {{ {} {} }}", chain("prerouting", "dport"), chain("output", "sport"));
    let old = |chain: &str, end: &str| format!("$t -t raw -A {chain} -p udp --{end} {port} -j CT --notrack");
    finding
        .fix(How::Now, format!("nft '{table}'"))
        .fix(
            How::Now,
            format!(
                "for t in iptables ip6tables; do {}; {}; done",
                old("PREROUTING", "dport"),
                old("OUTPUT", "sport")
            ),
        )
        .fix(How::Persistent, format!("echo '{table}' >> /etc/nftables.conf && systemctl enable nftables"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts(flows: u64, room: u64, remembers: bool) -> Facts {
        Facts { port: 5000, clients: 1000, table: Ok(Some(Table { flows, room, remembers })), exempt: None }
    }

    #[test]
    fn room_for_all_clients() {
        assert_eq!(judge(&Facts { table: Ok(None), ..facts(0, 0, false) }).verdict, Verdict::Ok);
        let hidden = Facts { table: Err(look::Unseen("why".into())), ..facts(0, 0, false) };
        assert_eq!(judge(&hidden).verdict, Verdict::Unknown);
        assert_eq!(judge(&facts(0, 4096, false)).verdict, Verdict::Ok);
        assert_eq!(judge(&facts(1, 4096, false)).verdict, Verdict::Info, "a left-over");
        assert_eq!(judge(&facts(1000, 4096, false)).verdict, Verdict::Warning, "of others than loopback");
        assert_eq!(judge(&facts(0, 4096, true)).verdict, Verdict::Warning);
        let small = judge(&facts(10, 500, true));
        assert!(small.verdict == Verdict::Warning && small.found.contains("--max-clients 1000"), "{small:?}");
        assert_eq!(judge(&facts(420, 500, true)).verdict, Verdict::Problem);
        let exempt = Some((true, true));
        assert_eq!(judge(&Facts { exempt, ..facts(420, 500, true) }).verdict, Verdict::Ok);
        let half = Some((true, false));
        assert_eq!(judge(&Facts { exempt: half, ..facts(10, 4096, true) }).verdict, Verdict::Warning);
    }

    #[test]
    fn the_fix_is_what_is_looked_for() {
        let finding = judge(&facts(10, 4096, true));
        for fix in &finding.fixes {
            // Each command makes one rule a line when it is listed.
            let listed = fix.command.replace(';', "\n");
            assert_eq!(notrack::exempt(&listed, 5000), (true, true), "{}", fix.command);
        }
    }
}
