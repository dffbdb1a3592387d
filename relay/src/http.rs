//! The small HTTP server beside the shards: `/metrics`, `/livez`, `/readyz`.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use axum::Router;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::routing::get;

use crate::metrics::Exporter;

/// The content type of the Prometheus text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until the process ends, on one thread of its own.
///
/// # Errors
/// What keeps the thread from starting.
pub fn serve(listener: TcpListener, exporter: Arc<Exporter>, ready: Arc<AtomicBool>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let routes = routes(exporter, ready);
    thread::Builder::new().name("http".into()).spawn(move || {
        runtime.block_on(async move {
            let served = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => axum::serve(listener, routes).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "the metrics server has ended");
            }
        });
    })?;
    Ok(())
}

fn routes(exporter: Arc<Exporter>, ready: Arc<AtomicBool>) -> Router {
    Router::new()
        .route("/metrics", get(move || async move { ([(CONTENT_TYPE, EXPOSITION)], exporter.render()) }))
        .route("/livez", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(move || async move {
                match ready.load(Ordering::Relaxed) {
                    true => (StatusCode::OK, "ready\n"),
                    false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
                }
            }),
        )
}
