//! The program around the client: arguments, socket, terminal, signals.

mod claims;
mod clock;
mod connect;
mod conversation;
mod create;
mod errand;
mod exit;
mod folder;
mod human;
mod json;
mod lines;
mod link;
mod listen;
mod personal;
mod post;
mod screen;
mod send;
mod shown;
mod stage;
mod terminal;
mod tui;
mod words;
mod wrap;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chat::{Claims, Client, Talk, fold};
use wire::Token;

pub use chat::cli::Args;
pub use exit::Exit;

use chat::cli::{Errands, message};
use claims::Keeper;
use conversation::{Conversation, Kept};
use create::Create;
use errand::{Errand, Surroundings};
use folder::Folder;
use lines::Lines;
use listen::Listen;
use personal::{Personal, Task};
use post::Post;
use screen::{Screen, Voice};
use send::{Audience, Send, Signature};
use tui::Tui;
use words::Words;

/// Does what the arguments say.
///
/// # Errors
/// The server's name has no address, the claims cannot be read, or the output cannot be written.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    if let Err(usage) = args.check() {
        eprintln!("chat: {usage}");
        return Ok(Exit::Usage);
    }
    let address = connect::resolve(&args.server, &args.config(([0, 0, 0, 0], 0).into()).transports)
        .with_context(|| format!("cannot use --server {}", args.server))?;
    let (post, wakes) = Post::open(address)?;
    let now = Instant::now();
    let client =
        Client::new(args.config(address), now).context("the operating system has no random numbers")?;
    let words = Words::default();
    let (screen, lines) = surface(args, &post, &words)?;
    let at_terminal = matches!(screen, Screen::Terminal { .. } | Screen::Full(_));
    let mut errand = errand(args, client, words, at_terminal, now)?;
    Surroundings { post, wakes, screen, lines }.run(&mut *errand)
}

/// What is to be done.
fn errand(
    args: &Args,
    client: Client,
    words: Words,
    at_terminal: bool,
    now: Instant,
) -> anyhow::Result<Box<dyn Errand>> {
    let until = |timeout: Option<Duration>| timeout.map(|timeout| now + timeout);
    let personal = |args: &Args, client, task, timeout| -> anyhow::Result<Box<dyn Errand>> {
        let keeper = keeper(args)?;
        let signature = signature(args, &keeper)?;
        Ok(Box::new(Personal::new(client, keeper, signature, task, timeout, now)))
    };
    Ok(match &args.errand {
        None => conversation(args, client, words, at_terminal, now)?,
        Some(Errands::Create) => Box::new(Create::new(client)),
        Some(Errands::Listen(listen)) => Box::new(Listen::new(client, listen, now)),
        Some(Errands::Reg(reg)) => personal(args, client, Task::Register, reg.timeout)?,
        Some(Errands::Dereg(dereg)) => personal(args, client, Task::Deregister, dereg.timeout)?,
        Some(Errands::Send(send)) => match (send.group, send.letter()) {
            (None, Some((to, text))) => personal(args, client, Task::Send { to, text }, send.timeout)?,
            (Some(group), _) => {
                let name = args.name.is_some().then(|| signature(args, &keeper(args)?));
                let (audience, text) = (Audience::Group(group), message(&send.text));
                Box::new(Send::new(client, audience, name.transpose()?, text, until(send.timeout)))
            }
            (None, None) => bail!("nothing to send"),
        },
        Some(Errands::SendAll(send)) => {
            let named = send.group.is_none() || args.name.is_some();
            let name = named.then(|| signature(args, &keeper(args)?)).transpose()?;
            let audience = send.group.map_or(Audience::Lobby, Audience::Group);
            Box::new(Send::new(client, audience, name, message(&send.text), until(send.timeout)))
        }
    })
}

fn conversation(
    args: &Args,
    client: Client,
    words: Words,
    at_terminal: bool,
    now: Instant,
) -> anyhow::Result<Box<dyn Errand>> {
    let kept = Folder::of_user().ok().map(|folder| Kept::new(folder, &args.server));
    let mut claims = match &kept {
        Some(kept) => kept.claims.load()?,
        None => Claims::new(),
    };
    if let (Some(name), Some(claim)) = (&args.name, args.claim) {
        claims.insert(fold(name), claim);
    }
    let mut talk = Talk::new(client, claims);
    if args.json {
        talk = talk.with_objects();
    }
    if let Some(name) = &args.name {
        talk.line(format!("/reg {name}").into_bytes(), now);
    }
    if let Some(group) = args.join {
        talk.line(format!("/join {group}").into_bytes(), now);
    }
    Ok(Box::new(Conversation::new(talk, kept, words, at_terminal, now)))
}

fn keeper(args: &Args) -> anyhow::Result<Keeper> {
    Ok(Keeper::new(Folder::of_user()?, &args.server))
}

/// Under which name it is done, and what proves that this is ours.
fn signature(args: &Args, keeper: &Keeper) -> anyhow::Result<Signature> {
    let claims = keeper.load()?;
    let claim = |name: &str| -> Option<Token> { args.claim.or_else(|| claims.get(&fold(name)).copied()) };
    if let Some(name) = args.own_name() {
        return Ok((name.to_owned(), claim(name)));
    }
    match &keeper.names()?[..] {
        [only] => Ok((only.clone(), claim(only))),
        [] => bail!("you have no name at {}: `chat reg NAME` first, or say which with --name", args.server),
        names => bail!("you have {} names at {}: say which with --name", names.len(), args.server),
    }
}

/// Where things are shown, and where lines come from.
fn surface(args: &Args, post: &Post, words: &Words) -> anyhow::Result<(Screen, Lines)> {
    let server = post.server().to_string();
    if args.tui {
        if !at_terminal() {
            bail!("--tui needs a terminal: leave it away to read lines from a pipe");
        }
        return Ok((Screen::Full(Box::new(Tui::open(server, post.sender())?)), Lines::none()));
    }
    let terminal = (args.errand.is_none() && !args.json && at_terminal())
        .then(|| terminal::open(post.sender(), words.clone(), args.timestamps))
        .flatten();
    if let Some((printer, lines)) = terminal {
        printer.greet(&server);
        return Ok((Screen::Terminal { printer, server }, lines));
    }
    let reads_stdin = args.errand.as_ref().is_none_or(Errands::reads_stdin);
    let lines = if reads_stdin { Lines::of_stdin(post.sender()) } else { Lines::none() };
    let voice = match args.errand {
        None => Voice::Talk,
        Some(Errands::Listen(_)) => Voice::Listen,
        Some(_) => Voice::Quiet,
    };
    let plain = Screen::Plain { voice, server: server.clone(), timestamps: args.timestamps };
    Ok((if args.json { Screen::Json { voice, server } } else { plain }, lines))
}

fn at_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}
