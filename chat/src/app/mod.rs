//! The program around the client: arguments, socket, terminal, signals.

mod connect;
mod conversation;
mod create;
mod errand;
mod exit;
mod human;
mod json;
mod lines;
mod listen;
mod post;
mod screen;
mod send;
mod stage;
mod terminal;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal};
use std::time::Instant;

use anyhow::Context;
use chat::Client;

pub use chat::cli::Args;
pub use exit::Exit;

use chat::cli::Errands;
use conversation::Conversation;
use create::Create;
use errand::{Errand, Surroundings};
use lines::Lines;
use listen::Listen;
use post::Post;
use screen::{Screen, Voice};
use send::Send;

/// Does what the arguments say.
///
/// # Errors
/// The server's name has no address, or the output cannot be written.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    if let Err(usage) = args.check() {
        eprintln!("chat: {usage}");
        return Ok(Exit::Usage);
    }
    let socket =
        connect::connect(&args.server).with_context(|| format!("cannot use --server {}", args.server))?;
    let (post, wakes) = Post::open(socket)?;
    let now = Instant::now();
    // Only the heartbeats' jitter comes from it: the standard library's hash keys are random enough.
    let client = Client::new(RandomState::new().hash_one(now), now);
    let server = post.server().to_string();
    let terminal = (args.errand.is_none() && !args.json && at_terminal())
        .then(|| terminal::open(post.sender()))
        .flatten();
    let voice = match args.errand {
        None => Voice::Talk,
        Some(Errands::Listen(_)) => Voice::Listen,
        Some(Errands::Create | Errands::Send(_)) => Voice::Quiet,
    };
    let reads_stdin = args.errand.as_ref().is_none_or(Errands::reads_stdin);
    let mut errand: Box<dyn Errand> = match args.errand {
        None => Box::new(Conversation::new(client, args.join, terminal.is_some(), now)),
        Some(Errands::Create) => Box::new(Create::new(client)),
        Some(Errands::Send(args)) => Box::new(Send::new(client, &args, now)),
        Some(Errands::Listen(args)) => Box::new(Listen::new(client, &args, now)),
    };
    let (screen, lines) = match terminal {
        Some((printer, lines)) => {
            printer.greet(&server);
            (Screen::Terminal { printer, server }, lines)
        }
        None => {
            let lines = if reads_stdin { Lines::of_stdin(post.sender()) } else { Lines::none() };
            let screen = if args.json { Screen::Json { server } } else { Screen::Plain { voice, server } };
            (screen, lines)
        }
    };
    Surroundings { post, wakes, screen, lines }.run(&mut *errand)
}

fn at_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}
