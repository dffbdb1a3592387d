//! Named loads: each only sets flags, and any flag beside it wins.

use std::time::Duration;

use crate::plan::{Arrivals, PayloadSize, Senders};

/// A named load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// 1,000 people in groups of 20, each a line of 60..400 bytes every 20 s, at random times
    Chat,
    /// 200 players in groups of 10, each 64 bytes 30 times a second
    Game,
    /// 400 listeners in groups of 8, in each one speaker with 160 bytes (20 ms of G.711) 50 times a second
    Voice,
    /// 100,000 clients in groups of 100 that send nothing but heartbeats
    Heartbeat,
    /// A group of 100 with 64 payloads of 512 bytes in flight: as fast as it goes
    Flood,
    /// 200 people with names who each write 60..400 bytes to another once a second; a fifth of them are offline
    People,
}

/// What a profile sets.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// `--clients`
    pub clients: u32,
    /// `--group-size`
    pub group_size: u32,
    /// `--senders`
    pub senders: Senders,
    /// `--rate`
    pub rate: f64,
    /// `--in-flight`
    pub in_flight: Option<u16>,
    /// `--payload`
    pub payload: PayloadSize,
    /// `--arrivals`
    pub arrivals: Arrivals,
    /// `--ramp`
    pub ramp: Duration,
}

impl Preset {
    /// Without a profile: 100 clients in groups of 10, each 64 bytes once a second.
    pub const NONE: Preset = Preset {
        clients: 100,
        group_size: 10,
        senders: Senders::All,
        rate: 1.0,
        in_flight: None,
        payload: PayloadSize::Fixed(64),
        arrivals: Arrivals::Constant,
        ramp: Duration::from_secs(1),
    };
}

impl Profile {
    /// What it sets.
    pub fn preset(self) -> Preset {
        let none = Preset::NONE;
        match self {
            Profile::Chat => Preset {
                clients: 1000,
                group_size: 20,
                rate: 0.05,
                payload: PayloadSize::Between(60, 400),
                arrivals: Arrivals::Poisson,
                ..none
            },
            Profile::Game => Preset { clients: 200, rate: 30.0, ..none },
            Profile::Voice => Preset {
                clients: 400,
                group_size: 8,
                senders: Senders::PerGroup(1),
                rate: 50.0,
                payload: PayloadSize::Fixed(160),
                ..none
            },
            Profile::Heartbeat => {
                Preset { clients: 100_000, group_size: 100, rate: 0.0, ramp: Duration::from_secs(10), ..none }
            }
            Profile::People => Preset {
                clients: 200,
                group_size: u32::MAX,
                payload: PayloadSize::Between(60, 400),
                arrivals: Arrivals::Poisson,
                ..none
            },
            Profile::Flood => {
                Preset { group_size: 100, in_flight: Some(64), payload: PayloadSize::Fixed(512), ..none }
            }
        }
    }
}
