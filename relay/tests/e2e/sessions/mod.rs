//! Extended clients of the real relay: sessions, forms of payloads, and clients that come back from another address.

mod forms;
mod resume;

use crate::support::Client;

/// The cookie of a client's address.
fn cookie(client: &Client) -> String {
    let answer = client.ask("!HELLO 2");
    answer.strip_prefix("!RETRY ").unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Makes an extended client of a client; returns its token.
fn hello(client: &Client, wish: &str) -> String {
    let answer = client.ask(format!("!HELLO 2 {}{wish}", cookie(client)));
    let token = answer.strip_prefix("!OK HELLO 2 ").and_then(|rest| rest.strip_suffix(" 60.0"));
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Joins as an extended client.
fn join(client: &Client, group: &str) {
    assert_eq!(client.ask(format!("!JOIN {group}")), format!("!OK JOINED {group}"));
}
