//! How much a relay can do: a search by MLRsearch (RFC 9971), and a card that says what was found.

pub mod card;
mod classify;
pub mod goal;
pub mod run;
pub mod search;
pub mod standing;
pub mod trial;

pub use card::{CapacityCard, Varied};
pub use goal::{Goal, InvalidGoal};
pub use run::{Asked, run};
pub use standing::{Cores, Standing};
pub use trial::{Purpose, Trial};
