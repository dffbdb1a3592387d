//! What the small HTTP server beside the shards answers: the status page, `/metrics`, `/livez`, `/readyz`.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::limits::SAMPLE_EVERY;
use crate::metrics::Exporter;
use crate::pulse::Pulse;
use crate::sandbox::{self, Confinement};
use crate::status::{Answer, Status, page, section};

/// Serves until the process ends, on one thread of its own.
///
/// # Errors
/// What keeps the thread from starting.
pub fn serve(
    listener: TcpListener,
    exporter: Arc<Exporter>,
    status: Arc<Status>,
    confinement: Arc<OnceLock<Confinement>>,
    (ready, pulse): (Arc<AtomicBool>, Pulse),
) -> io::Result<()> {
    let (history, mut is_confined) = (Arc::clone(&status), false);
    let chore = move || {
        // As soon as the process is sealed, and on this thread, as each must do it for itself.
        if !is_confined && let Some(confinement) = confinement.get() {
            is_confined = true;
            if confinement.system_calls
                && let Err(error) = sandbox::give_up_writing()
            {
                tracing::warn!(error, "the metrics' thread keeps the system calls that write files");
            }
        }
        history.sample();
    };
    let routes = expose::metrics_at(move || exporter.render())
        .route("/livez", get(move || async move { alive(&pulse) }))
        .route(
            "/readyz",
            get(move || async move {
                match ready.load(Ordering::Relaxed) {
                    true => (StatusCode::OK, "ready\n"),
                    false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
                }
            }),
        )
        .merge(status_routes(status))
        .fallback(|| async {
            let known = "not found; there are /, /status.json, /runbook/SECTION, /metrics, /livez, /readyz\n";
            (StatusCode::NOT_FOUND, known)
        })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n") })
        .layer(map_response(guarded));
    expose::serve_with_chore(listener, routes, SAMPLE_EVERY, chore)
}

/// Alive is a relay whose shards all turn: nothing but a restart helps one that does not.
fn alive(pulse: &Pulse) -> Response {
    match pulse.first_stalled() {
        None => "ok\n".into_response(),
        Some(shard) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("shard {shard} does not turn\n")).into_response()
        }
    }
}

fn status_routes(status: Arc<Status>) -> Router {
    let of_page = Arc::clone(&status);
    Router::new()
        .route("/", get(move |request: Parts| async move { page_for(&of_page, &request) }))
        .route("/status.json", get(move |request: Parts| async move { report(&status, &request) }))
        .route("/runbook/{section}", get(|name: Result<Path<String>, PathRejection>| async { runbook(name) }))
}

fn page_for(status: &Status, request: &Parts) -> Response {
    if !status.has_page_for(request) {
        return misdirected();
    }
    let (page, policy) = page();
    let html = (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    ([html, (CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

fn report(status: &Status, request: &Parts) -> Response {
    const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");
    match status.answer(request) {
        Answer::Report(json) => ([JSON], json).into_response(),
        Answer::Denied => {
            let asked = [JSON, (WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, asked, "{\"error\":\"no status token, or a wrong one\"}\n")
                .into_response()
        }
        Answer::Misdirected => misdirected(),
    }
}

fn misdirected() -> Response {
    let remedy = "the status page is on loopback: ask for it as localhost, 127.0.0.1 or [::1], or set --status-token-file\n";
    (StatusCode::MISDIRECTED_REQUEST, remedy).into_response()
}

fn runbook(name: Result<Path<String>, PathRejection>) -> Response {
    match name.ok().and_then(|Path(name)| section(&name)) {
        Some(text) => text.into_response(),
        None => (StatusCode::NOT_FOUND, "the manual has no such section\n").into_response(),
    }
}

/// What every answer says: nobody keeps it, frames it, guesses its type, or learns from it where it came from.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing);
    response
}
