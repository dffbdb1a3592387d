//! Prints the reference of the generator's metrics, which stands in `docs/loadgen.md`: `cargo xtask reference` writes it there.

use loadgen::exporter::CATALOGUE;

fn main() {
    print!("{}", expose::reference(CATALOGUE.iter().chain(expose::process::CATALOGUE)));
}
