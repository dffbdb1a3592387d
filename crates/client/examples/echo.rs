//! A client that has a name, and sends back whatever anybody writes to it.
//!
//! `cargo run -p client --example echo -- 127.0.0.1:5000 echo`
//!
//! The first time it chooses a claim for the name, and prints it; from then on give that, too, as the last argument.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use client::{Client, Config, Event, Request, Token, Transmit, Transport, choose_claim, harmless};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let server: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:5000").parse()?;
    let name = arguments.next().unwrap_or_else(|| "echo".into());
    let claim = match arguments.next() {
        Some(text) => Token::parse(text.as_bytes()).ok_or("that is no claim")?,
        // Before it is asked for: were it the relay's to choose, it would be lost with the answer.
        None => {
            let claim = choose_claim()?;
            println!("what proves that {name} is yours is {claim}: give it the next time");
            claim
        }
    };

    let config = Config { transports: vec![Transport::Udp], ..Config::new(server) };
    let mut client = Client::new(config, Instant::now())?;
    let mut socket = None;
    let mut is_named = false;
    loop {
        if !is_named && client.is_ready(Instant::now()) {
            is_named = true;
            client.request(Request::Register { name: name.clone(), claim: Some(claim) }, Instant::now())?;
        }
        while let Some(event) = client.poll_event() {
            answer(&mut client, event);
        }
        while let Some(transmit) = client.poll_transmit() {
            match transmit {
                Transmit::Open(_) => {
                    socket = Some(open(server)?);
                    client.opened(Instant::now());
                }
                // What cannot be sent is repeated if it matters.
                Transmit::Send { to, datagram } => {
                    drop(socket.as_ref().map(|socket| socket.send_to(&datagram, to)));
                }
            }
        }
        if let Some(socket) = &socket {
            wait(&mut client, socket)?;
        }
    }
}

fn answer(client: &mut Client, event: Event) {
    match event {
        Event::Message { from, bytes, .. } => {
            println!("{}: {}", harmless(from.as_bytes()), harmless(&bytes));
            if let Err(error) = client.message(&from, &bytes, Instant::now()) {
                println!("not sent: {error}");
            }
        }
        Event::Registered { name, .. } => println!("registered {name}"),
        event => println!("{event:?}"),
    }
}

/// Until something arrives, or the client wants time to pass.
fn wait(client: &mut Client, socket: &UdpSocket) -> io::Result<()> {
    let now = Instant::now();
    let patience =
        client.deadline(now).map_or(Duration::from_secs(1), |at| at.saturating_duration_since(now));
    // Nothing would mean for ever.
    socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
    let mut buffer = [0; 8192];
    match socket.recv_from(&mut buffer) {
        Ok((len, from)) => client.receive(from, &buffer[..len], Instant::now()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            client.tick(Instant::now());
        }
        Err(_) => client.unreachable(Instant::now()),
    }
    Ok(())
}

fn open(server: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })
}
