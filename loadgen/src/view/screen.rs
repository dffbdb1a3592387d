//! What the live view draws, at any size.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{LineGauge, Paragraph, RenderDirection, Sparkline};

use super::Status;
use super::lines::said;
use super::pace::{Pace, Second};
use super::words::{percent, phase};
use crate::hdr::Durations;
use crate::outcome::{Phase, Totals};
use crate::show::{count, duration, harmless, si};

/// Below this width or height there is a short text.
const SMALLEST: (u16, u16) = (60, 15);

/// Wider, numbers and their names are too far apart.
const WIDEST_NUMBERS: u16 = 90;

/// Both pictures, in rows: taller, they say no more.
const TALLEST_PICTURES: u16 = 17;

/// A second of the past is so many columns wide at most.
const WIDEST_SECOND: u64 = 4;

/// What is to be seen.
pub struct Screen<'a> {
    pub status: &'a Status,
    pub pace: &'a Pace,
    /// False draws in bold at most.
    pub is_coloured: bool,
    /// True once the person asked for the end.
    pub is_ending: bool,
}

impl Screen<'_> {
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            return self.draw_short(frame, area);
        }
        let gap = u16::from(area.height >= SMALLEST.1 + 4);
        let [title, _, gauge, _, numbers, _, sums, _, pictures, footer] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(gap),
            Constraint::Length(1),
            Constraint::Length(gap),
            Constraint::Length(7),
            Constraint::Length(gap),
            Constraint::Length(3),
            Constraint::Length(gap),
            Constraint::Min(2),
            Constraint::Length(1),
        ])
        .areas(area);
        self.draw_title(frame, title);
        self.draw_gauge(frame, gauge);
        let numbers = Rect { width: numbers.width.min(WIDEST_NUMBERS), ..numbers };
        let [rates, latency] =
            Layout::horizontal([Constraint::Length(26), Constraint::Min(34)]).spacing(3).areas(numbers);
        frame.render_widget(Paragraph::new(self.rates(rates.width)), rates);
        frame.render_widget(Paragraph::new(self.latency()), latency);
        frame.render_widget(Paragraph::new(self.sums()), sums);
        self.draw_pictures(frame, pictures);
        frame.render_widget(Paragraph::new(self.footer()), footer);
    }

    fn draw_title(&self, frame: &mut Frame<'_>, area: Rect) {
        let [clients, groups] = [self.status.clients, self.status.groups].map(count);
        let title = Line::from(vec![
            Span::styled(harmless(&self.status.target), self.bold()),
            Span::raw(format!("  {clients} clients in {groups} groups  {}", harmless(&self.status.load))),
        ]);
        let elapsed = Line::raw(format!("  {:.0} s", self.status.elapsed.as_secs_f64())).right_aligned();
        let has_room = title.width() + elapsed.width() <= usize::from(area.width);
        frame.render_widget(title, area);
        if has_room {
            frame.render_widget(elapsed, area);
        }
    }

    fn draw_gauge(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(done) = self.done() else {
            return frame.render_widget(Paragraph::new(Span::styled(self.phase(), self.bold())), area);
        };
        let gauge = LineGauge::default()
            .ratio(done)
            .label(Span::styled(format!("{:<26}", self.phase()), self.bold()))
            .filled_symbol("━")
            .unfilled_symbol("┈")
            .filled_style(self.coloured(Color::Green));
        frame.render_widget(gauge, area);
    }

    fn phase(&self) -> String {
        let seconds = |time: Duration| format!("{:.0} s", time.as_secs_f64());
        let elapsed = seconds(self.status.phase_elapsed);
        let planned = self.status.phase_planned.map(|planned| format!(" of {}", seconds(planned)));
        format!("{}  {elapsed}{}", phase(self.status.progress.phase), planned.unwrap_or_default())
    }

    /// Part of the phase that is done, 0 to 1, where that can be known.
    fn done(&self) -> Option<f64> {
        let (status, progress) = (self.status, &self.status.progress);
        let clients = |part: u64| part as f64 / status.clients.max(1) as f64;
        let done = match (progress.phase, status.phase_planned) {
            (Phase::Joining, _) => clients(progress.members),
            (Phase::Leaving, _) => 1.0 - clients(progress.members),
            (_, Some(planned)) if !planned.is_zero() => {
                status.phase_elapsed.as_secs_f64() / planned.as_secs_f64()
            }
            _ => return None,
        };
        Some(done.clamp(0.0, 1.0))
    }

    fn rates(&self, width: u16) -> Vec<Line<'static>> {
        let totals = &self.status.progress.totals;
        let loss = self.pace.loss();
        let rate = |of: fn(&Totals) -> u64| match self.pace.is_settled() {
            true => si(self.pace.per_second(of)),
            false => "-".into(),
        };
        let row = |name: &'static str, value: String, is_fault: bool| {
            let value = format!("{value:>width$}", width = usize::from(width).saturating_sub(name.len()));
            Line::from(vec![Span::raw(name), Span::styled(value, self.fault(is_fault))])
        };
        vec![
            row("payloads/s", rate(|totals| totals.sent), false),
            row("deliveries/s", rate(|totals| totals.received), false),
            row("loss", loss.map_or_else(|| "-".into(), percent), loss > Some(0.0)),
            row("duplicated", count(totals.duplicated), totals.duplicated > 0),
            row("reordered", count(totals.reordered), totals.reordered > 0),
            row("corrupted", count(totals.corrupted), totals.corrupted > 0),
            row("misdelivered", count(totals.misdelivered), totals.misdelivered > 0),
        ]
    }

    fn latency(&self) -> Vec<Line<'static>> {
        let (second, whole) = (self.pace.latency(), self.pace.whole_latency());
        let value = |of: &Durations, part| match of.count() {
            0 => "-".to_owned(),
            _ => duration(of.quantile(part)),
        };
        let row = |(name, part): (&str, f64)| {
            Line::raw(format!("{name:<8}{:>13}{:>13}", value(&second, part), value(whole, part)))
        };
        let head = Line::styled(format!("{:<8}{:>13}{:>13}", "latency", "last second", "whole"), self.bold());
        let parts = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
        std::iter::once(head).chain(parts.map(row)).collect()
    }

    fn sums(&self) -> Vec<Line<'static>> {
        let (progress, totals) = (&self.status.progress, &self.status.progress.totals);
        let unanswered = self.pace.unanswered();
        // Fewer may be on their way.
        let is_lost = unanswered as f64 > self.pace.per_second(|totals| totals.pings_sent);
        let members = format!("{} in {} groups", count(progress.members), count(progress.groups));
        vec![
            self.sum(
                format!("{:<12}", "heartbeats"),
                [
                    ("PINGs", totals.pings_sent, false),
                    ("PONGs", totals.pongs_received, false),
                    ("unanswered", unanswered, is_lost),
                ],
            ),
            self.sum(
                format!("{:<12}{members}  ", "members"),
                [
                    ("evicted", totals.evictions, totals.evictions > 0),
                    ("refused", totals.refusals, totals.refusals > 0),
                ],
            ),
            self.sum(
                format!("{:<12}", "generator"),
                [
                    ("late", totals.late_sends, totals.late_sends > 0),
                    ("not sent", totals.send_failures, totals.send_failures > 0),
                    ("dropped", totals.own_drops, totals.own_drops > 0),
                ],
            ),
        ]
    }

    /// Numbers, each with its name and whether it is a fault.
    fn sum(
        &self,
        name: String,
        numbers: impl IntoIterator<Item = (&'static str, u64, bool)>,
    ) -> Line<'static> {
        let mut spans = vec![Span::raw(name)];
        for (what, number, is_fault) in numbers {
            let number = Span::styled(count(number), self.fault(is_fault));
            spans.extend([Span::raw(what), Span::raw(" "), number, Span::raw("  ")]);
        }
        Line::from(spans)
    }

    fn draw_pictures(&self, frame: &mut Frame<'_>, area: Rect) {
        let totals = &self.status.progress.totals;
        let area = Rect { height: area.height.min(TALLEST_PICTURES), ..area };
        let [upper, lower] =
            Layout::vertical([Constraint::Fill(1); 2]).spacing(u16::from(area.height >= 5)).areas(area);
        if totals.sent == 0 && totals.pings_sent > 0 {
            self.draw_picture(frame, upper, "PONGs/s", |second| Some(second.pongs), si);
        } else {
            self.draw_picture(frame, upper, "deliveries/s", |second| Some(second.deliveries), si);
        }
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let shown = |micros: f64| duration(Duration::from_secs_f64(micros / 1e6));
        self.draw_picture(frame, lower, "p99", |second| second.p99.map(micros), shown);
    }

    /// The past of a number, a second in each column, beside its name and its maximum.
    fn draw_picture(
        &self,
        frame: &mut Frame<'_>,
        area: Rect,
        name: &'static str,
        of: impl Fn(&Second) -> Option<f64>,
        shown: impl Fn(f64) -> String,
    ) {
        let [label, picture] = Layout::horizontal([Constraint::Length(22), Constraint::Min(1)]).areas(area);
        let planned = self.status.phase_planned.map_or(u64::MAX, |planned| planned.as_secs().max(1));
        let columns = (u64::from(picture.width) / planned).clamp(1, WIDEST_SECOND) as usize;
        let seconds = self.pace.past().rev().map(of).flat_map(|value| std::iter::repeat_n(value, columns));
        let values: Vec<Option<f64>> = seconds.take(usize::from(picture.width)).collect();
        let highest = values.iter().flatten().copied().reduce(f64::max);
        let text = highest
            .map_or_else(|| format!("{name:<12} -"), |highest| format!("{name:<12} ≤ {}", shown(highest)));
        frame.render_widget(Paragraph::new(text), Rect { y: label.bottom() - 1, height: 1, ..label });
        let sparkline = Sparkline::default()
            .data(values.iter().map(|value| value.map(|value| value.ceil() as u64)))
            .max(highest.unwrap_or(0.0).ceil().max(1.0) as u64)
            .absent_value_symbol(" ")
            .direction(RenderDirection::RightToLeft)
            .style(self.coloured(Color::Green));
        frame.render_widget(sparkline, picture);
    }

    fn footer(&self) -> Line<'static> {
        match self.is_ending {
            true => Line::styled("ending; the report follows", self.bold()),
            false => Line::from(vec![
                Span::styled("q", self.bold()),
                Span::raw(" or "),
                Span::styled("Ctrl-C", self.bold()),
                Span::raw(": end now, with the report"),
            ]),
        }
    }

    /// The same words as without a terminal, and the way out.
    fn draw_short(&self, frame: &mut Frame<'_>, area: Rect) {
        let text = format!(
            "{}  {}  {} PINGs unanswered",
            self.phase(),
            said(self.status, self.pace),
            count(self.pace.unanswered())
        );
        let [text_area, footer] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(u16::from(area.height > 2))])
                .areas(area);
        let lines: Vec<Line<'_>> =
            packed(&text, usize::from(area.width)).into_iter().map(Line::from).collect();
        frame.render_widget(Paragraph::new(lines), text_area);
        frame.render_widget(Paragraph::new(self.footer()), footer);
    }

    fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn fault(&self, is_fault: bool) -> Style {
        if is_fault { self.bold().patch(self.coloured(Color::Red)) } else { Style::new() }
    }

    fn coloured(&self, colour: Color) -> Style {
        if self.is_coloured { Style::new().fg(colour) } else { Style::new() }
    }
}

