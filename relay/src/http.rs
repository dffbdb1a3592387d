//! What the small HTTP server beside the shards answers: `/metrics`, `/livez`, `/readyz`.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use axum::routing::get;

use crate::metrics::Exporter;

/// Serves until the process ends, on one thread of its own.
///
/// # Errors
/// What keeps the thread from starting.
pub fn serve(listener: TcpListener, exporter: Arc<Exporter>, ready: Arc<AtomicBool>) -> io::Result<()> {
    let routes =
        expose::metrics_at(move || exporter.render()).route("/livez", get(|| async { "ok\n" })).route(
            "/readyz",
            get(move || async move {
                match ready.load(Ordering::Relaxed) {
                    true => (StatusCode::OK, "ready\n"),
                    false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
                }
            }),
        );
    expose::serve(listener, routes)
}
