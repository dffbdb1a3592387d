//! Times for people, in their own time zone.

use jiff::{Timestamp, Zoned};

/// What was written longer ago than this is shown with its time, in seconds.
const OLD: i64 = 60;

/// The time of day.
pub fn now() -> String {
    Zoned::now().strftime("%H:%M:%S").to_string()
}

/// When that was, in milliseconds since 1970, if it is a while ago.
pub fn if_old(millis: u64) -> Option<String> {
    written(millis, &Zoned::now())
}

fn written(millis: u64, now: &Zoned) -> Option<String> {
    let then = Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
    let age = now.timestamp().as_second() - then.as_second();
    let then = then.to_zoned(now.time_zone().clone());
    let format = if then.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    (age >= OLD).then(|| then.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_messages_say_when() {
        let now: Zoned = "2026-11-22T12:00:00[UTC]".parse().unwrap();
        let before = |seconds: i64| {
            let millis = (now.timestamp().as_second() - seconds) * 1000;
            written(u64::try_from(millis).unwrap(), &now)
        };
        assert_eq!(before(59), None);
        assert_eq!(before(-5), None);
        assert_eq!(before(3600), Some("11:00".into()));
        assert_eq!(before(86_400), Some("2026-11-21 12:00".into()));
        assert_eq!(written(u64::MAX, &now), None);
    }
}
