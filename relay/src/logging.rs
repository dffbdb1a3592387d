//! Log lines on standard error, as text or JSON.

use std::io::{self, IsTerminal};

use crate::config::{LogFormat, Setup};

/// Begins logging as the setup says. Nothing on the packet path logs above TRACE.
pub fn start(setup: &Setup) {
    let logger = tracing_subscriber::fmt()
        .with_max_level(setup.log_level)
        .with_writer(io::stderr)
        .with_target(false)
        // The complaint about a lost line would go where the line could not, and panic: nobody has to read the log.
        .log_internal_errors(false);
    match setup.log_format {
        LogFormat::Text => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            logger.with_ansi(io::stderr().is_terminal() && !plain).init();
        }
        LogFormat::Json => logger.json().flatten_event(true).init(),
    }
}
