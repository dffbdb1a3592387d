//! libFuzzer on names, messages and rendezvous.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::people::check(bytes));
