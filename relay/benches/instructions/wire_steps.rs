//! Reading datagrams.

use std::hint::black_box;

use wire::{Command, Message, Usage, decode};

use crate::{Named, Step};

pub const ALL: &[Named] =
    &[("wire: decode each of the six commands 16 times", commands), ("wire: decode 64 payloads", payloads)];

fn commands() -> Step {
    const COMMANDS: [&[u8]; 6] =
        [b"!CREATE", b"!JOIN abcd2345", b"!LEAVE ABCD2345", b"!PING", b"!WHO", b"!MAKE tea"];
    Box::new(|| {
        for datagram in COMMANDS.iter().cycle().take(16 * COMMANDS.len()) {
            let message = decode(black_box(datagram));
            if let Message::Command(Command::Join(argument) | Command::Leave(argument)) = message {
                let _ = black_box(argument.group(Usage::Join));
            }
            black_box(message);
        }
    })
}

fn payloads() -> Step {
    let payload = [b'x'; 512];
    Box::new(move || {
        for _ in 0..64 {
            black_box(decode(black_box(&payload)));
        }
    })
}
