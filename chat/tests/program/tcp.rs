//! A relay that is reached by TCP only.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;

/// A base relay with one client, on a port where nobody listens by UDP.
fn serve() -> SocketAddr {
    let (listener, udp) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Taken for a moment, so that it is sure that nobody has it.
        match UdpSocket::bind(listener.local_addr().unwrap()) {
            Ok(udp) => break (listener, udp),
            Err(_) => continue,
        }
    };
    drop(udp);
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> Option<()> {
    loop {
        let mut len = [0; 2];
        stream.read_exact(&mut len).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut message).ok()?;
        let text = String::from_utf8(message).unwrap();
        let reply = match text.split(' ').next().unwrap() {
            "!JOIN" => "OK JOINED HOME",
            "!WHO" => "OK WHO HOME 1",
            "!PING" => "PONG 60.0",
            "!LEAVE" => "OK LEFT HOME",
            word if word.starts_with('!') => "ERR BAD_CMD UnknownCommand",
            _ => continue,
        };
        // In two pieces, as a network may bring it.
        let len = (reply.len() as u16).to_be_bytes();
        stream.write_all(&len[..1]).ok()?;
        stream.write_all(&[&len[1..], reply.as_bytes()].concat()).ok()?;
    }
}

fn run(server: SocketAddr, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
    command.args(["--server", &server.to_string(), "--json"]).args(arguments);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn tcp_is_tried_after_udp() {
    let server = serve();
    let (code, output) = run(server, &["--join", "HOME"]);
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.contains(r#""protocol":"base","server""#) && output.contains(r#""transport":"tcp""#),
        "{output}"
    );
    assert!(output.contains(r#""type":"joined""#) && output.contains(r#""type":"left""#), "{output}");
    assert_eq!(run(server, &["--transport", "tcp", "send", "--group", "HOME", "hello"]).0, Some(0));
    assert_eq!(
        run(server, &["--transport", "udp", "send", "--timeout", "300ms", "--group", "HOME", "hello"]).0,
        Some(1)
    );
    assert_eq!(run(server, &["--protocol", "extended", "send", "--group", "HOME", "hello"]).0, Some(1));
}
