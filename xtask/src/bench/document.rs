//! The section "Benchmarks" of docs/performance.md, between two markers.

use anyhow::Context;
use xshell::Shell;

use super::table::Table;

const PATH: &str = "docs/performance.md";
const BEGIN: &str = "<!-- cargo xtask bench --write: begin -->\n";
const END: &str = "<!-- cargo xtask bench --write: end -->\n";

/// Writes a table in the place of the one of the same title.
pub fn put(shell: &Shell, table: &Table, host: &str) -> anyhow::Result<()> {
    let text = shell.read_file(PATH)?;
    let part = format!("{table}\nMeasured on: {host}\n");
    let text = replaced(&text, table.title, &part).context("docs/performance.md lacks the two markers")?;
    shell.write_file(PATH, text)?;
    Ok(())
}

/// The text with this part between the markers; the other parts stay.
fn replaced(text: &str, title: &str, part: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (between, after) = rest.split_once(END)?;
    let own = format!("### {title}\n");
    let mut parts: Vec<String> =
        between.split("### ").skip(1).map(|old| format!("### {}\n", old.trim_end())).collect();
    match parts.iter_mut().find(|old| old.starts_with(&own)) {
        Some(old) => *old = part.to_owned(),
        None => parts.push(part.to_owned()),
    }
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", parts.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_the_place_of_its_predecessor() {
        let empty = format!("before\n{BEGIN}{END}after\n");
        let one = replaced(&empty, "One", "### One\n\nfirst\n").unwrap();
        let two = replaced(&one, "Two", "### Two\n\nsecond\n").unwrap();
        let text = replaced(&two, "One", "### One\n\nthird\n").unwrap();
        assert_eq!(text, format!("before\n{BEGIN}\n### One\n\nthird\n\n### Two\n\nsecond\n\n{END}after\n"));
        assert_eq!(replaced("no markers", "One", ""), None);
    }
}
