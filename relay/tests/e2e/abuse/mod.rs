//! Hostile clients: forged floods, what they get out of the relay, and what the relay keeps of them.

mod access;
mod flood;
mod ledger;
mod spoof;
