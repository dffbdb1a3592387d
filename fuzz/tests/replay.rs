//! What fuzzing has found worth keeping still holds, on the plain toolchain.

use fuzz::TARGETS;
use rand::{Rng, RngExt, SeedableRng};

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

/// Many at random: what people say has more turns than any corpus.
#[test]
fn whatever_people_say_holds() {
    let mut dice = rand::rngs::SmallRng::seed_from_u64(11);
    for _ in 0..2000 {
        let mut input = vec![0; dice.random_range(50..600)];
        dice.fill_bytes(&mut input);
        fuzz::people::check(&input);
    }
}
