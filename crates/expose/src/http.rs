//! The server: one thread, few connections, none of them for long.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::limits::{CONNECTIONS, PATIENCE, RETRY};

/// The content type of the Prometheus text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Routes with `/metrics` alone, which answers with the exposition text that `render` returns.
pub fn metrics_at(render: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    Router::new().route("/metrics", get(move || async move { ([(CONTENT_TYPE, EXPOSITION)], render()) }))
}

/// Serves until the process ends, on one thread of its own. The listener is bound and listens.
///
/// # Errors
/// What keeps the thread from starting.
pub fn serve(listener: TcpListener, routes: Router) -> io::Result<()> {
    serve_beside(listener, routes, std::future::pending())
}

/// The same, and in between the thread does its `chore`, at once and so often: short work that needs no thread of its own.
///
/// # Errors
/// What keeps the thread from starting.
pub fn serve_with_chore(
    listener: TcpListener,
    routes: Router,
    every: Duration,
    mut chore: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    serve_beside(listener, routes, async move {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            chore();
        }
    })
}

fn serve_beside(
    listener: TcpListener,
    routes: Router,
    chores: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new().name("http".into()).spawn(move || {
        runtime.spawn(chores);
        runtime.block_on(accept(listener, routes));
    })?;
    Ok(())
}

/// Takes connections, a bounded number at a time; whoever is slow or silent is cut off, so that the next one gets in.
async fn accept(listener: tokio::net::TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                tokio::spawn(async move {
                    // Whether it was answered or gave up does not matter to anybody else.
                    let _ = timeout(PATIENCE, answer(stream, routes)).await;
                    drop(place);
                });
            }
            // Mostly a lack of descriptors, which passes; the connection waits in the kernel's queue.
            Err(_) => sleep(RETRY).await,
        }
    }
}

async fn answer(stream: TcpStream, routes: Router) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::SocketAddr;

    use super::*;

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn metrics_are_text_and_a_crowd_of_silent_connections_is_outlasted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        serve(listener, metrics_at(|| "up 1\n".to_owned())).unwrap();
        let answer = get(address, "/metrics");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nup 1\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(get(address, "/").starts_with("HTTP/1.1 404"));

        let silent: Vec<_> =
            (0..CONNECTIONS + 3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        assert!(get(address, "/metrics").ends_with("up 1\n"));
        drop(silent);
    }
}
