//! Clients by TCP, beside those by UDP.

mod caller;
mod groups;

use caller::Caller;
