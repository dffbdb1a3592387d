//! The Prometheus text format, read: one sample per line, whatever anybody sends.

/// One value of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// Its labels, in the order of the line.
    pub labels: Vec<(&'a str, String)>,
    /// Its value.
    pub value: f64,
}

impl Sample<'_> {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_str())
    }

    /// The value as a count: nothing below 0, and no fractions.
    pub fn count(&self) -> u64 {
        self.value as u64
    }
}

/// The samples of a text, without comments and empty lines; of a line of another form its number, counted from 1.
pub fn samples(text: &str) -> impl Iterator<Item = Result<Sample<'_>, usize>> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| sample(line).ok_or(number))
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = name(line)?;
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_whitespace();
    let value = words.next()?.parse().ok()?;
    let timestamp = words.next().is_none_or(|word| word.parse::<f64>().is_ok());
    (timestamp && words.next().is_none()).then_some(Sample { name, labels, value })
}

/// A name at the start, and what follows.
fn name(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    let starts_well = text.starts_with(|c: char| !c.is_ascii_digit());
    (end > 0 && starts_well).then(|| text.split_at(end))
}

type Labels<'a> = Vec<(&'a str, String)>;

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (label, behind) = name(rest)?;
        let quoted = behind.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
        let (value, behind) = value(quoted)?;
        labels.push((label, value));
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(behind) => behind,
            None => behind.starts_with('}').then_some(behind)?,
        };
    }
}

/// A label's value up to the closing quotation mark, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Sample<'_> {
        let read: Vec<_> = samples(line).collect();
        assert_eq!(read.len(), 1, "{line}");
        read.into_iter().next().unwrap().unwrap()
    }

    #[test]
    fn every_form() {
        assert_eq!(one("up 1"), Sample { name: "up", labels: vec![], value: 1.0 });
        assert_eq!(one("  up{}\t2.5e3  1700000000000 ").value, 2500.0);
        let sample = one(r#"a:b_1 { x = "1" , y="q\"\\\n{}, z=" , } +Inf"#);
        assert_eq!((sample.label("x"), sample.label("y")), (Some("1"), Some("q\"\\\n{}, z=")));
        assert_eq!((sample.label("z"), sample.value), (None, f64::INFINITY));
        assert!(one("n NaN").value.is_nan());
        assert_eq!(samples("# HELP x y\n\n# TYPE x counter\n#\n").count(), 0);
    }

    #[test]
    fn everything_else_is_an_error_with_its_line() {
        let others = [
            "<html>",
            "x",
            "x{",
            "x{} ",
            "x{a} 1",
            "x{a=} 1",
            "x{a=\"} 1",
            "x{a=\"\\\"} 1",
            "x{a=\"\\t\"} 1",
            "x{a=\"1\" b=\"2\"} 1",
            "x{a=\"1\",,} 1",
            "x{\"a\"} 1",
            "x one",
            "x 1 2 3",
            "x 1 two",
            "1x 1",
            "é 1",
            "x\u{0} 1",
        ];
        for other in others {
            let text = format!("# fine\nup 1\n{other}\n");
            assert_eq!(samples(&text).find_map(Result::err), Some(3), "{other}");
        }
    }

    #[test]
    fn no_value_is_too_much_for_a_count() {
        let counts = ["-1", "NaN", "1e300", "-Inf", "2.9"].map(|value| one(&format!("x {value}")).count());
        assert_eq!(counts, [0, 0, u64::MAX, 0, 2]);
    }

    #[test]
    fn no_cut_panics() {
        let text = "a{b=\"c\\\\\\\"é\",d=\"\"} 1 2\n";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(samples(&text[..end]).count() <= 1);
        }
    }
}
