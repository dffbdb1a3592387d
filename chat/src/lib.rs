//! What a person types and what it means, without sockets, clocks or terminals.
//!
//! **[`Talk`] leads a [`Client`] by typed lines, and yields [`Note`]s to show.** The client itself is the crate [`client`];
//! [`cli`] has the program's arguments. The program around them is `src/main.rs` with `src/app`.

mod arguments;
pub mod cli;
mod credentials;
mod hint;
mod input;
mod marks;
mod note;
mod object;
mod place;
mod talk;

pub use client::{
    Client, Closing, Config, Event, Fate, MessageError, NAME_RULE, Person, Protocol, Request, RequestError,
    SendError, Status, Transmit, Transport, choose_claim, fold, harmless, is_harmful, is_name,
};
pub use credentials::{Claims, Credentials, Keep};
pub use hint::Hint;
pub use input::{HELP, Helper, Input, parse};
pub use marks::Mark;
pub use note::Note;
pub use place::Place;
pub use talk::Talk;
