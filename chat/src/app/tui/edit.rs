//! The line that is being typed on the full screen.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Lines that can be called back.
const MAX_HISTORY: usize = 500;

/// A line, the place in it, and those before it.
#[derive(Debug, Default)]
pub struct Edit {
    line: Vec<char>,
    place: usize,
    history: Vec<String>,
    /// How far back in the history we are.
    back: usize,
    /// What the last Tab offered, to go through: where the word begins, the words, and which is shown.
    offer: Option<(usize, Vec<String>, usize)>,
}

/// What a key has led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    Nothing,
    Line(String),
    /// No more lines come.
    End,
}

impl Edit {
    /// Takes a key; `complete` tells where the last word of a text begins, and what it could be.
    pub fn key(&mut self, key: KeyEvent, complete: impl Fn(&str) -> (usize, Vec<String>)) -> Typed {
        if key.code == KeyCode::Tab {
            self.complete(complete);
            return Typed::Nothing;
        }
        self.offer = None;
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(letter) if is_alt => self.alt(letter),
            KeyCode::Char('d') if is_control && self.line.is_empty() => return Typed::End,
            KeyCode::Char(letter) if is_control => self.control(letter),
            KeyCode::Char(letter) => self.insert(letter),
            KeyCode::Enter => return self.finish(),
            KeyCode::Backspace => self.rub_out(),
            KeyCode::Delete if self.place < self.line.len() => drop(self.line.remove(self.place)),
            KeyCode::Left => self.place = self.place.saturating_sub(1),
            KeyCode::Right => self.place = (self.place + 1).min(self.line.len()),
            KeyCode::Home => self.place = 0,
            KeyCode::End => self.place = self.line.len(),
            KeyCode::Up => self.recall(self.back + 1),
            KeyCode::Down if self.back > 0 => self.recall(self.back - 1),
            _ => {}
        }
        Typed::Nothing
    }

    /// Takes what was pasted: line ends in it send nothing.
    pub fn paste(&mut self, text: &str) {
        text.chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .for_each(|letter| self.insert(letter));
    }

    /// The line, and what of it stands before the place.
    pub fn parts(&self) -> (String, String) {
        (self.line.iter().collect(), self.line[..self.place].iter().collect())
    }

    fn control(&mut self, letter: char) {
        match letter {
            'h' => self.rub_out(),
            'a' => self.place = 0,
            'e' => self.place = self.line.len(),
            'c' => self.set(""),
            'u' => {
                self.line.drain(..self.place);
                self.place = 0;
            }
            'k' => self.line.truncate(self.place),
            'w' => {
                let end = self.place;
                self.place = self.word_before(|letter| *letter != ' ');
                self.line.drain(self.place..end);
            }
            _ => {}
        }
    }

    fn alt(&mut self, letter: char) {
        match letter {
            'b' => self.place = self.word_before(|letter| letter.is_alphanumeric()),
            'f' => self.place = self.word_end(),
            'd' => drop(self.line.drain(self.place..self.word_end())),
            _ => {}
        }
    }

    /// Where the word begins that is, or ends, before the place.
    fn word_before(&self, is_part: impl Fn(&char) -> bool) -> usize {
        let before = &self.line[..self.place];
        let end = before.iter().rposition(&is_part).map_or(0, |last| last + 1);
        before[..end].iter().rposition(|letter| !is_part(letter)).map_or(0, |gap| gap + 1)
    }

    /// Where the word ends that is, or begins, behind the place.
    fn word_end(&self) -> usize {
        let is_part = |at: &usize| self.line[*at].is_alphanumeric();
        let mut rest = self.place..self.line.len();
        let begin = rest.find(is_part).unwrap_or(self.line.len());
        (begin..self.line.len()).find(|at| !is_part(at)).unwrap_or(self.line.len())
    }

    fn rub_out(&mut self) {
        if self.place > 0 {
            self.place -= 1;
            self.line.remove(self.place);
        }
    }

    fn insert(&mut self, letter: char) {
        self.line.insert(self.place, letter);
        self.place += 1;
    }

    fn set(&mut self, line: &str) {
        self.line = line.chars().collect();
        self.place = self.line.len();
    }

    fn finish(&mut self) -> Typed {
        let line: String = std::mem::take(&mut self.line).into_iter().collect();
        (self.place, self.back) = (0, 0);
        if !line.is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            if self.history.len() > MAX_HISTORY {
                self.history.remove(0);
            }
        }
        Typed::Line(line)
    }

    fn recall(&mut self, back: usize) {
        if back > self.history.len() {
            return;
        }
        self.back = back;
        let line = self.history.iter().rev().nth(back.wrapping_sub(1)).cloned().unwrap_or_default();
        self.set(&line);
    }

    /// The first word that fits; with each further Tab the next one.
    fn complete(&mut self, complete: impl Fn(&str) -> (usize, Vec<String>)) {
        let (start, words, turn) = match self.offer.take() {
            Some((start, words, turn)) => (start, words, turn + 1),
            None => {
                let before: String = self.line[..self.place].iter().collect();
                let (start, words) = complete(&before);
                (before[..start].chars().count(), words, 0)
            }
        };
        let Some(word) = words.get(turn % words.len().max(1)) else { return };
        let whole: Vec<char> = word.chars().chain([' ']).collect();
        let end = start + whole.len();
        self.line.splice(start..self.place, whole);
        self.place = end;
        self.offer = Some((start, words, turn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(edit: &mut Edit, keys: &str) -> Typed {
        let words = |typed: &str| {
            let all = ["/msg", "/me"].into_iter().filter(|word| word.starts_with(typed));
            (0, all.map(str::to_owned).collect())
        };
        let mut last = Typed::Nothing;
        for letter in keys.chars() {
            let (code, modifiers) = match letter {
                '\n' => (KeyCode::Enter, KeyModifiers::NONE),
                '\t' => (KeyCode::Tab, KeyModifiers::NONE),
                '\u{8}' => (KeyCode::Backspace, KeyModifiers::NONE),
                '\u{2190}' => (KeyCode::Left, KeyModifiers::NONE),
                '\u{2191}' => (KeyCode::Up, KeyModifiers::NONE),
                '\u{2193}' => (KeyCode::Down, KeyModifiers::NONE),
                '\u{17}' => (KeyCode::Char('w'), KeyModifiers::CONTROL),
                '\u{3}' => (KeyCode::Char('c'), KeyModifiers::CONTROL),
                '\u{4}' => (KeyCode::Char('d'), KeyModifiers::CONTROL),
                '\u{1d41b}' => (KeyCode::Char('b'), KeyModifiers::ALT),
                '\u{1d41f}' => (KeyCode::Char('f'), KeyModifiers::ALT),
                '\u{1d41d}' => (KeyCode::Char('d'), KeyModifiers::ALT),
                '\u{1d431}' => (KeyCode::Char('x'), KeyModifiers::ALT),
                letter => (KeyCode::Char(letter), KeyModifiers::NONE),
            };
            last = edit.key(KeyEvent::new(code, modifiers), words);
        }
        last
    }

    fn line(keys: &str) -> String {
        let mut edit = Edit::default();
        press(&mut edit, keys);
        edit.parts().0
    }

    #[test]
    fn keys_edit_the_line() {
        assert_eq!(line("helo\u{2190}l"), "hello");
        assert_eq!(line("grüße\u{8}\u{8}\u{8}"), "gr");
        assert_eq!(line("two words \u{17}"), "two ");
        assert_eq!(line("gone\u{3}"), "");
        assert_eq!(line("/m\t"), "/msg ");
        assert_eq!(line("/m\t\t"), "/me ");
        assert_eq!(line("/m\t\t\t"), "/msg ");
        assert_eq!(line("x\t"), "x");
    }

    /// With Alt, which is set in bold here.
    #[test]
    fn keys_move_by_words() {
        assert_eq!(line("one, two\u{1d41b}x"), "one, xtwo");
        assert_eq!(line("one, two\u{1d41b}\u{1d41b}\u{1d41b}x"), "xone, two");
        assert_eq!(line("one, two\u{1d41b}\u{1d41b}\u{1d41f}x"), "onex, two");
        assert_eq!(line("one, two\u{1d41b}\u{1d41b}\u{1d41f}\u{1d41f}\u{1d41f}x"), "one, twox");
        assert_eq!(line("one, two\u{1d41b}\u{1d41d}"), "one, ");
        assert_eq!(line("one, two\u{1d41b}\u{1d41b}\u{1d41f}\u{1d41d}"), "one");
        assert_eq!(line("one\u{1d431}\u{1d41d}"), "one");
    }

    #[test]
    fn lines_are_sent_and_called_back() {
        let mut edit = Edit::default();
        assert_eq!(press(&mut edit, "one\n"), Typed::Line("one".into()));
        assert_eq!(press(&mut edit, "two\n"), Typed::Line("two".into()));
        press(&mut edit, "\u{2191}\u{2191}\u{2191}");
        assert_eq!(edit.parts().0, "one");
        press(&mut edit, "\u{2193}\u{2193}");
        assert_eq!(edit.parts().0, "");
        assert_eq!(press(&mut edit, "x\u{4}"), Typed::Nothing);
        assert_eq!(press(&mut edit, "\u{3}\u{4}"), Typed::End);
    }

    #[test]
    fn what_is_pasted_is_one_line() {
        let mut edit = Edit::default();
        edit.paste("a\nb\x1b[2J");
        assert_eq!(edit.parts().0, "a b [2J");
    }
}
