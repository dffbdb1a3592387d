//! Which rules keep the firewall from remembering the flows of a UDP port, in the words of nft and of iptables.

/// True if what arrives at the port, and what leaves it, is exempt.
pub fn exempt(rules: &str, port: u16) -> (bool, bool) {
    let sets = named_sets(rules);
    let of = |field| rules.lines().any(|line| untracks(line, field, port, &sets));
    (of("dport"), of("sport"))
}

/// A set's name and its words, as nft lists it: `set game { type inet_service; elements = { 5000, 6000-6010 } }`.
type Set<'a> = (&'a str, Vec<&'a str>);

fn named_sets(rules: &str) -> Vec<Set<'_>> {
    let words = words(rules);
    let begins = words.windows(3).enumerate().filter(|(_, three)| three[0] == "set" && three[2] == "{");
    let sets = begins.map(|(at, three)| {
        let of_this =
            words[at + 1..].iter().position(|word| *word == "set").map_or(words.len(), |end| at + 1 + end);
        let body = &words[at..of_this];
        let elements = body.iter().position(|word| *word == "elements").map_or(&[][..], |from| &body[from..]);
        (three[1], values(elements).to_vec())
    });
    sets.collect()
}

/// One rule: is it about UDP, does it name the port, and is it not remembered?
fn untracks(line: &str, field: &str, port: u16, sets: &[Set<'_>]) -> bool {
    // A comment may name anything.
    let line: String = line.split('"').step_by(2).collect();
    let words = words(&line);
    let untracked = words.iter().any(|word| word.trim_start_matches('-').eq_ignore_ascii_case("notrack"));
    let is_field = |word: &&str| {
        let word = word.trim_start_matches('-');
        word == field || word.strip_suffix('s') == Some(field)
    };
    let Some(at) = words.iter().position(is_field).filter(|_| untracked) else { return false };
    let negated = at > 0 && words[at - 1] == "!";
    is_udp(&words, at) && !negated && holds(&words[at + 1..], port, sets)
}

/// `udp dport`, `meta l4proto { tcp, udp } th dport`, `-p udp --dport`.
fn is_udp(words: &[&str], field: usize) -> bool {
    let before = |at: usize| at.checked_sub(1).map(|at| words[at]);
    if !words[field].starts_with("--") && before(field) != Some("th") {
        return before(field) == Some("udp");
    }
    let names = |place: &str| {
        let at = words.iter().position(|word| *word == place);
        at.is_some_and(|at| {
            before(at) != Some("!") && values(&words[at..]).iter().any(|word| matches!(*word, "udp" | "17"))
        })
    };
    ["-p", "l4proto", "protocol", "nexthdr"].into_iter().any(names)
}

/// True if a port, a range or a set behind a field has the port.
fn holds(words: &[&str], port: u16, sets: &[Set<'_>]) -> bool {
    let has = |word: &&str| {
        let (first, last) = word.split_once(['-', ':']).unwrap_or((word, word));
        let (first, last) = (first.parse::<u16>(), last.parse::<u16>());
        first.is_ok_and(|first| first <= port) && last.is_ok_and(|last| port <= last)
    };
    match words.first() {
        Some(&"!=") | None => false,
        Some(first) => match first.strip_prefix('@') {
            Some(name) => sets.iter().any(|(own, values)| *own == name && values.iter().any(has)),
            None => values_of(words).iter().any(has),
        },
    }
}

/// What stands behind the first word: one value, several with commas, or all in braces.
fn values<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let behind = words.get(1..).unwrap_or_default();
    values_of(behind.strip_prefix(&["="]).or_else(|| behind.strip_prefix(&["=="])).unwrap_or(behind))
}

fn values_of<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    if words.first() == Some(&"{") {
        let end = words.iter().position(|word| *word == "}").unwrap_or(words.len());
        return &words[1..end];
    }
    // Those of `--dports 4000,5000` are kept together by the commas between them.
    let end = 1 + words.iter().skip(1).step_by(2).take_while(|word| **word == ",").count() * 2;
    &words[..end.min(words.len())]
}

