//! A name: what people write, and what counts as the same.

use std::sync::Arc;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::limits::{MARKS_IN_A_ROW, NAME_CHARACTERS};

/// A name. Two spellings that differ only in case, or in how an accent is written, are one.
#[derive(Clone, Debug)]
pub struct Name {
    /// The same for all spellings.
    pub key: Arc<str>,
    /// As its owner writes it, in Unicode's normal form C.
    pub shown: Arc<str>,
}

/// It has not 1 to [`NAME_CHARACTERS`] characters out of letters (and the marks that go with them), digits, `_`, `-` and `.`, or
/// is a single `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// If it can be none.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadName> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadName)?;
        let (mut shown, mut marks) = (String::with_capacity(text.len()), 0);
        for (at, character) in text.nfc().enumerate() {
            let is_mark = at > 0 && is_combining_mark(character) && !is_invisible(character);
            marks = if is_mark { marks + 1 } else { 0 };
            if at == NAME_CHARACTERS || marks > MARKS_IN_A_ROW || !is_good(character) && !is_mark {
                return Err(BadName);
            }
            shown.push(character);
        }
        // What stands for nobody is nobody's.
        if shown.is_empty() || shown == "-" {
            return Err(BadName);
        }
        let key: String = shown.nfd().default_case_fold().nfc().collect();
        Ok(Self { key: key.into(), shown: shown.into() })
    }

    /// As the store keeps it.
    pub(crate) fn stored(&self) -> store::Name {
        store::Name { key: (*self.key).into(), shown: (*self.shown).into() }
    }

    /// As it was kept.
    pub(crate) fn of_store(name: &store::Name) -> Self {
        Self { key: (*name.key).into(), shown: (*name.shown).into() }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Name {}

fn is_good(character: char) -> bool {
    match character {
        '_' | '-' | '.' => true,
        _ if character.is_ascii() => character.is_ascii_alphanumeric(),
        _ => is_letter_or_digit(character) && !is_invisible(character),
    }
}

/// By its general category: superscripts, fractions, Roman numerals and letters in circles are neither.
fn is_letter_or_digit(character: char) -> bool {
    character.general_category_group() == GeneralCategoryGroup::Letter
        || character.general_category() == GeneralCategory::DecimalNumber
}

/// Letters and marks that nobody sees: fillers, joiners, and selectors of variants (`Default_Ignorable_Code_Point`), and blanks that are none of
/// those.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
        | '\u{13441}' | '\u{13442}' | '\u{16fe4}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn spellings_of_one_name_have_one_key() {
        for (one, other) in [
            ("Anna", "anna"),
            ("\u{c9}va", "e\u{301}va"),
            ("STRASSE", "stra\u{df}e"),
            (
                "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
                "\u{3c3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c3}",
            ),
        ] {
            assert_eq!(name(one), name(other), "{one} {other}");
        }
        assert_ne!(name("anna"), name("anne"));
        assert_eq!(&*name("E\u{301}va").shown, "\u{c9}va");
    }

    #[test]
    fn names_are_letters_digits_and_three_signs() {
        for good in [
            "a",
            "-a",
            ".",
            "_",
            "a.b-c_9",
            "\u{5c71}\u{7530}",
            "\u{627}\u{644}\u{639}",
            "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
            "\u{e01}\u{e33}",
            "\u{e44}\u{e17}\u{e22}",
            "\u{661}\u{967}\u{ff12}",
            &"x".repeat(32),
            &"e\u{301}".repeat(32),
            "x\u{302}\u{303}\u{304}\u{305}",
        ] {
            assert!(Name::parse(good.as_bytes()).is_ok(), "{good}");
        }
        let bad = [
            "",
            "-",
            "#1",
            "a b",
            "a\u{a0}b",
            "a\n",
            "a=b",
            "\u{1f600}",
            "a\u{200b}",
            "\u{301}a",
            "an\u{34f}na",
            "anna\u{fe0f}",
            "anna\u{e0100}",
            "an\u{17b4}na",
            "an\u{180b}na",
            "x\u{302}\u{303}\u{304}\u{305}\u{306}",
            "\u{3164}",
            "\u{13441}",
            "a\u{16fe4}",
            "a\u{202e}",
            "x\u{b2}",
            "\u{bd}",
            "\u{2460}",
            "\u{2167}",
            "\u{24b6}",
            "\u{1f130}",
            "\u{93f}a",
            "!a",
            &"x".repeat(33),
        ];
        for bad in bad {
            assert_eq!(Name::parse(bad.as_bytes()).err(), Some(BadName), "{bad:?}");
        }
        assert!(Name::parse(b"\xff").is_err());
    }

    #[test]
    fn a_key_is_its_own_key() {
        for text in ["\u{130}x", "\u{1e9e}", "\u{fb01}", "\u{390}", "A\u{30a}"] {
            let key = name(text).key;
            assert_eq!(name(&key).key, key, "{text}");
        }
    }
}
