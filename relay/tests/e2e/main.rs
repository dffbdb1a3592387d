//! End to end: the release binary as its users meet it, on both backends.

mod abuse;
mod addresses;
mod admission;
mod conservation;
mod defects;
mod fanout;
mod faults;
mod operations;
mod people;
mod protocol;
mod sessions;
mod support;
mod tcp;
mod watched;
