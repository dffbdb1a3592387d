//! Sets of address prefixes: `10.0.0.0/8`, `2001:db8::/32`, a bare address, or `none`.

use std::net::IpAddr;

use engine::Prefixes;
use ipnet::IpNet;

use super::MAX_PREFIXES;
use super::problem::Complaint;

/// Reads prefixes with commas between, or `none`.
pub(super) fn parse(text: &str) -> Result<Prefixes, Complaint> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Prefixes::default());
    }
    let nets: Vec<IpNet> = text.split(',').map(|net| parse_one(net.trim())).collect::<Result<_, _>>()?;
    if nets.len() > MAX_PREFIXES {
        return Err(Complaint::new(text, format!("holds more than {MAX_PREFIXES} prefixes")));
    }
    Ok(Prefixes::new(nets))
}

fn parse_one(text: &str) -> Result<IpNet, Complaint> {
    if text.eq_ignore_ascii_case("none") {
        return Err(Complaint::new(text, "means no prefix at all, and stands alone"));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let net: IpNet = text.parse().map_err(|_| {
        Complaint::new(text, "is neither an address nor a prefix (10.0.0.0/8, 2001:db8::/32) nor \"none\"")
    })?;
    let whole = net.trunc();
    // A slip in either half would let in, or keep out, others than meant.
    let verdict = || format!("has bits behind its length; the prefix that holds it is {whole}");
    (net == whole).then_some(net).ok_or_else(|| Complaint::new(text, verdict()))
}

pub(super) fn show(prefixes: &Prefixes) -> String {
    let texts: Vec<_> = prefixes.given().iter().map(ToString::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        parse(text).map(|prefixes| show(&prefixes)).map_err(|complaint| complaint.to_string())
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        for (text, shown) in [
            ("none", "none"),
            ("NONE", "none"),
            ("10.0.0.0/8, 2001:db8::/32", "10.0.0.0/8,2001:db8::/32"),
            ("10.1.2.3,::1", "10.1.2.3/32,::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("0.0.0.0/0,::/0", "0.0.0.0/0,::/0"),
        ] {
            assert_eq!(read(text), Ok(shown.to_owned()), "{text}");
            assert_eq!(read(shown), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn slips_are_errors() {
        for (text, error) in [
            (
                "10.1.0.0/8",
                r#""10.1.0.0/8" has bits behind its length; the prefix that holds it is 10.0.0.0/8"#,
            ),
            (
                "10.0.0.0/33",
                r#""10.0.0.0/33" is neither an address nor a prefix (10.0.0.0/8, 2001:db8::/32) nor "none""#,
            ),
            ("10.0.0.0/8,none", r#""none" means no prefix at all, and stands alone"#),
            ("10.0.0.1,", r#""" is neither an address nor a prefix (10.0.0.0/8, 2001:db8::/32) nor "none""#),
        ] {
            assert_eq!(read(text), Err(error.to_owned()), "{text}");
        }
        assert!(
            read(&vec!["::1"; MAX_PREFIXES + 1].join(",")).unwrap_err().ends_with("more than 16384 prefixes")
        );
    }
}
