//! libFuzzer on the load generator's payloads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::stamps::check(bytes));
