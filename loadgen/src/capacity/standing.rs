//! Whether what was found may be called a capacity.

use serde::{Deserialize, Serialize};

use super::search::Ending;
use crate::report::Report;

/// What may be said of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The relay's capacity.
    Capacity,
    /// The objectives do not hold even at the minimum.
    Missed,
    /// There was no objective that a load could miss.
    NoObjectives,
    /// Generator and relay ran on these cores, so that each took from the other.
    SharedCores(Vec<usize>),
    /// They may have shared cores.
    UnknownCores,
    /// The generator could not sustain more: the relay may.
    GeneratorLimited,
    /// The search ended before its bounds were close.
    Unfinished,
    /// When the lower bound was tried again, too many trials missed the objectives or said nothing.
    Unconfirmed,
    /// Even the maximum is good: the relay may do more.
    Maximum,
}

impl Standing {
    /// The exit code of the process: 0 for a capacity, 99 where the objectives do not hold even at the minimum, 98 where
    /// what was measured may not be called a capacity.
    pub fn exit_code(&self) -> u8 {
        match self {
            Standing::Capacity => 0,
            Standing::Missed => 99,
            _ => 98,
        }
    }
}

/// Where generator and relay ran. Cores are numbered as the kernel does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// Whether they ran on the same machine, if that is known.
    pub same_machine: Option<bool>,
    /// Cores that the generator's threads may have run on, if that is known.
    pub generator: Option<Vec<usize>>,
    /// Cores that the relay's threads may have run on, if that is known.
    pub relay: Option<Vec<usize>>,
}

impl Cores {
    /// The cores that the generator's threads were pinned to, if each was. They say nothing when there were workers, whose
    /// machines count their cores for themselves.
    pub fn of_generator(report: &Report) -> Option<Vec<usize>> {
        let own = &report.outcome.own;
        if own.is_empty() || report.setup.workers > 0 {
            return None;
        }
        let mut cpus = own.iter().map(|own| own.cpu).collect::<Option<Vec<usize>>>()?;
        cpus.sort_unstable();
        cpus.dedup();
        Some(cpus)
    }

    /// What they forbid, if anything.
    fn objection(&self) -> Option<Standing> {
        match (self.same_machine, &self.generator, &self.relay) {
            (Some(false), ..) => None,
            (Some(true), Some(generator), Some(relay)) if !generator.is_empty() && !relay.is_empty() => {
                let mut shared: Vec<usize> =
                    generator.iter().copied().filter(|cpu| relay.contains(cpu)).collect();
                shared.sort_unstable();
                shared.dedup();
                (!shared.is_empty()).then_some(Standing::SharedCores(shared))
            }
            _ => Some(Standing::UnknownCores),
        }
    }
}

/// What a result rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence<'a> {
    /// Where generator and relay ran.
    pub cores: &'a Cores,
    /// Why the search ended.
    pub ending: Ending,
    /// Whether there was an objective.
    pub objectives: bool,
    /// Whether enough of the trials that repeated the lower bound met the objectives, if there is a lower bound.
    pub confirmed: bool,
}

/// All that stands against calling a result the relay's capacity, the weightiest first; empty if nothing does.
pub fn objections(evidence: Evidence<'_>) -> Vec<Standing> {
    let when = |applies: bool, standing: Standing| applies.then_some(standing);
    let ending = evidence.ending;
    [
        when(!evidence.objectives, Standing::NoObjectives),
        when(ending == Ending::Minimum, Standing::Missed),
        evidence.cores.objection(),
        when(ending == Ending::Generator, Standing::GeneratorLimited),
        when(matches!(ending, Ending::Budget | Ending::Stopped), Standing::Unfinished),
        when(!evidence.confirmed, Standing::Unconfirmed),
        when(ending == Ending::Maximum, Standing::Maximum),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(same: Option<bool>, generator: Option<&[usize]>, relay: Option<&[usize]>) -> Cores {
        let owned = |cpus: Option<&[usize]>| cpus.map(<[usize]>::to_vec);
        Cores { same_machine: same, generator: owned(generator), relay: owned(relay) }
    }

    fn judged(cores: &Cores, ending: Ending) -> Vec<Standing> {
        objections(Evidence { cores, ending, objectives: true, confirmed: true })
    }

    #[test]
    fn cores_decide() {
        let apart = [
            cores(Some(true), Some(&[0]), Some(&[1, 2])),
            cores(Some(false), None, None),
            cores(Some(false), Some(&[0]), Some(&[0])),
        ];
        for cores in apart {
            assert_eq!(judged(&cores, Ending::Regular), []);
        }
        let shared = cores(Some(true), Some(&[1, 0, 2]), Some(&[0, 1, 1]));
        assert_eq!(judged(&shared, Ending::Regular), [Standing::SharedCores(vec![0, 1])]);
        let unknown = [
            cores(Some(true), None, Some(&[0])),
            cores(Some(true), Some(&[0]), None),
            cores(None, Some(&[0]), Some(&[1])),
            cores(Some(true), Some(&[]), Some(&[1])),
        ];
        for cores in unknown {
            assert_eq!(judged(&cores, Ending::Regular), [Standing::UnknownCores]);
        }
    }

    #[test]
    fn the_weightiest_objection_comes_first() {
        let shared = cores(Some(true), Some(&[0]), Some(&[0]));
        let found = judged(&shared, Ending::Generator);
        assert_eq!(found, [Standing::SharedCores(vec![0]), Standing::GeneratorLimited]);
        let found = judged(&shared, Ending::Minimum);
        assert_eq!((&found[0], found[0].exit_code()), (&Standing::Missed, 99));
        let apart = cores(Some(false), None, None);
        let unconfirmed =
            Evidence { cores: &apart, ending: Ending::Regular, objectives: true, confirmed: false };
        assert_eq!(objections(unconfirmed), [Standing::Unconfirmed]);
        assert_eq!((Standing::Capacity.exit_code(), Standing::Unconfirmed.exit_code()), (0, 98));
    }
}