/// Words and the signs between them; `nft` writes a chain's rules in lines, which are no signs.
fn words(text: &str) -> Vec<&str> {
    let is_sign = |c: char| matches!(c, '{' | '}' | ',' | ';');
    text.split_whitespace()
        .flat_map(|word| word.split_inclusive(is_sign))
        .flat_map(|word| {
            let cut = word.len() - usize::from(word.ends_with(is_sign));
            let (word, sign) = word.split_at(cut);
            [word, sign].into_iter().filter(|part| !part.is_empty())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this rule exempts what arrives at port 5000.
    fn incoming(rule: &str) -> bool {
        exempt(rule, 5000).0
    }

    #[test]
    fn rules_of_both_tools_are_understood() {
        let nft = "table inet relay {\n chain a {\n type filter hook prerouting priority -300; policy accept;\n udp dport 5000 notrack\n }\n chain b {\n udp sport { 4000, 5000 } notrack\n }\n}";
        assert_eq!(exempt(nft, 5000), (true, true));
        assert_eq!(exempt(nft, 500), (false, false));
        let iptables = "*raw\n-A PREROUTING -p udp -m udp --dport 5000 -j CT --notrack\n-A OUTPUT -p udp -m udp --sport 53 -j CT --notrack\n";
        assert_eq!(exempt(iptables, 5000), (true, false));
        assert!(incoming("-A PREROUTING -p udp -m udp --dport 5000 -j NOTRACK"));
        assert!(!incoming("udp dport 5000 accept"));
    }

    #[test]
    fn only_rules_for_udp_count() {
        assert!(!incoming("tcp dport 5000 notrack"));
        assert!(!incoming("-A PREROUTING -p tcp -m tcp --dport 5000 -j CT --notrack"));
        assert!(!incoming("-A PREROUTING ! -p udp --dport 5000 -j CT --notrack"));
        assert!(!incoming("tcp dport 5000 notrack comment \"not for udp dport 5000 \""));
        assert!(!incoming("tcp dport 80 accept comment \"udp dport 5000 notrack\""));
        assert!(!incoming("meta l4proto 6 th dport 5000 notrack"));
        assert!(incoming("meta l4proto 17 th dport 5000 notrack"));
        assert!(incoming("meta l4proto { tcp, udp } th dport 5000 notrack"));
    }

    #[test]
    fn ranges_and_sets_are_understood() {
        assert!(incoming("udp dport 4000-6000 notrack") && !incoming("udp dport 4000-4999 notrack"));
        assert!(incoming("udp dport { 80, 4000-6000 } notrack") && !incoming("udp dport {80,81} notrack"));
        assert!(!incoming("udp dport != 5000 notrack"));
        assert!(incoming("-A PREROUTING -p udp -m udp --dport 4000:6000 -j CT --notrack"));
        assert!(incoming("-A PREROUTING -p udp -m multiport --dports 80,5000,90 -j CT --notrack"));
        assert!(incoming("-A PREROUTING -p udp -m multiport --dports 80,4000:6000 -j CT --notrack"));
        assert!(!incoming("-A PREROUTING -p udp -m multiport --dports 80,81 -j CT --notrack"));
        assert!(!incoming("-A PREROUTING -p udp -m udp ! --dport 5000 -j CT --notrack"));
        assert!(!incoming("udp dport 80 counter packets 5000 bytes 5000 notrack"));
        assert!(incoming("udp dport 5000 counter packets 1 bytes 2 notrack"));
    }

    #[test]
    fn sets_with_a_name_are_looked_up() {
        let set = |elements: &str| {
            format!(
                "table inet a {{\n set other {{\n type inet_service\n elements = {{ 1, 5000 }}\n }}\n set game {{\n type inet_service\n flags interval\n elements = {{ {elements} }}\n }}\n chain c {{\n udp dport @game notrack\n }}\n}}"
            )
        };
        assert!(incoming(&set("4000-6000,\n 7000")) && incoming(&set("80, 5000")));
        assert!(!incoming(&set("80")) && !incoming("udp dport @game notrack"));
    }
}
