//! The small HTTP server beside the shards: `/metrics`, `/livez`, `/readyz`.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use axum::Router;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::limits::{HTTP_CONNECTIONS, HTTP_PATIENCE, HTTP_RETRY};
use crate::metrics::Exporter;

/// The content type of the Prometheus text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves until the process ends, on one thread of its own.
///
/// # Errors
/// What keeps the thread from starting.
pub fn serve(listener: TcpListener, exporter: Arc<Exporter>, ready: Arc<AtomicBool>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let routes = routes(exporter, ready);
    thread::Builder::new().name("http".into()).spawn(move || runtime.block_on(accept(listener, routes)))?;
    Ok(())
}

/// Takes connections, a bounded number at a time; whoever is slow or silent is cut off, so that the next one gets in.
async fn accept(listener: tokio::net::TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                tokio::spawn(async move {
                    // Whether it was answered or gave up does not matter to anybody else.
                    let _ = timeout(HTTP_PATIENCE, answer(stream, routes)).await;
                    drop(place);
                });
            }
            // Mostly a lack of descriptors, which passes; the connection waits in the kernel's queue.
            Err(_) => sleep(HTTP_RETRY).await,
        }
    }
}

async fn answer(stream: TcpStream, routes: Router) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await
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
