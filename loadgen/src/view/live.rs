//! The live view: takes the terminal, draws, listens to keys, and gives the terminal back whatever happens.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::pace::Pace;
use super::screen;
use super::{Status, View, Wish};

/// Draws on the whole terminal.
pub struct Live {
    /// None once the terminal was given back.
    terminal: Option<DefaultTerminal>,
    pace: Pace,
    is_coloured: bool,
    wish: Wish,
}

impl Live {
    /// Takes the terminal. A panic gives it back before it is reported.
    ///
    /// # Errors
    /// What keeps it from being one that can be drawn on.
    pub fn start() -> io::Result<Self> {
        let terminal = ratatui::try_init().inspect_err(|_| drop(ratatui::try_restore()))?;
        // See https://no-color.org.
        let is_coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Live { terminal: Some(terminal), pace: Pace::new(), is_coloured, wish: Wish::GoOn })
    }
}

impl View for Live {
    fn show(&mut self, status: &Status) -> io::Result<Wish> {
        self.pace.update(status);
        // Without a keyboard there is a view all the same.
        while event::poll(Duration::ZERO).unwrap_or(false) {
            if event::read().is_ok_and(|event| asks_to_stop(&event)) {
                self.wish = Wish::Stop;
            }
        }
        if let Some(terminal) = &mut self.terminal {
            let screen = screen::Screen {
                status,
                pace: &self.pace,
                is_coloured: self.is_coloured,
                is_ending: self.wish == Wish::Stop,
            };
            terminal.draw(|frame| screen.draw(frame))?;
        }
        Ok(self.wish)
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(mut terminal) = self.terminal.take() else { return Ok(()) };
        ratatui::try_restore().and(terminal.show_cursor())
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
