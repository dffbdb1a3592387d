//! Foreign bytes made safe to print.

use std::fmt::Write;

/// One line that no terminal takes for anything but text.
///
/// Control characters (C0 with newline and tab, DEL, C1), line separators and the marks that turn the direction of
/// writing become `\n`, `\x1b` or `\u{202e}`; bytes that are not UTF-8 become `\xff`. A backslash stays as it is, so the
/// result cannot be turned back: it is for eyes.
pub fn harmless(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            push(&mut line, letter);
        }
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    line
}

/// Whether a character does something to a terminal or to the order of the text around it.
pub fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push(line: &mut String, letter: char) {
    // Writing to a string cannot fail.
    let _ = match letter {
        '\n' => write!(line, "\\n"),
        '\r' => write!(line, "\\r"),
        '\t' => write!(line, "\\t"),
        letter if !is_harmful(letter) => write!(line, "{letter}"),
        letter if letter.is_ascii() => write!(line, "\\x{:02x}", u32::from(letter)),
        letter => write!(line, "\\u{{{:x}}}", u32::from(letter)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_what_harms_and_nothing_else() {
        assert_eq!(harmless("Grüße, 世界 👋 C:\\dir".as_bytes()), "Grüße, 世界 👋 C:\\dir");
        assert_eq!(harmless(b"\x1b[2J\x07a\nb\tc\r\x7f\0"), r"\x1b[2J\x07a\nb\tc\r\x7f\x00");
        assert_eq!(
            harmless("\u{9b}2J \u{202e}evil\u{2066} \u{2028}".as_bytes()),
            r"\u{9b}2J \u{202e}evil\u{2066} \u{2028}"
        );
        assert_eq!(harmless(b"a\xff\xfeb\xe2\x82"), r"a\xff\xfeb\xe2\x82");
    }

    proptest! {
        #[test]
        fn is_always_one_harmless_line(bytes: Vec<u8>) {
            prop_assert!(!harmless(&bytes).chars().any(is_harmful));
        }

        #[test]
        fn keeps_what_is_harmless(text in "[^\\pC]{0,40}") {
            let text: String = text.chars().filter(|&letter| !is_harmful(letter)).collect();
            prop_assert_eq!(harmless(text.as_bytes()), text);
        }
    }
}
