//! What the store promises, held against a model, kills, torn writes and broken disks.

mod answers;
mod broken;
mod deferred;
mod desk;
mod killed;
mod model;
mod oracle;
mod places;
mod recorder;
mod torn;

/// More cases, which `cargo xtask test --long` asks for.
fn is_long() -> bool {
    std::env::var_os("RELAY_LONG").is_some()
}
