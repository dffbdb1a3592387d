//! The client against a scripted relay, under a virtual clock.

mod forgeries;
mod losses;
mod ordinary;
mod storm;
mod world;
