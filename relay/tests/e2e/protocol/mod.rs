//! The protocol's tables, row by row.

mod activity;
mod arguments;
mod ceilings;
mod checks;
mod groups;
mod membership;
mod model;
mod payloads;

const USAGE_JOIN: &str = "ERR BAD_ARG Usage:!JOIN <GROUPID>";
const USAGE_LEAVE: &str = "ERR BAD_ARG Usage:!LEAVE <GROUPID>";
const NO_SUCH_GROUP: &str = "ERR BAD_ARG NoSuchGroup";
const NOT_IN_THAT_GROUP: &str = "ERR NOT_IN_GROUP NotInThatGroup";
pub const NOT_JOINED: &str = "ERR NOT_IN_GROUP JoinFirstUseJOIN";
const BAD_COMMAND: &str = "ERR BAD_CMD UnknownCommand";
const TOO_LARGE: &str = "ERR TOO_LARGE PayloadTooLarge";
const SERVER_FULL: &str = "ERR SERVER_FULL TryLater";
