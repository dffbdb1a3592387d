//! The nearest known word to a misspelt one.

/// Longer words are no misspellings of ours, and the distance takes time with the length.
const LONGEST: usize = 64;

/// The nearest of `known`, if it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('_', "-");
    let scored = known.into_iter().map(|other| (distance(&word, other), other));
    let (distance, best) = scored.min()?;
    (distance <= best.len().div_ceil(3)).then_some(best)
}

/// Insertions, deletions and substitutions (Levenshtein) that make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_only() {
        let known = ["port", "cap", "heartbeat", "host"];
        assert_eq!(nearest("prot", known), Some("port"));
        assert_eq!(nearest("heart_beat", known), Some("heartbeat"));
        assert_eq!(nearest("Caps", known), Some("cap"));
        assert_eq!(nearest("listen", known), None);
        assert_eq!(nearest(&"p".repeat(1 << 20), known), None);
        assert_eq!([distance("", "abc"), distance("kitten", "sitting"), distance("ß", "")], [3, 3, 1]);
    }
}
