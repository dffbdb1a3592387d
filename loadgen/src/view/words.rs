//! Phases in the words of both views, and the one number that they show in a form of their own.

use crate::outcome::Phase;

/// In percent, with two decimals whatever it is: this number changes from second to second, and must not change its
/// width with it. Never a zero for what is not.
pub fn percent(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0.00 %".into(),
        ..0.01 => "<0.01 %".into(),
        percent => format!("{percent:.2} %"),
    }
}

/// What goes on.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Joining => "joining",
        Phase::Ready => "ready",
        Phase::WarmUp => "warming up",
        Phase::Measuring => "measuring",
        Phase::Draining => "draining",
        Phase::Leaving => "leaving",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_have_two_decimals() {
        assert_eq!(
            [0.0, 1e-9, 1e-4, 0.125, 1.0].map(percent),
            ["0.00 %", "<0.01 %", "0.01 %", "12.50 %", "100.00 %"]
        );
    }
}
