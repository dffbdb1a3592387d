//! Who is believed to be where it says it is: proofs, the three modes, and what unproved members get.

mod budgets;
#[path = "../common/mod.rs"]
mod common;
mod guard;
mod proofs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::{Answer, Relay, client, text};
use engine::limits::{BUDGET_GRANT, COOKIE_EPOCH, LOOK_EVERY, SILENT_MEMBERS};
use engine::{
    AdmissionMode, Audience, Cap, Cause, ClientAddr, CopyDrop, Gate, LocalAddr, Member, Offer, Prefixes,
    Settings, Stance, Tick, Treatment,
};

const HEARTBEAT: u64 = 10_000;
/// Nobody is alarmed before.
const GRACE: u64 = 2 * HEARTBEAT;
/// IPv6 and UDP.
const HEADERS: u64 = 48;

fn settings(admission: AdmissionMode) -> Settings {
    Settings {
        admission,
        heartbeat: Duration::from_millis(HEARTBEAT),
        sweep: Duration::from_millis(100),
        cap: Cap::Unlimited,
        ..Settings::default()
    }
}

fn relay(admission: AdmissionMode) -> Relay {
    Relay::new(1, settings(admission))
}

/// With a cap that one payload reaches, guarded by it.
fn guarded() -> (Relay, String) {
    let mut relay = Relay::new(1, Settings { unproved_egress: 1, ..settings(AdmissionMode::Auto) });
    let id = relay.create(client(0));
    (0..4).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(GRACE);
    (0..3).for_each(|_| drop(relay.ask(client(0), b"too much")));
    assert_eq!(relay.admission.stance(), Stance::Guarded);
    // From now on nothing but the budgets is in the way.
    let settings = Settings { unproved_egress: 1 << 40, ..settings(AdmissionMode::Auto) };
    relay.engines[0].reload(Arc::new(settings));
    relay.begin_turn(1);
    (relay, id)
}

fn cookie(answer: &str) -> &str {
    answer.strip_prefix("ERR RETRY ").unwrap_or_else(|| panic!("{answer}"))
}

/// Who of the others gets a payload, as the fan-out does it.
fn hear(relay: &mut Relay, gate: &mut Gate, source: SocketAddr, payload: &[u8]) -> Vec<SocketAddr> {
    gate.begin_turn(Tick(relay.now));
    assert!(matches!(relay.ask(source, payload), Answer::FanOut(_)));
    let outbox = &relay.outboxes[relay.shard(source)];
    let delivery = outbox.epochs().flatten().next().unwrap();
    let Audience::Others { roster, sender } = delivery.audience else { panic!("{delivery:?}") };
    let listed = outbox.listed(roster);
    let len = payload.len();
    let offer = Offer { count: 1, size: len as u16, bytes: len as u32 };
    let others = listed.roster.members().enumerate().filter(|(at, _)| *at != sender as usize);
    others
        .filter(|(_, member)| member.proved || gate.admit(member, listed.unproved, offer) == 1)
        .map(|(_, member)| member.client.socket_addr())
        .collect()
}
