//! Long lines in rows of their own.

use ratatui::text::Span;

/// Cuts a line where the width ends, between words if it can. Further rows stand under the text of the first, so that nobody's
/// text can look like a line of its own.
pub fn wrap(text: &str, head: usize, width: usize) -> Vec<String> {
    let indent = if width >= 3 * head { head } else { usize::from(width > 2) };
    let (mut rows, mut row, mut used) = (Vec::new(), String::new(), 0);
    for letter in text.chars() {
        let wide = width_of(letter);
        if used + wide > width {
            let begin = if rows.is_empty() { head } else { indent };
            let word = match row.rfind(' ') {
                Some(space) if letter != ' ' && space > begin => row.split_off(space + 1),
                _ => String::new(),
            };
            rows.push(std::mem::replace(&mut row, " ".repeat(indent) + &word));
            used = indent + word.chars().map(width_of).sum::<usize>();
            if letter == ' ' {
                continue;
            }
        }
        used += wide;
        row.push(letter);
    }
    rows.push(row);
    rows
}

/// The cells that it may take at most: many terminals show a letter as a wide emoji when that is asked for behind it.
fn width_of(letter: char) -> usize {
    match letter {
        '\u{fe0f}' => 1,
        letter => Span::raw(&*letter.encode_utf8(&mut [0; 4])).width(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_words_and_look_like_one() {
        let rows = |text: &str, width| wrap(&format!("09:02 < {text}"), 8, width);
        assert_eq!(rows("one two three four", 24), ["09:02 < one two three ", "        four"]);
        assert_eq!(rows("one two three", 21), ["09:02 < one two three"]);
        // No word of the text comes to stand where a time does.
        assert_eq!(
            rows("x                   09:03 * you are eve", 24),
            ["09:02 < x               ", "           09:03 * you ", "        are eve"]
        );
        assert_eq!(
            rows("a_word_that_is_too_long_to_fit", 24),
            ["09:02 < a_word_that_is_t", "        oo_long_to_fit"]
        );
        assert_eq!(rows("one two", 12), ["09:02 < one ", " two"]);
    }

    #[test]
    fn what_a_terminal_may_show_wide_counts_as_wide() {
        let hearts = "\u{2764}\u{fe0f}".repeat(5);
        assert_eq!(wrap(&format!("< {hearts}*"), 2, 12), [format!("< {hearts}"), "  *".to_owned()]);
    }
}
