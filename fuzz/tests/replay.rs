//! What fuzzing has found worth keeping still holds, on the plain toolchain.

use fuzz::TARGETS;

#[test]
fn the_corpus_holds() {
    for (name, check) in TARGETS {
        let path = format!("{}/corpus/{name}.hex", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.lines().count() > 10, "{path} holds next to nothing");
        for line in text.lines() {
            println!("{name} {line}");
            check(&bytes(line));
        }
    }
}

/// Two hexadecimal digits each.
fn bytes(line: &str) -> Vec<u8> {
    let pair = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    line.as_bytes().chunks(2).map(pair).collect()
}
