//! How much a relay can do: a search by MLRsearch (RFC 9971), and a card that says what was found.

mod classify;
pub mod goal;
pub mod search;
