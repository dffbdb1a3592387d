//! The arguments.

use std::net::SocketAddr;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as ClapArgs, Error, FromArgMatches, Parser, Subcommand, ValueEnum};
use client::{Config, NAME_RULE, Protocol, Transport, is_name};
use wire::{GroupId, MAX_DATAGRAM, Token};

use crate::Hint;

const MORE: &str = "\
Without a command you talk: type `help` there. Without a terminal (input or output is a pipe) `chat` reads the
same lines from its input, answers in plain lines (messages and answers on the standard output, problems on the
standard error), and leaves at the end of its input. A line that is refused or not sent is told, and changes no
exit code. At the prompt Ctrl-C drops the line that is typed; Ctrl-D on an empty line, or `quit`, leaves and ends.

Exit codes:
  0      done; of `send NAME` also: stored until NAME is back; also when the reader of the output went away
  1      refused by the relay, not answered, or an error; of lines from a pipe: --name or --join was refused
  2      wrong arguments
  3      `send NAME`: nobody is called so
  4      `send NAME`: the mailbox is full
  5      `send NAME`, `reg`, `dereg`: no answer in time; of `send NAME` also: the name was used elsewhere before the answer
  124    `listen --timeout` passed before `--count` messages came, or before the group was joined
  128+n  ended by signal n (130: Ctrl-C, 143: SIGTERM); the group is left first

With --json, everything is one JSON object a line on the standard output, `time` in Unix milliseconds. A line that is
typed and begins with `{` is an object, too: {\"type\":\"msg\",\"to\":\"bob\",\"text\":\"hi\"}. docs/chat.md describes each.

Colour is switched off by NO_COLOR. The history of typed lines is kept in memory only. Claims, which prove that names
are yours, are kept in $XDG_STATE_HOME/relay-chat/claims.toml (or ~/.local/state), and beside them which messages you have
seen. Everything is sent in clear text.

Examples:
  chat --join ABCD1234                             talk
  chat --name anna --tui                           talk with a name, on the whole screen
  group=$(chat create)                             make a group in a script
  chat send --group \"$group\" 'build finished'
  tail -f app.log | chat send --group \"$group\" -
  chat listen --group \"$group\" --count 1 --timeout 30s
  chat reg anna                                    have a name; prints what proves it
  chat send --name anna bob 'lunch?'               prints `delivered` or `stored`
  chat send-all --name anna 'back at two'          to everybody in the lobby";

/// A chat client for the relay and for the original UDPRelay server.
#[derive(Debug, Parser)]
#[command(version, after_help = MORE)]
pub struct Args {
    /// The relay: address or name, with port
    #[arg(
        long,
        short,
        global = true,
        env = "CHAT_SERVER",
        default_value = "127.0.0.1:5000",
        value_name = "HOST:PORT"
    )]
    pub server: String,

    /// Print JSON objects, one a line, and take them, too
    #[arg(long, global = true)]
    pub json: bool,

    /// What carries it: UDP, and TCP if nothing comes back by UDP; or only one of them
    #[arg(long, global = true, value_enum, default_value_t = Carrier::Auto, value_name = "WHICH")]
    pub transport: Carrier,

    /// What the relay has to speak: whatever it does, or only one of them
    #[arg(long, global = true, value_enum, default_value_t = Tongue::Auto, value_name = "WHICH")]
    pub protocol: Tongue,

    /// Have this name; without it, `send NAME` and `send-all` take the only one that you have at this relay;
    /// `create` and `listen` have none
    #[arg(long, short, global = true, env = "CHAT_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// What proves that the name is yours, on a machine that does not keep it yet
    #[arg(long, global = true, env = "CHAT_CLAIM", hide_env_values = true, value_name = "CLAIM", value_parser = claim)]
    pub claim: Option<Token>,

    /// Write the time before each line
    #[arg(long, global = true)]
    pub timestamps: bool,

    /// Talk on the whole screen: messages, people, status
    #[arg(long, conflicts_with = "json")]
    pub tui: bool,

    /// Join this group at the start
    #[arg(long, short, value_name = "GROUP")]
    pub join: Option<GroupId>,

    /// What to do instead of talking
    #[command(subcommand)]
    pub errand: Option<Errands>,
}

