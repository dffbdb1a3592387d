//! The live view: takes the terminal, draws, listens to keys, and gives the terminal back whatever happens.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::pace::Pace;
use super::screen::Screen;
use super::{Status, View, Wish};

/// Draws on the whole terminal.
pub struct Live {
    terminal: Terminal,
    pace: Pace,
    is_coloured: bool,
    wish: Wish,
}

enum Terminal {
    /// Nothing was shown yet: who fails before that fails on the terminal as it is.
    Untouched,
    Taken(DefaultTerminal),
    GivenBack,
}

impl Live {
    /// A view that takes the terminal when it first shows something. A panic gives it back before it is reported.
    pub fn new() -> Self {
        // See https://no-color.org.
        let is_coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Live { terminal: Terminal::Untouched, pace: Pace::new(), is_coloured, wish: Wish::GoOn }
    }

    fn listen(&mut self) {
        // Without a keyboard there is a view all the same.
        while event::poll(Duration::ZERO).unwrap_or(false) {
            if event::read().is_ok_and(|event| asks_to_stop(&event)) {
                self.wish = Wish::Stop;
            }
        }
    }

    fn draw(&mut self, status: &Status) -> io::Result<()> {
        let Terminal::Taken(terminal) = &mut self.terminal else { return Ok(()) };
        let (pace, is_coloured, is_ending) = (&self.pace, self.is_coloured, self.wish == Wish::Stop);
        let screen = Screen { status, pace, is_coloured, is_ending };
        terminal.draw(|frame| screen.draw(frame)).map(drop)
    }
}

impl Default for Live {
    fn default() -> Self {
        Live::new()
    }
}

impl View for Live {
    fn show(&mut self, status: &Status) -> io::Result<Wish> {
        self.pace.update(status);
        if matches!(self.terminal, Terminal::Untouched) {
            let taken = ratatui::try_init().inspect_err(|_| drop(ratatui::try_restore()))?;
            self.terminal = Terminal::Taken(taken);
        }
        self.listen();
        self.draw(status)?;
        Ok(self.wish)
    }

    fn finish(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.terminal, Terminal::GivenBack) {
            Terminal::Taken(mut terminal) => ratatui::try_restore().and(terminal.show_cursor()),
            Terminal::Untouched | Terminal::GivenBack => Ok(()),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// `q`, or Ctrl-C, which a terminal in raw mode makes no signal of.
fn asks_to_stop(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    let asks = match key.code {
        KeyCode::Char('c') => is_control,
        KeyCode::Char('q' | 'Q') => !is_control,
        _ => false,
    };
    asks && key.kind != KeyEventKind::Release
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn keys() {
        let asks = |code, modifiers| asks_to_stop(&Event::Key(KeyEvent::new(code, modifiers)));
        assert!(
            asks(KeyCode::Char('q'), KeyModifiers::NONE) && asks(KeyCode::Char('Q'), KeyModifiers::SHIFT)
        );
        assert!(asks(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!asks(KeyCode::Char('c'), KeyModifiers::NONE) && !asks(KeyCode::Enter, KeyModifiers::NONE));
        assert!(!asks_to_stop(&Event::Resize(80, 24)));
    }
}
