//! libFuzzer on the engines of several shards.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::sequences::check(bytes));
