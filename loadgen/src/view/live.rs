//! The live view: takes the terminal, draws, listens to keys, and gives the terminal back whatever happens.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;

use super::pace::Pace;
use super::screen::Screen;
use super::{Status, View, Wish};

/// True while the terminal is not as it was.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The exit code of a process that was interrupted twice.
const ABORTED: i32 = 130;

/// Gives the terminal back, if a view has it, and ends the process.
pub fn abort() -> ! {
    if TAKEN.load(Ordering::SeqCst) {
        // Held to the end, so that nothing is drawn any more.
        let mut out = io::stdout().lock();
        let _ = ratatui::try_restore();
        let _ = execute!(out, Show);
        std::process::exit(ABORTED);
    }
    std::process::exit(ABORTED);
}

/// Draws on the whole terminal.
pub struct Live {
    terminal: Terminal,
    pace: Pace,
    is_coloured: bool,
    stop: Arc<AtomicBool>,
}

enum Terminal {
    /// Nothing was shown yet: who fails before that fails on the terminal as it is.
    Untouched,
    Taken(DefaultTerminal),
    GivenBack,
}

impl Live {
    /// A view that takes the terminal when it first shows something. A panic gives it back before it is reported, and so
    /// does whoever asks to stop when that was asked before.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        // See https://no-color.org.
        let is_coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Live { terminal: Terminal::Untouched, pace: Pace::new(), is_coloured, stop }
    }

    fn listen(&mut self) {
        // Without a keyboard there is a view all the same.
        while event::poll(Duration::ZERO).unwrap_or(false) {
            let asks = event::read().is_ok_and(|event| asks_to_stop(&event));
            if asks && self.stop.swap(true, Ordering::Relaxed) {
                abort();
            }
        }
    }

    fn draw(&mut self, status: &Status) -> io::Result<()> {
        let Terminal::Taken(terminal) = &mut self.terminal else { return Ok(()) };
        let is_ending = self.stop.load(Ordering::Relaxed);
        let (pace, is_coloured) = (&self.pace, self.is_coloured);
        let screen = Screen { status, pace, is_coloured, is_ending };
        terminal.draw(|frame| screen.draw(frame)).map(drop)
    }
}

impl View for Live {
    fn show(&mut self, status: &Status) -> io::Result<Wish> {
        self.pace.update(status);
        if matches!(self.terminal, Terminal::Untouched) {
            TAKEN.store(true, Ordering::SeqCst);
            let taken = ratatui::try_init().inspect_err(|_| drop(ratatui::try_restore()))?;
            self.terminal = Terminal::Taken(taken);
        }
        self.listen();
        self.draw(status)?;
        Ok(if self.stop.load(Ordering::Relaxed) { Wish::Stop } else { Wish::GoOn })
    }

    fn finish(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.terminal, Terminal::GivenBack) {
            Terminal::Taken(mut terminal) => {
                let given_back = ratatui::try_restore().and(terminal.show_cursor());
                TAKEN.store(false, Ordering::SeqCst);
                given_back
            }
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
