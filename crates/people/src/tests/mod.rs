//! People as they are told to behave, and as they do.

mod fairness;
mod letters;
mod presence;
mod random;
mod registry;
mod rendezvous;
mod silence;
mod world;
