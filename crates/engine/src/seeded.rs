//! How the property tests are seeded: always alike, unless `PROPTEST_RNG_SEED` says otherwise.

use proptest::test_runner::{Config, RngSeed};

/// The seed of a run that asks for none.
const SEED: u64 = 5000;

/// Proptest's own settings, with a fixed seed instead of a random one.
pub(crate) fn config() -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(SEED),
        chosen => chosen,
    };
    Config { rng_seed, ..config }
}
