//! Prints the reference of the relay's metrics, which stands in `docs/operations.md`: `cargo xtask reference` writes it there.

use relay::metrics::catalogue::CATALOGUE;

fn main() {
    print!("{}", expose::reference(CATALOGUE.iter().chain(expose::process::CATALOGUE)));
}
