//! Tests of whole clients, in a world of their own.

mod bytes;
mod letters;
mod names;
mod network;
mod relay;
mod sessions;
mod ways;
mod world;
