//! libFuzzer on the decoder.
#![no_main]

// Without the library, because libFuzzer looks at every counter of the program after each execution.
#[path = "../src/decoder.rs"]
mod decoder;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoder::check(bytes));
