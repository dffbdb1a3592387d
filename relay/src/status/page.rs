//! The page: one file without any request elsewhere, under a policy that forbids them.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::HeaderValue;

/// Markup, style and program are three files for whoever edits them, and one for the browser.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("page.html")
        .replace("/* style.css */", include_str!("style.css"))
        .replace("/* script.js */", include_str!("script.js"))
});

/// What stands in the place of the nonce.
const NONCE: &str = "{{nonce}}";

/// The page, and the policy for it: only this very style and program count, and they may speak to this server alone.
pub fn page() -> (String, HeaderValue) {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    let nonce = bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).expect("visible ASCII");
    (PAGE.replace(NONCE, &nonce), policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_names_nothing_elsewhere() {
        let (page, policy) = page();
        let policy = policy.to_str().unwrap();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(page.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert_ne!(super::page().1.to_str().unwrap(), policy, "each answer has its own");
        assert!(
            !page.contains(NONCE) && !page.contains("/* style.css */") && !page.contains("/* script.js */")
        );
        let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
        for word in [
            "http:",
            "https:",
            "//cdn",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "eval(",
            " style=\"",
            "@import",
        ] {
            assert!(!elsewhere.contains(word), "{word}");
        }
    }
}
