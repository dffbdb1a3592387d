//! A chart: an SVG of lines and bars that stretches with the page, and around it texts that do not.

use std::fmt::Write;

use maud::{Markup, html};
use serde_json::json;

use super::axis::{Axis, Tick};

/// So many bars touch each other, or the gaps between them would flicker.
const MANY_BARS: usize = 40;

/// Values along the horizontal axis, drawn over each other.
pub(crate) struct Chart {
    pub(super) title: &'static str,
    /// What the horizontal axis is.
    pub(super) across: &'static str,
    /// Where the values lie along the horizontal axis, 0 to 1, and what is there.
    pub(super) places: Vec<Tick>,
    /// How wide each place is, 0 to 1.
    pub(super) width: f64,
    pub(super) ticks: Vec<Tick>,
    pub(super) axis: Axis,
    pub(super) series: Vec<Series>,
    pub(super) text: fn(f64) -> String,
    /// Written over it, if anything.
    pub(super) note: &'static str,
    /// Whether it takes the whole width of the page.
    pub(super) wide: bool,
}

/// What is drawn in one colour.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// The class of its colour.
    pub(super) class: &'static str,
    pub(super) form: Form,
    /// One for each place; where there is none, there is a gap.
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Line,
    /// A line with its area.
    Area,
    Bars,
}

impl Chart {
    pub(crate) fn draw(&self) -> Markup {
        html! {
            figure.chart.wide[self.wide] data-points=(self.points()) {
                figcaption {
                    h2 { (self.title) }
                    ul.legend { @for series in &self.series { li class=(series.class) { (series.name) } } }
                }
                div.plot {
                    @for (place, text) in &self.axis.ticks { span.y style={ "bottom:" (percent(*place)) } { (text) } }
                    @for (tick, spare) in self.ticks.iter().zip(spare(&self.ticks)) {
                        span.x.last[tick.0 > 0.97].spare[spare] style={ "left:" (percent(tick.0)) } { (tick.1) }
                    }
                    div.area tabindex="0" {
                        svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label=(self.title) {
                            path.grid d=(self.grid()) {}
                            @for series in &self.series { (self.curve(series)) }
                        }
                        @if !self.note.is_empty() { p.note { (self.note) } }
                        div.cursor {}
                        div.tip role="status" {}
                    }
                }
                p.across { (self.across) }
            }
        }
    }

    fn curve(&self, series: &Series) -> Markup {
        let class = series.class;
        html! {
            @match series.form {
                Form::Bars => path class={ "bars " (class) } d=(self.bars(series)) {},
                Form::Line => path class={ "line " (class) } d=(self.lines(series, false)) {},
                Form::Area => {
                    path class={ "fill " (class) } d=(self.lines(series, true)) {}
                    path class={ "line " (class) } d=(self.lines(series, false)) {}
                }
            }
        }
    }

    fn grid(&self) -> String {
        self.axis.ticks.iter().map(|(place, _)| format!("M0 {:.1}H1000", 1000.0 - place * 1000.0)).collect()
    }

    /// Strokes between neighbours; a value without neighbours is a stroke of no length, which round caps make a dot.
    fn lines(&self, series: &Series, closed: bool) -> String {
        let mut path = String::new();
        for run in self.runs(series) {
            for (index, (x, y)) in run.iter().enumerate() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            match (&run[..], closed) {
                ([(first, _), .., (last, _)], true) => {
                    let _ = write!(path, "L{last:.1} 1000L{first:.1} 1000Z");
                }
                ([_], false) => path.push_str("h0"),
                _ => {}
            }
        }
        path
    }

    /// Points that follow each other without a gap, in the units of the SVG.
    fn runs(&self, series: &Series) -> Vec<Vec<(f64, f64)>> {
        let mut runs = vec![Vec::new()];
        for ((x, _), value) in self.places.iter().zip(&series.values) {
            match (value, runs.last_mut()) {
                (Some(value), Some(run)) => run.push((x * 1000.0, self.down(*value))),
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    fn bars(&self, series: &Series) -> String {
        let gap = if self.places.len() < MANY_BARS { 0.16 } else { 0.0 };
        let half = self.width * 500.0 * (1.0 - gap);
        let mut path = String::new();
        for ((x, _), value) in self.places.iter().zip(&series.values) {
            if let Some(value) = value.filter(|value| *value > 0.0) {
                let (left, top) = (x * 1000.0 - half, self.down(value));
                let _ = write!(path, "M{left:.1} 1000V{top:.1}h{:.1}V1000Z", 2.0 * half);
            }
        }
        path
    }

    fn down(&self, value: f64) -> f64 {
        1000.0 - self.axis.place(value) * 1000.0
    }

    /// What the pointer reads out.
    fn points(&self) -> String {
        let text = |value: &Option<f64>| value.map(self.text);
        let series: Vec<_> = self
            .series
            .iter()
            .map(|series| {
                json!([series.name, series.class, series.values.iter().map(text).collect::<Vec<_>>()])
            })
            .collect();
        let places: Vec<_> =
            self.places.iter().map(|(x, text)| json!([(x * 1e4).round() / 1e4, text])).collect();
        json!({ "places": places, "series": series }).to_string()
    }
}

fn percent(place: f64) -> String {
    format!("{:.2}%", place * 100.0)
}

/// Which marks have no room on a telephone. The last keeps its own.
fn spare(ticks: &[Tick]) -> Vec<bool> {
    const CHARACTER: f64 = 0.0225;
    const BEYOND: f64 = 0.035;
    let mut next = f64::MAX;
    let mut from_right: Vec<bool> = Vec::with_capacity(ticks.len());
    for (place, text) in ticks.iter().rev() {
        let width = (text.chars().count() as f64 + 0.6) * CHARACTER;
        // The last is written up to just beyond its mark.
        let (left, right) = if *place > 0.97 {
            (place + BEYOND - width, place + BEYOND)
        } else {
            (place - width / 2.0, place + width / 2.0)
        };
        let fits = next == f64::MAX || right < next;
        if fits {
            next = left;
        }
        from_right.push(!fits);
    }
    from_right.reverse();
    from_right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowded_marks_make_room_for_the_last() {
        let at = |place: f64| (place, "99.999 %".to_owned());
        assert_eq!(spare(&[at(0.0), at(0.5), at(0.9), at(1.0)]), [false, false, true, false]);
        assert!(spare(&[]).is_empty());
    }
}
