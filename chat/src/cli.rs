//! The arguments.

use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};
use wire::{GroupId, MAX_DATAGRAM};

const MORE: &str = "\
Without a command you talk: type `help` there. Without a terminal (input or output is a pipe) `chat` reads the
same lines from its input, answers in plain lines (messages and answers on the standard output, problems on the
standard error), and leaves at the end of its input.

Exit codes:
  0      done; also when the reader of the output went away
  1      refused by the relay, not answered, or an error
  2      wrong arguments
  124    `listen --timeout` passed before `--count` messages came
  128+n  ended by signal n (130: Ctrl-C, 143: SIGTERM); the group is left first

With --json, everything is one JSON object a line on the standard output, `time` in Unix milliseconds:
  {\"type\":\"text\",\"time\":..,\"group\":\"ABCD1234\",\"text\":\"hello\"}   `hex` instead of `text` if it is not UTF-8
  created{group} joined{group,again} left{group} members{group,count} pong{round_trip_ms,heartbeat_ms}
  sent{group,count,members} refused{request,answer} no_answer{request,tries} lost{group,unsure}
  corrected{group} created_twice{first,second} unreachable{server} silent{server} answers{server}
  hint{message} status{server,group,heartbeat_ms,next_ping_ms,silent} help{message} problem{message}

Colour is switched off by NO_COLOR. The history of typed lines is kept in memory only. Everything is sent in
clear text, and the base protocol does not say who sent a message.

Examples:
  chat --join ABCD1234                             talk
  group=$(chat create)                             make a group in a script
  chat send --group \"$group\" 'build finished'
  tail -f app.log | chat send --group \"$group\" -
  chat listen --group \"$group\" --count 1 --timeout 30s";

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

    /// Print JSON objects, one a line
    #[arg(long, global = true)]
    pub json: bool,

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
    Create,
    /// Join a group, send a message (or each line of the input), and leave
    Send(SendArgs),
    /// Join a group and print what is said there, one message a line
    Listen(ListenArgs),
}

/// Exits with 0 once the relay has confirmed, after the last message, that we were a member. Whether each other
/// member received it nobody knows: that is UDP.
#[derive(Debug, ClapArgs)]
pub struct SendArgs {
    /// The group to send to
    #[arg(long, short, value_name = "GROUP")]
    pub group: GroupId,

    /// Fail if it is not done by then: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,

    /// The words of one message; a single `-` sends each line of the input as a message
    #[arg(required = true)]
    pub text: Vec<String>,
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

    /// End by then, with exit code 124 if --count was given: 2, 1.5, 500ms, 30s, 5m, 1h
    #[arg(long, short, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

impl Args {
    /// Refuses what the grammar of the arguments admits and no use of the client can do.
    pub fn check(&self) -> Result<(), String> {
        match &self.errand {
            Some(_) if self.join.is_some() => Err("--join is for talking; the commands take --group".into()),
            Some(Errands::Send(send)) => send.check(),
            _ => Ok(()),
        }
    }
}

impl Errands {
    /// Whether it takes lines from the standard input.
    pub fn reads_stdin(&self) -> bool {
        matches!(self, Self::Send(send) if send.message().is_none())
    }
}

impl SendArgs {
    /// The one message, unless the lines of the input are to be sent.
    pub fn message(&self) -> Option<Vec<u8>> {
        (self.text != ["-"]).then(|| self.text.join(" ").into_bytes())
    }

    /// Refuses what cannot be sent before anything is.
    fn check(&self) -> Result<(), String> {
        let text = self.text.join(" ");
        match text.len() {
            _ if text.starts_with('!') => Err("a message cannot begin with `!`".into()),
            0 => Err("an empty message is not sent".into()),
            long if long > MAX_DATAGRAM => {
                Err(format!("{long} bytes are more than the {MAX_DATAGRAM} that one message may have"))
            }
            _ => Ok(()),
        }
    }
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
