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
mod patience;
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
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use chat::{Claims, Client, Credentials, Keep, Talk, fold};

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
use patience::Patience;
use personal::{Personal, Signature, Task};
use post::Post;
use screen::{Screen, Voice};
use send::{Audience, Send};
use tui::Tui;
use words::Words;

/// Does what the arguments say.
///
/// # Errors
/// The server's name has no address, the claims cannot be read, or the output cannot be written.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    if let Err(usage) = args.check() {
        return Ok(fail(args, &usage, Exit::Usage));
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

/// Says what prevents everything, where it is looked for.
pub fn fail(args: &Args, problem: &str, exit: Exit) -> Exit {
    if args.json {
        println!("{}", json::problem_line(problem));
    } else {
        eprintln!("chat: {problem}");
    }
    exit
}

/// What is to be done.
fn errand(
    args: &Args,
    client: Client,
    words: Words,
    at_terminal: bool,
    now: Instant,
) -> anyhow::Result<Box<dyn Errand>> {
    let patience = |timeout| Patience::new(timeout, now);
    let named = args.name.is_some();
    Ok(match &args.errand {
        None => conversation(args, client, words, at_terminal, now)?,
        Some(Errands::Create(create)) => Box::new(Create::new(client, patience(create.timeout))),
        Some(Errands::Listen(listen)) => Box::new(Listen::new(client, listen, now)),
        Some(Errands::Reg(reg)) => {
            Box::new(Personal::new(client, signature(args)?, Task::Register, patience(reg.timeout)))
        }
        Some(Errands::Dereg(dereg)) => {
            let signature = signature(args)?;
            if !signature.1.has(&signature.0) {
                bail!(
                    "you have no name {} at {}: --claim proves one from elsewhere",
                    dereg.name,
                    args.server
                );
            }
            Box::new(Personal::new(client, signature, Task::Deregister, patience(dereg.timeout)))
        }
        Some(Errands::Send(send)) => match (send.group, send.letter()) {
            (None, Some((to, text))) => {
                let task = Task::Send { to, text };
                Box::new(Personal::new(client, signature(args)?, task, patience(send.timeout)))
            }
            (Some(group), _) => {
                let name = named.then(|| signature(args)).transpose()?;
                let (audience, text) = (Audience::Group(group), message(&send.text));
                Box::new(Send::new(client, audience, name, text, patience(send.timeout)))
            }
            (None, None) => bail!("nothing to send"),
        },
        Some(Errands::SendAll(send)) => {
            let name = (send.group.is_none() || named).then(|| signature(args)).transpose()?;
            let audience = send.group.map_or(Audience::Lobby, Audience::Group);
            Box::new(Send::new(client, audience, name, message(&send.text), patience(send.timeout)))
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
    let mut talk = Talk::new(client, credentials(args, keeper(args).ok())?);
    if args.json {
        talk = talk.with_objects();
    }
    if let Some(name) = &args.name {
        talk.argument(&format!("/reg {name}"), now);
    }
    if let Some(group) = args.join {
        talk.argument(&format!("/join {group}"), now);
    }
    Ok(Box::new(Conversation::new(talk, kept, words, at_terminal, now)))
}

fn keeper(args: &Args) -> anyhow::Result<Keeper> {
    Ok(Keeper::new(Folder::of_user()?, &args.server))
}

/// What proves names, and the one that was said. Without a folder nothing is kept, and no other name had.
fn credentials(args: &Args, keeper: Option<Keeper>) -> anyhow::Result<Credentials> {
    let mut claims = keeper.as_ref().map_or_else(|| Ok(Claims::new()), Keeper::load)?;
    if let (Some(name), Some(claim)) = (args.own_name(), args.claim) {
        claims.insert(fold(name), claim);
    }
    Ok(Credentials::new(claims, keeper.map(|keeper| Box::new(keeper) as Box<dyn Keep>)))
}

/// Under which name it is done, and what proves that this is ours.
fn signature(args: &Args) -> anyhow::Result<Signature> {
    let keeper = match keeper(args) {
        // Where no folder is, what was said is enough.
        Err(_) if args.claim.is_some() => None,
        keeper => Some(keeper?),
    };
    let name = match (args.own_name(), &keeper) {
        (Some(name), _) => name.to_owned(),
        (None, keeper) => only_name(args, &keeper.as_ref().map_or_else(|| Ok(Vec::new()), Keeper::names)?)?,
    };
    Ok((name, credentials(args, keeper)?))
}

fn only_name(args: &Args, names: &[String]) -> anyhow::Result<String> {
    match names {
        [only] => Ok(only.clone()),
        [] => bail!("you have no name at {}: `chat reg NAME` first, or say which with --name", args.server),
        names => bail!("you have {} names at {}: say which with --name", names.len(), args.server),
    }
}

/// Where things are shown, and where lines come from.
fn surface(args: &Args, post: &Post, words: &Words) -> anyhow::Result<(Screen, Lines)> {
    let server = post.server().to_string();
    if args.tui {
        no_terminal().map_or(Ok(()), |why| Err(anyhow!("--tui {why}")))?;
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
    no_terminal().is_none()
}

/// Why nothing can be drawn.
fn no_terminal() -> Option<&'static str> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Some("needs a terminal: leave it away to read lines from a pipe");
    }
    match std::env::var_os("TERM") {
        None => Some("cannot tell what the terminal can do: set TERM (to xterm, for instance)"),
        Some(term) if term == "dumb" => Some("needs a terminal that can be drawn on, and TERM says `dumb`"),
        Some(_) => None,
    }
}
