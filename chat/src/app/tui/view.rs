//! Drawing the full screen.

use std::collections::BTreeSet;

use chat::{Fate, Person, Protocol, Status};
use ratatui::backend::Backend;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};
use ratatui::{Frame, Terminal};

use super::model::{self, Model, Room};
use crate::app::human::{Kind, carrier, safe};
use crate::app::wrap::wrap;

/// Narrower screens show no people.
const WIDE: u16 = 70;
const SIDE: u16 = 20;
/// Between two rooms.
const GAP: &str = "  ";

/// All that is shown.
pub struct View<'a> {
    pub model: &'a Model,
    pub people: &'a [Person],
    pub status: &'a Status,
    pub server: &'a str,
    /// To whom goes what is typed in the group's room, unless to the group.
    pub direct: Option<&'a str>,
    /// The line that is typed, and what of it stands before the cursor.
    pub typed: (&'a str, &'a str),
    pub is_coloured: bool,
}

impl View<'_> {
    /// Brings a terminal up to date on which this room was shown last. Another one is drawn anew: what a terminal has made
    /// of wide letters and flags need not be what the library takes them for, and would stay in part.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub fn show<B: Backend>(&self, terminal: &mut Terminal<B>, last: &mut usize) -> Result<(), B::Error> {
        if std::mem::replace(last, self.model.current) != self.model.current {
            // `Terminal::clear` asks the terminal where the cursor is, and whoever reads the keys takes the answer.
            terminal.backend_mut().clear()?;
            terminal.swap_buffers();
        }
        terminal.draw(|frame| self.draw(frame)).map(drop)
    }

    /// Draws it.
    fn draw(&self, frame: &mut Frame<'_>) {
        let rows = [Constraint::Length(1), Constraint::Min(1), Constraint::Length(1), Constraint::Length(1)];
        let [top, middle, bottom, input] = Layout::vertical(rows).areas(frame.area());
        let side = if frame.area().width >= WIDE { SIDE } else { 0 };
        let [messages, people] =
            Layout::horizontal([Constraint::Min(1), Constraint::Length(side)]).areas(middle);
        frame.render_widget(self.rooms(usize::from(top.width)), top);
        self.messages(frame, messages);
        if side > 0 {
            frame.render_widget(self.people(people.height), people);
        }
        frame.render_widget(
            Paragraph::new(self.status()).style(self.style(Color::Gray, Modifier::REVERSED)),
            bottom,
        );
        self.input(frame, input);
    }

    /// All rooms if they fit; otherwise the current one, those that matter as far as they fit, and how many more there are.
    fn rooms(&self, width: usize) -> Line<'static> {
        let rooms: Vec<Span<'static>> = (0..self.model.rooms.len()).map(|place| self.room(place)).collect();
        let needed = |places: &BTreeSet<usize>| -> usize {
            let rest = rooms.len() - places.len();
            let more = if rest > 0 { GAP.len() + more(rest).len() } else { 0 };
            places.iter().map(|&place| rooms[place].width() + GAP.len()).sum::<usize>() - GAP.len() + more
        };
        let all: BTreeSet<usize> = (0..rooms.len()).collect();
        let shown = if needed(&all) <= width { all } else { self.rooms_that_fit(width, needed) };
        let hidden = rooms.len() - shown.len();
        let rooms = rooms.into_iter().enumerate().filter(|(place, _)| shown.contains(place));
        let more = (hidden > 0).then(|| Span::raw(more(hidden)));
        rooms.map(|(_, room)| room).chain(more).flat_map(|room| [room, Span::raw(GAP)]).collect()
    }

    fn rooms_that_fit(&self, width: usize, needed: impl Fn(&BTreeSet<usize>) -> usize) -> BTreeSet<usize> {
        let mut shown = BTreeSet::from([self.model.current]);
        let unseen = (0..self.model.rooms.len()).filter(|&place| self.model.rooms[place].unread > 0);
        for place in unseen.chain([0]) {
            let is_new = shown.insert(place);
            if is_new && needed(&shown) > width {
                shown.remove(&place);
            }
        }
        shown
    }

    fn room(&self, place: usize) -> Span<'static> {
        let room = &self.model.rooms[place];
        let name = match &room.peer {
            Some(peer) => peer.clone(),
            None => self.status.group.map_or("(no group)".into(), |group| group.to_string()),
        };
        let unread = if room.unread > 0 { format!(" ({})", room.unread) } else { String::new() };
        let style = match () {
            () if place == self.model.current => {
                Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
            }
            () if room.unread > 0 => self.style(Color::Cyan, Modifier::BOLD),
            () => Style::new(),
        };
        Span::styled(format!("{name}{unread}"), style)
    }

    fn messages(&self, frame: &mut Frame<'_>, area: Rect) {
        let room = &self.model.rooms[self.model.current];
        let mark = Constraint::Length(u16::from(room.scrolled > 0));
        let [area, below] = Layout::vertical([Constraint::Min(1), mark]).areas(area);
        frame.render_widget(Paragraph::new(self.below(room)), below);
        let lines = self.last_lines(room, area.width, area.height);
        let above = area.height.saturating_sub(lines.len() as u16);
        let area = Rect { y: area.y + above, height: area.height - above, ..area };
        frame.render_widget(Paragraph::new(lines), area);
    }

    /// What who has scrolled up does not see.
    fn below(&self, room: &Room) -> Line<'static> {
        let new = if room.unread > 0 { format!(", {} new", room.unread) } else { String::new() };
        let words = format!("+{}{new} below: PageDown", room.scrolled);
        Line::styled(words, self.style(Color::Cyan, Modifier::BOLD))
    }

    /// As many lines of the room's end as fit.
    fn last_lines(&self, room: &Room, width: u16, height: u16) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for line in room.lines.iter().rev().skip(room.scrolled) {
            // The time, a space, the sign, a space.
            let mut rows = wrap(&shown(line), line.time.len() + 3, usize::from(width.max(1)));
            while let Some(row) = rows.pop() {
                lines.push(Line::styled(row, self.style_of(line)));
                if lines.len() >= usize::from(height) {
                    lines.reverse();
                    return lines;
                }
            }
        }
        lines.reverse();
        lines
    }

    fn people(&self, height: u16) -> Paragraph<'static> {
        let (present, away): (Vec<_>, Vec<_>) = self.people.iter().partition(|person| person.online);
        let line = |person: &&Person| {
            let style =
                if person.online { self.style(Color::Green, Modifier::empty()) } else { Style::new() };
            let sign = if person.online { '\u{25cf}' } else { '\u{25cb}' };
            Line::styled(format!("{sign} {}", safe(&person.name)), style)
        };
        // The first row is the title's.
        let rows = usize::from(height.saturating_sub(1));
        let count = self.people.len();
        let listed = if count > rows { rows.saturating_sub(1) } else { count };
        let rest = (listed < count).then(|| Line::raw(format!("{} more", more(count - listed))));
        let lines = present.iter().chain(&away).take(listed).map(line);
        Paragraph::new(lines.chain(rest).collect::<Vec<_>>())
            .block(Block::new().borders(Borders::LEFT).title(format!(" {} here", present.len())))
    }

    fn status(&self) -> String {
        let Status { protocol, transport, name, round_trip, waiting, direct, silent, .. } = self.status;
        let way = match protocol {
            Some(Protocol::Extended) => format!("extended, {}", carrier(*transport)),
            Some(Protocol::Base) => format!("base, {}", carrier(*transport)),
            None => "looking for it".into(),
        };
        // What matters most is not cut away.
        let mut words = Vec::from_iter(silent.then(|| "NO ANSWER".to_owned()));
        words.extend((*waiting > 0).then(|| format!("{waiting} on their way")));
        words.push(format!("{} ({way})", self.server));
        words.push(name.as_ref().map_or("no name".into(), |name| safe(name)));
        words.extend(round_trip.map(|time| format!("{:.0} ms", time.as_secs_f64() * 1000.0)));
        words.extend(direct.as_ref().map(|peer| format!("direct: {}", safe(peer))));
        format!(" {}", words.join(" | "))
    }

    /// Whom it is for what is typed.
    fn prompt(&self) -> String {
        let peer = self.model.rooms[self.model.current].peer.as_deref();
        match (peer.or(self.direct), self.status.group) {
            (Some(peer), _) => format!("to {}> ", safe(peer)),
            (None, Some(group)) => format!("{group}> "),
            (None, None) => "> ".into(),
        }
    }

    fn input(&self, frame: &mut Frame<'_>, area: Rect) {
        let prompt = Span::raw(self.prompt());
        // A prompt without room for a line behind it is none; the row of rooms has the name.
        let prompt = if prompt.width() * 2 > usize::from(area.width) { Span::raw("> ") } else { prompt };
        let sides = [Constraint::Length(prompt.width() as u16), Constraint::Min(1)];
        let [left, area] = Layout::horizontal(sides).areas(area);
        frame.render_widget(prompt, left);
        let (line, before) = (safe(self.typed.0), safe(self.typed.1));
        let cursor = Span::raw(before).width();
        // A long line moves to the left, so that the cursor stays in sight.
        let hidden = cursor.saturating_sub(usize::from(area.width.saturating_sub(1)));
        let text = Paragraph::new(line).scroll((0, u16::try_from(hidden).unwrap_or(u16::MAX)));
        frame.render_widget(text, area);
        let column = u16::try_from(cursor - hidden).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position {
            x: area.x + column.min(area.width.saturating_sub(1)),
            y: area.y,
        });
    }

    fn style_of(&self, line: &model::Line) -> Style {
        match line.kind {
            Kind::Text => Style::new(),
            Kind::Answer if line.text.starts_with("you: ") => self.style(Color::Cyan, Modifier::empty()),
            Kind::Answer | Kind::Notice => self.style(Color::DarkGray, Modifier::empty()),
            Kind::Problem => self.style(Color::Red, Modifier::empty()),
        }
    }

    fn style(&self, colour: Color, modifier: Modifier) -> Style {
        let style = Style::new().add_modifier(modifier);
        if self.is_coloured { style.fg(colour) } else { style }
    }
}

fn more(count: usize) -> String {
    format!("+{count}")
}

fn shown(line: &model::Line) -> String {
    let mark = match line.mark {
        None | Some((_, None)) => "",
        Some((_, Some(Fate::Sent))) => "  [sent]",
        Some((_, Some(Fate::Delivered))) => "  [delivered]",
        Some((_, Some(Fate::Stored))) => "  [stored]",
        Some((_, Some(Fate::Deferred))) => "  [not sent yet: the relay is full]",
        Some((_, Some(Fate::NoSuchName))) => "  [not sent: nobody is called so]",
        Some((_, Some(Fate::MailboxFull))) => "  [not sent: the mailbox is full]",
        Some((_, Some(Fate::NotRegistered))) => "  [not sent: no name]",
        Some((_, Some(Fate::Refused))) => "  [not sent: refused]",
        Some((_, Some(Fate::Unknown))) => "  [unknown]",
    };
    format!("{} {} {}{mark}", line.time, line.kind.sign(), line.text)
}

#[cfg(test)]
mod tests;
