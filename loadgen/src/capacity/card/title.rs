//! What a result is, in a sentence: never a capacity where it is none.

use super::super::standing::Standing;
use super::{CapacityCard, Varied};
use crate::show;

/// The first line of a card.
pub(super) fn title(card: &CapacityCard) -> String {
    match &card.standing {
        Standing::Capacity => format!("Capacity: {}", lower(card)),
        Standing::Missed => format!("No capacity: {}", caveat(card, &Standing::Missed)),
        other => format!("Not a capacity: {}", caveat(card, other)),
    }
}

/// What stands against calling the result a capacity.
pub(super) fn caveat(card: &CapacityCard, standing: &Standing) -> String {
    match standing {
        Standing::Capacity => String::new(),
        Standing::Missed => {
            format!("the objectives do not hold even at the minimum, {}", load(card, card.min))
        }
        Standing::NoObjectives => "there was no objective that a load could miss".into(),
        Standing::SharedCores(cpus) => format!(
            "generator and relay shared cores {}; what follows is what both together reached on them",
            show::list(cpus)
        ),
        Standing::UnknownCores => {
            "generator and relay may have shared cores; what follows is what both together reached".into()
        }
        Standing::GeneratorLimited => at_least(card, "the generator was the limit"),
        Standing::Unfinished => at_least(card, "the search ended before its bounds were close"),
        Standing::Maximum => at_least(card, "the objectives hold even at the maximum"),
        Standing::Unconfirmed => format!(
            "the search found {}, but only {} of {} trials after it met the objectives",
            lower(card),
            card.confirmation.good,
            card.confirmation.planned
        ),
    }
}

fn at_least(card: &CapacityCard, why: &str) -> String {
    match card.found.lower {
        Some(bound) => format!("{why}: at least {}", load(card, bound)),
        None => format!("{why}: nothing was proved"),
    }
}

fn lower(card: &CapacityCard) -> String {
    card.found.lower.map_or_else(|| "none".into(), |bound| load(card, bound))
}

/// A load with its unit.
pub(super) fn load(card: &CapacityCard, load: f64) -> String {
    format!("{} {}", show::exact(load), unit(card))
}

/// The unit of loads.
pub(super) fn unit(card: &CapacityCard) -> &'static str {
    match card.varied {
        Varied::Rate => "payloads/s from each sender",
        Varied::Clients => "clients",
    }
}