/// Breaks a text where it has two spaces, into lines that are no wider if they can.
fn packed(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split("  ") {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() <= width => {
                line.push_str("  ");
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Cell;

    use super::super::example;
    use super::*;

    /// Ten seconds of measuring 50,000 payloads and 450,000 deliveries a second.
    fn busy(ms: u64) -> Status {
        let mut status = example(Duration::from_millis(ms), Phase::Measuring);
        status.phase_planned = Some(Duration::from_secs(20));
        let mut latency = Durations::with_digits(2);
        latency.record_n(Duration::from_micros(110), 100);
        status.progress.latency = Some(latency);
        status.progress.totals = Totals {
            sent: ms * 50,
            expected: ms * 450,
            received: ms * 450,
            corrupted: 7,
            misdelivered: 8,
            pings_sent: ms * 3,
            pongs_received: ms * 3,
            own_drops: 9,
            ..Totals::default()
        };
        status
    }

    fn idle(ms: u64) -> Status {
        let mut status = busy(ms);
        status.progress.totals = Totals { pings_sent: ms * 3, pongs_received: ms * 2, ..Totals::default() };
        status.progress.latency = None;
        status
    }

    fn drawn(width: u16, height: u16, told: fn(u64) -> Status, is_coloured: bool) -> TestBackend {
        drawn_after(10_000, (width, height), told, is_coloured)
    }

    fn drawn_after(
        ms: u64,
        (width, height): (u16, u16),
        told: fn(u64) -> Status,
        is_coloured: bool,
    ) -> TestBackend {
        let mut pace = Pace::new();
        (0..=ms / 250).for_each(|tick| pace.update(&told(tick * 250)));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let screen = Screen { status: &told(ms), pace: &pace, is_coloured, is_ending: false };
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().clone()
    }

    fn text(width: u16, height: u16, told: fn(u64) -> Status) -> Vec<String> {
        rows(&drawn(width, height, told, true), width)
    }

    fn rows(backend: &TestBackend, width: u16) -> Vec<String> {
        let cells = backend.buffer().content().chunks(usize::from(width));
        cells.map(|row| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_smallest_whole_screen() {
        let expected = "\
127.0.0.1:5000  100,000 clients in 1,000 groups  --rate 50
measuring  10 s of 20 s    ━━━━━━━━━━━━━━━━┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
payloads/s       50.0 k   latency   last second        whole
deliveries/s      450 k   p50            110 µs       110 µs
loss             0.00 %   p90            110 µs       110 µs
duplicated            0   p99            110 µs       110 µs
reordered             0   p99.9          110 µs       110 µs
corrupted             7   max            110 µs       110 µs
misdelivered          8
heartbeats  PINGs 30,000  PONGs 30,000  unanswered 0
members     12,345 in 1,234 groups  evicted 0  refused 0
generator   late 0  not sent 0  dropped 9
deliveries/s ≤ 450 k                              ██████████
p99          ≤ 110 µs                             ██████████
q or Ctrl-C: end now, with the report";
        let drawn = text(60, 15, busy);
        let expected: Vec<&str> = expected.lines().collect();
        assert_eq!(drawn.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn with_heartbeats_alone_they_are_the_picture() {
        let lines = text(100, 30, idle);
        let has = |part: &str| lines.iter().any(|line| line.contains(part));
        assert!(
            has("PONGs/s      ≤ 2.00 k") && has("PINGs 30,000  PONGs 20,000  unanswered 9,000"),
            "{lines:#?}"
        );
        assert!(has("p99          -") && has("loss                0.00 %"), "{lines:#?}");
    }

    #[test]
    fn little_room_shows_what_matters() {
        let lines = text(40, 8, busy);
        let expected = [
            "measuring  10 s of 20 s",
            "50.0 k payloads/s  450 k deliveries/s",
            "loss 0.00 %  p50 110 µs  p99 110 µs",
            "7 corrupted  8 misdelivered",
            "9 dropped by this machine",
            "0 PINGs unanswered",
            "",
            "q or Ctrl-C: end now, with the report",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_rate_before_half_a_second() {
        let text = |ms, size| rows(&drawn_after(ms, size, busy, true), size.0).join("\n");
        let early = text(250, (60, 15));
        for row in ["payloads/s", "deliveries/s", "loss"] {
            let value = early.lines().find_map(|line| line.strip_prefix(row)).unwrap();
            assert!(value.trim_start().starts_with("-  "), "{early}");
        }
        assert!(early.contains("deliveries/s -"), "{early}");
        assert!(text(500, (60, 15)).contains("payloads/s       50.0 k"));
        let short = text(250, (40, 8));
        assert!(short.contains("12,345 members") && !short.contains("payloads/s"), "{short}");
    }

    #[test]
    fn no_size_panics() {
        for (width, height) in [(1, 1), (1, 3), (59, 15), (60, 14), (60, 16), (61, 19), (80, 24), (500, 200)]
        {
            for told in [busy, idle] {
                assert_eq!(text(width, height, told).len(), usize::from(height));
            }
        }
    }

    #[test]
    fn colours_are_left_out_where_nobody_wants_them() {
        let colours = |is_coloured| {
            let backend = drawn(80, 24, busy, is_coloured);
            backend.buffer().content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
        };
        assert_eq!([colours(true), colours(false)], [true, false]);
    }
}
