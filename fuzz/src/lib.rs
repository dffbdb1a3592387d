//! What must hold for any bytes: the targets of coverage-guided fuzzing, and the corpus that it has found.
//!
//! **Each [`TARGETS`] entry takes any bytes and panics if something does not hold.** `cargo xtask fuzz` searches for such
//! bytes; the tests replay what it has found worth keeping.

// The model of the engine's own tests, whose files name each other from the root.
#[path = "../../crates/engine/tests/common/mod.rs"]
#[allow(missing_docs)]
pub mod common;
pub mod configuration;
pub mod decoder;
#[path = "../../crates/engine/tests/model/extended.rs"]
#[allow(missing_docs)]
pub mod extended;
#[path = "../../crates/engine/tests/model/oracle.rs"]
#[allow(missing_docs)]
pub mod oracle;
#[path = "../../crates/engine/tests/model/order.rs"]
#[allow(missing_docs)]
pub mod order;
pub mod people;
#[path = "../../crates/engine/tests/model/proofs.rs"]
#[allow(missing_docs)]
pub mod proofs;
pub mod sequences;
pub mod stamps;
#[path = "../../crates/engine/tests/model/steps.rs"]
#[allow(missing_docs)]
pub mod steps;
#[path = "../../crates/engine/tests/model/trial.rs"]
#[allow(missing_docs)]
pub mod trial;

/// A target's name, which is also its program's and its corpus', and what it does with one input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 5] = [
    ("decoder", decoder::check),
    ("people", people::check),
    ("sequences", sequences::check),
    ("configuration", configuration::check),
    ("stamps", stamps::check),
];
