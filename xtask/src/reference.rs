//! The parts of the documents that are written by the programs themselves: the references of their metrics.

use std::fs;

use anyhow::Context;
use xshell::{Shell, cmd};

/// A program with an example `metrics` that prints its reference, and the document in which that stands.
const REFERENCES: [(&str, &str); 2] = [("relay", "docs/operations.md"), ("loadgen", "docs/loadgen.md")];

const BEGIN: &str = "<!-- Written by `cargo xtask reference`. -->\n";
const END: &str = "<!-- The end of what is written by `cargo xtask reference`. -->\n";

/// Writes all references into their documents.
pub fn write(shell: &Shell) -> anyhow::Result<()> {
    for (program, document) in REFERENCES {
        fs::write(document, renewed(shell, program, document)?)?;
    }
    Ok(())
}

/// Says which documents are not what the programs say.
pub fn check(shell: &Shell, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for (program, document) in REFERENCES {
        if renewed(shell, program, document)? != fs::read_to_string(document)? {
            faults.push(format!(
                "{document}: the reference of the metrics is out of date; run: cargo xtask reference"
            ));
        }
    }
    Ok(())
}

/// The document with the reference as it should be.
fn renewed(shell: &Shell, program: &str, document: &str) -> anyhow::Result<String> {
    let table = cmd!(shell, "cargo run --quiet --locked -p {program} --example metrics").quiet().read()?;
    let text = fs::read_to_string(document)?;
    let lacks = || format!("{document} lacks the comments around the reference of the metrics");
    let (before, rest) = text.split_once(BEGIN).with_context(lacks)?;
    let (_, after) = rest.split_once(END).with_context(lacks)?;
    Ok(format!("{before}{BEGIN}\n{table}\n\n{END}{after}"))
}
