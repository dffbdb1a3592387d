//! The parts of the operations manual that the page links to: those of this very version.

/// The manual, as it was when this binary was built.
const MANUAL: &str = include_str!("../../../docs/operations.md");

/// The section whose heading has this name, as in a link to it: `relaynearlimit`, `socket-buffers`.
pub fn section(name: &str) -> Option<&'static str> {
    let mut start = None;
    let mut offset = 0;
    let mut in_code = false;
    for line in MANUAL.split_inclusive('\n') {
        in_code ^= line.starts_with("```");
        let level = if in_code { 0 } else { line.bytes().take_while(|byte| *byte == b'#').count() };
        match start {
            Some((begin, own)) if (1..=own).contains(&level) => return Some(&MANUAL[begin..offset]),
            None if level > 0 && anchor(&line[level..]) == name => start = Some((offset, level)),
            _ => {}
        }
        offset += line.len();
    }
    start.map(|(begin, _)| &MANUAL[begin..])
}

/// A heading's name as in a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_one_begins() {
        let section = section("socket-buffers").unwrap();
        assert!(section.starts_with("## Socket buffers\n") && section.contains("rmem_max"));
        assert_eq!(section.matches("\n## ").count(), 0);
        // A comment of a shell in a code block is no heading.
        assert!(super::section("flags-environment-file").unwrap().contains("[groups.LOBBY-1]"));
        assert_eq!(super::section("no-such-thing"), None);
    }
}
