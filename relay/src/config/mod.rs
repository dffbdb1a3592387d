//! What the operator decides: flags, environment and file are read by one parser per option into a checked [`Setup`].
//!
//! **[`load()`] once at the start, [`reload()`] on SIGHUP.** A value's precedence is flag, environment (`RELAY_*`), file
//! (TOML), default. Every value that is given is checked, also one that loses, so that taking a flag away later brings
//! no surprise. A [`Problem`] is one line that says where, what and what to do.

mod args;
mod choice;
mod doubt;
mod duration;
mod environment;
mod examine;
mod file;
mod flags;
mod groups;
mod host;
mod load;
mod options;
mod parse;
mod people;
mod place;
mod prefix;
mod print;
mod problem;
mod reload;
mod setup;
mod size;
mod spelling;
mod task;
#[cfg(test)]
mod tests;
mod token;

pub use choice::{Backend, LogFormat, SandboxMode, Shards, TcpMode};
pub use examine::examine;
pub use flags::command;
pub use load::{Loaded, load};
pub use people::DataDir;
pub use place::{Place, Source};
pub use print::Shown;
pub use problem::{Complaint, Exit, Problem};
pub use reload::{Pending, Reloaded, reload};
pub use setup::Setup;
pub use task::{Examination, Task};
pub use token::Token;

/// Shards at most: more sockets than that on one port have not been tried, and no machine at hand has more cores.
pub const MAX_SHARDS: u64 = 256;

/// Addresses to serve on, at most: with [`MAX_SHARDS`] these are 4096 sockets, within the usual 65,536 descriptors.
pub const MAX_HOSTS: usize = 16;

/// Prefixes of one list, at most: more than the common lists of bad networks have, and a look-up in 16,384 takes 14
/// comparisons.
pub const MAX_PREFIXES: usize = 1 << 14;

/// The smallest socket buffer, in bytes: one datagram of the protocol, which the kernel doubles for its overhead.
pub const MIN_BUFFER: u64 = wire::MAX_DATAGRAM as u64;

/// The largest socket buffer, in bytes: the kernel keeps the doubled value in an int and cuts this one by a byte.
pub const MAX_BUFFER: u64 = 1 << 30;

/// The shortest token, in characters: 16 hexadecimal digits are 64 bits, which nobody guesses over a network.
pub const MIN_TOKEN: usize = 16;

/// The longest token: with its header it fits into what the HTTP server reads at once.
pub const MAX_TOKEN: usize = 512;

/// The longest configuration file, in bytes: 262,144 groups of eight letters take 4.7 MB, three full lists of the longest
/// prefixes 2.3 MB. Reading one takes half a second and 350 MB at worst, of a relay that serves meanwhile.
pub const MAX_FILE: u64 = 8 << 20;
