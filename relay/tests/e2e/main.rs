//! End to end: the release binary as its users meet it, on both backends.

mod protocol;
mod support;
