//! The program against the release relay: names, messages, mail, direct talk, and coming back.

mod direct;
mod messages;
mod networks;
mod objects;
mod returns;
mod screens;
mod scripts;
mod talker;

#[path = "../common/mod.rs"]
mod common;