/// The commands for scripts.
#[derive(Debug, Subcommand)]
pub enum Errands {
    /// Make a group and print its id
    Create(CreateArgs),
    /// Send a message to a person; or join a group, send a message (or each line of the input), and leave
    Send(SendArgs),
    /// Send a message to everybody in a group, or in the relay's lobby
    SendAll(SendAllArgs),
    /// Have a name: makes it yours, and prints the claim that proves it
    Reg(NameArgs),
    /// Be offline under a name: messages wait; the name stays yours
    Dereg(NameArgs),
    /// Join a group and print what is said there, one message a line
    Listen(ListenArgs),
}

/// Exits with 0 once the group is made.
#[derive(Debug, ClapArgs)]
pub struct CreateArgs {
    /// Fail if it is not done by then: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// To a person: exits once it is delivered or stored, and prints which. To a group: exits with 0 once the relay has
/// confirmed, after the last message, that we were a member; whether each other member received it nobody knows.
#[derive(Debug, ClapArgs)]
pub struct SendArgs {
    /// Send to this group, not to a person
    #[arg(long, short, value_name = "GROUP")]
    pub group: Option<GroupId>,

    /// Fail if it is not done by then: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// The person, unless --group is given, and the words of one message; for a group, a single `-` sends each line of
    /// the input as a message
    #[arg(required = true, value_name = "[NAME] TEXT")]
    pub text: Vec<String>,
}

/// Exits with 0 once the relay has confirmed, after the message, that we were a member.
#[derive(Debug, ClapArgs)]
pub struct SendAllArgs {
    /// The group to send to, instead of the lobby
    #[arg(long, short, value_name = "GROUP")]
    pub group: Option<GroupId>,

    /// Fail if it is not done by then: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// The words of one message; a single `-` sends each line of the input as a message
    #[arg(required = true)]
    pub text: Vec<String>,
}

/// The name is had for a moment: whoever has it elsewhere, and it is yours, is told that it has moved.
#[derive(Debug, ClapArgs)]
pub struct NameArgs {
    /// 1 to 32 letters, digits, `_`, `-` and `.`
    pub name: String,

    /// Fail if it is not done by then: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// What may carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Carrier {
    /// UDP, then TCP.
    Auto,
    /// Only UDP.
    Udp,
    /// Only TCP.
    Tcp,
}

/// What the relay has to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tongue {
    /// The extended protocol, else the base one.
    Auto,
    /// Only the extended one.
    Extended,
    /// Only the base one.
    Base,
}

/// Stays a member by heartbeats, and joins again when the relay has forgotten it.
#[derive(Debug, ClapArgs)]
pub struct ListenArgs {
    /// The group to listen to
    #[arg(long, short, value_name = "GROUP")]
    pub group: GroupId,

    /// End after so many messages
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End by then, with exit code 124 if --count was given, or the group could not be joined: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

impl Args {
    /// Reads them. A name of the environment is for whoever can have one, and an empty one is none.
    ///
    /// # Errors
    /// They are not as the grammar of the arguments has them.
    pub fn of(matches: &ArgMatches) -> Result<Self, Error> {
        let mut args = Self::from_arg_matches(matches)?;
        let is_of_environment = |id| matches.value_source(id) == Some(ValueSource::EnvVariable);
        let is_none = args.name.as_ref().is_some_and(String::is_empty) || args.is_nameless();
        if is_none && is_of_environment("name") {
            args.name = None;
            args.claim = args.claim.filter(|_| !is_of_environment("claim"));
        }
        Ok(args)
    }

    /// Whether what is to be done is done without a name.
    fn is_nameless(&self) -> bool {
        matches!(self.errand, Some(Errands::Create(_) | Errands::Listen(_)))
    }

    /// Refuses what the grammar of the arguments admits and no use of the client can do.
    pub fn check(&self) -> Result<(), String> {
        match &self.errand {
            Some(_) if self.join.is_some() => Err("--join is for talking; the commands take --group".into()),
            Some(_) if self.tui => Err("--tui is for talking".into()),
            _ if self.name.is_some() && self.is_nameless() => {
                Err("`create` and `listen` have no name: leave --name away".into())
            }
            _ if self.own_name().is_some_and(|name| !is_name(name)) => Err(Hint::BadName.to_string()),
            _ if self.claim.is_some() && self.own_name().is_none() => {
                Err("--claim proves that a name is yours: give the name, too, with --name".into())
            }
            _ if self.protocol == Tongue::Base && (self.own_name().is_some() || self.is_personal()) => {
                Err("the base protocol has no names: leave --protocol away, or what needs a name".into())
            }
            Some(Errands::Send(send)) => send.check(),
            Some(Errands::SendAll(send)) => check_text(&send.text.join(" ")),
            _ => Ok(()),
        }
    }

