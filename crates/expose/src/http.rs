//! The server: one thread, few connections, none of them for long.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::crowd::Crowd;
use crate::limits::{HEAD_PATIENCE, PATIENCE, RETRY, WAITING};

const PATIENT: Patience = Patience { head: HEAD_PATIENCE, whole: PATIENCE };

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
    serve_beside(listener, routes, PATIENT, std::future::pending())
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
    serve_beside(listener, routes, PATIENT, async move {
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
    patience: Patience,
    chores: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    SockRef::from(&listener).listen(WAITING)?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new().name("http".into()).spawn(move || {
        runtime.spawn(chores);
        runtime.block_on(accept(listener, routes, patience));
    })?;
    Ok(())
}

/// How long it waits for whoever is slow.
#[derive(Clone, Copy)]
struct Patience {
    /// Until the request is there.
    head: Duration,
    /// Until everything is done.
    whole: Duration,
}

/// Takes every connection at once. A bounded number is open at a time, so that a newcomer takes the place of another.
async fn accept(listener: tokio::net::TcpListener, routes: Router, patience: Patience) {
    let mut crowd = Crowd::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                crowd.make_room();
                let asked = Arc::new(AtomicBool::new(false));
                let answer = answer(stream, routes.clone(), Arc::clone(&asked), patience);
                crowd.admit(peer.ip(), asked, tokio::spawn(answer).abort_handle());
                // So that a request that came with its connection is read before the next one takes a place.
                yield_now().await;
            }
            // Mostly a lack of descriptors, which passes; the connection waits in the kernel's queue.
            Err(_) => sleep(RETRY).await,
        }
    }
}

async fn answer(stream: TcpStream, routes: Router, asked: Arc<AtomicBool>, patience: Patience) {
    let service = TowerToHyperService::new(routes);
    let service = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        service.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false).header_read_timeout(patience.head);
    // Whether it was answered or gave up does not matter to anybody else.
    let _ = timeout(patience.whole, http.serve_connection(TokioIo::new(stream), service)).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::mpsc::{Receiver, channel};

    use socket2::{Domain, Socket, Type};
    use tokio::sync::Notify;

    use super::*;
    use crate::limits::CONNECTIONS;

    /// Nobody is cut off for being slow.
    const FOR_EVER: Patience = Patience { head: Duration::from_hours(1), whole: Duration::from_hours(1) };

    /// A server with this patience, that lets answers to `/late` go when it is told to, and tells when it was asked.
    struct Server {
        address: SocketAddr,
        go: Arc<Notify>,
        asked: Receiver<()>,
    }

    impl Server {
        fn start(patience: Patience) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let go = Arc::new(Notify::new());
            let (told, asked) = channel();
            let late = Arc::clone(&go);
            let routes = metrics_at(|| "up 1\n".to_owned()).route(
                "/late",
                get(move || {
                    told.send(()).unwrap();
                    async move {
                        late.notified().await;
                        "late\n"
                    }
                }),
            );
            serve_beside(listener, routes, patience, std::future::pending()).unwrap();
            Self { address, go, asked }
        }

        /// A connection from this address that says nothing yet. What does not come for long counts as never.
        fn connect(&self, from: [u8; 4]) -> TcpStream {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            socket.connect(&self.address.into()).unwrap();
            socket.into()
        }

        fn crowd(&self) -> Vec<TcpStream> {
            (0..CONNECTIONS + 3).map(|_| self.connect([127, 0, 0, 1])).collect()
        }

        fn get(&self, path: &str) -> String {
            get_by(self.connect([127, 0, 0, 1]), path)
        }
    }

    fn say(stream: &mut TcpStream, path: &str) {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    }

    fn hear(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it ends");
        answer
    }

    fn get_by(mut stream: TcpStream, path: &str) -> String {
        say(&mut stream, path);
        hear(stream)
    }

    #[test]
    fn metrics_are_text_and_nothing_else_is_there() {
        let server = Server::start(FOR_EVER);
        let answer = server.get("/metrics");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nup 1\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(server.get("/").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn a_newcomer_takes_the_place_of_the_oldest_that_is_silent() {
        let server = Server::start(FOR_EVER);
        let mut late = server.connect([127, 0, 0, 1]);
        say(&mut late, "/late");
        server.asked.recv().unwrap();
        let mut crowd = server.crowd();
        assert!(server.get("/metrics").ends_with("up 1\n"));
        assert_eq!(hear(crowd.remove(0)), "", "the oldest had to go");
        assert!(get_by(crowd.pop().unwrap(), "/metrics").ends_with("up 1\n"), "the newest stayed");
        server.go.notify_one();
        assert!(hear(late).ends_with("late\n"), "who has asked is served");
    }

    #[test]
    fn a_crowd_drives_out_nobody_but_itself() {
        let server = Server::start(FOR_EVER);
        let slow = server.connect([127, 0, 0, 2]);
        let crowd = server.crowd();
        assert!(server.get("/metrics").ends_with("up 1\n"));
        assert!(get_by(slow, "/metrics").ends_with("up 1\n"));
        drop(crowd);
    }

    #[test]
    fn whoever_does_not_bring_a_request_is_cut_off() {
        let server = Server::start(Patience { head: Duration::from_millis(50), ..FOR_EVER });
        let mut slow = server.connect([127, 0, 0, 1]);
        slow.write_all(b"GET /metrics HTTP/1.1\r\nHost:").unwrap();
        assert!(!hear(slow).contains("up 1"));
        assert_eq!(hear(server.connect([127, 0, 0, 1])), "");
    }
}