    /// Whether what is to be done needs a name, whichever it is.
    fn is_personal(&self) -> bool {
        matches!(
            self.errand,
            Some(
                Errands::Send(SendArgs { group: None, .. })
                    | Errands::SendAll(SendAllArgs { group: None, .. })
            )
        )
    }

    /// The name that is to be had.
    pub fn own_name(&self) -> Option<&str> {
        match &self.errand {
            Some(Errands::Reg(args) | Errands::Dereg(args)) => Some(&args.name),
            _ => self.name.as_deref(),
        }
    }

    /// What the client is to do.
    pub fn config(&self, server: SocketAddr) -> Config {
        let transports = match self.transport {
            Carrier::Auto => vec![Transport::Udp, Transport::Tcp],
            Carrier::Udp => vec![Transport::Udp],
            Carrier::Tcp => vec![Transport::Tcp],
        };
        let protocol = match self.protocol {
            Tongue::Auto => None,
            Tongue::Extended => Some(Protocol::Extended),
            Tongue::Base => Some(Protocol::Base),
        };
        // What is stored for somebody is not for a script that only says something in that name, nor is who comes and goes.
        let talks = self.errand.is_none();
        Config { server, protocol, transports, takes_messages: talks, watches: talks }
    }
}

impl Errands {
    /// Whether it takes lines from the standard input.
    pub fn reads_stdin(&self) -> bool {
        match self {
            Self::Send(send) => send.group.is_some() && message(&send.text).is_none(),
            Self::SendAll(send) => message(&send.text).is_none(),
            _ => false,
        }
    }
}

impl SendArgs {
    /// Whom it is for, and the text, unless it is for a group.
    pub fn letter(&self) -> Option<(String, Vec<u8>)> {
        let (to, text) = self.text.split_first().filter(|_| self.group.is_none())?;
        Some((to.clone(), text.join(" ").into_bytes()))
    }

    /// Refuses what cannot be sent before anything is.
    fn check(&self) -> Result<(), String> {
        match self.text.split_first() {
            _ if self.group.is_some() => check_text(&self.text.join(" ")),
            Some((to, _)) if !is_name(to) => Err(format!("cannot send to `{to}`: {NAME_RULE}")),
            Some((to, [])) => {
                Err(format!("what to send to {to}? `chat send NAME TEXT`, or `--group GROUP TEXT`"))
            }
            _ => Ok(()),
        }
    }
}

/// The one message, unless the lines of the input are to be sent.
pub fn message(text: &[String]) -> Option<Vec<u8>> {
    (text != ["-"]).then(|| text.join(" ").into_bytes())
}

/// Refuses what no group can be sent.
fn check_text(text: &str) -> Result<(), String> {
    match text.len() {
        _ if text.starts_with('!') => Err("a message cannot begin with `!`".into()),
        0 => Err("an empty message is not sent".into()),
        long if long > MAX_DATAGRAM => {
            Err(format!("{long} bytes are more than the {MAX_DATAGRAM} that one message may have"))
        }
        _ => Ok(()),
    }
}

/// Reads a claim.
fn claim(text: &str) -> Result<Token, String> {
    Token::parse(text.as_bytes())
        .ok_or_else(|| "a claim has 26 letters and digits, as `chat reg` prints it".to_owned())
}

/// Reads a time: seconds, or a number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit `{unit}`: ms, s, m or h")),
    };
    let seconds: f64 = number.trim().parse().map_err(|_| "not a number".to_owned())?;
    // A year is enough, and keeps every sum of times in range.
    Some(seconds * factor)
        .filter(|seconds| (0.0..=31_536_000.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "not between 0 and a year".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times() {
        for (text, millis) in
            [("2", 2000), ("1.5", 1500), ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "nan", "inf", "1d", "1e99", "99999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
