//! The tables on disk, and how they are opened and read into the index.

use redb::{
    Builder, Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};
use std::num::NonZeroU64;
use std::path::Path;

use crate::book::{Book, Entry, Slip};
use crate::error::Error;
use crate::limits;
use crate::medium::Source;
use crate::request::{Name, cost};

/// A name's key: shown, claim, when it was last seen.
pub const NAMES: TableDefinition<&str, (&str, &str, u64)> = TableDefinition::new("names");

/// A mail's number: the key that it is for, the sender's key and name, the id, the time, the text, and the site that it has come from (0:
/// none that is bounded). In the order in which mail
/// comes, because then a commit writes few pages, and full ones, whoever the mail is for.
pub const MAILS: TableDefinition<u64, MailRow> = TableDefinition::new("mails");

/// A row of [`MAILS`].
pub type MailRow = (&'static str, &'static str, &'static str, &'static str, u64, &'static [u8], u64);

/// What concerns the whole.
pub const FACTS: TableDefinition<&str, u64> = TableDefinition::new("facts");

/// In [`FACTS`]: from where on no number is reserved.
pub const RESERVED: &str = "reserved";

/// In [`FACTS`]: the form of these tables.
const FORMAT: &str = "format";

/// The form that this version knows.
pub const KNOWN_FORMAT: u64 = 2;

/// Opens the database and reads the index.
pub fn open(source: &Source, path: &Path) -> Result<(Database, Book), Error> {
    let failed = |error| Error::of(path.to_owned(), error);
    let medium = source().map_err(|error| Error::of_io(path.to_owned(), error))?;
    let length = medium.len().map_err(|error| Error::of_io(path.to_owned(), error))?;
    let mut builder = Builder::new();
    builder.set_cache_size(limits::CACHE_BYTES).set_check_integrity_on_open(true);
    let mut database = builder.create_with_backend(medium).map_err(|error| failed(error.into()))?;
    let format = prepare(&database).map_err(failed)?;
    if format != KNOWN_FORMAT {
        return Err(Error::OtherVersion { path: path.to_owned(), format });
    }
    let book = load(&database).map_err(failed)?;
    if length > limits::COMPACT_BYTES && length / limits::COMPACT_SHARE > book.bytes {
        database.compact().map_err(|error| failed(error.into()))?;
    }
    Ok((database, book))
}

/// A transaction whose commit is on the disk when it returns.
pub fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    Ok(transaction)
}

/// Makes the tables, and says of which form they are.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let transaction = begin(database)?;
    let known = transaction.open_table(FACTS)?.get(FORMAT)?.map(|format| format.value());
    if let Some(format) = known {
        transaction.abort()?;
        return Ok(format);
    }
    transaction.open_table(FACTS)?.insert(FORMAT, KNOWN_FORMAT)?;
    transaction.open_table(NAMES)?;
    transaction.open_table(MAILS)?;
    transaction.commit()?;
    Ok(KNOWN_FORMAT)
}

fn load(database: &Database) -> Result<Book, redb::Error> {
    let transaction = database.begin_read()?;
    let mut book = Book::default();
    for row in transaction.open_table(NAMES)?.iter()? {
        let (key, value) = row?;
        let (shown, claim, seen) = value.value();
        book.names.insert(key.value().into(), Entry::new(shown, claim, seen));
    }
    for row in transaction.open_table(MAILS)?.iter()? {
        let (number, value) = row?;
        let (to, from, shown, id, time, text, site) = value.value();
        let number = number.value();
        let from = Name { key: from.into(), shown: shown.into() };
        let mark = book.mark(&from.key, id);
        let slip = Slip::new(number, time, mark, cost(to, &from, id, text));
        book.add(to, Slip { site: NonZeroU64::new(site), ..slip });
        book.next = number + 1;
    }
    let reserved = transaction.open_table(FACTS)?.get(RESERVED)?.map_or(1, |number| number.value());
    book.next = book.next.max(reserved);
    book.reserved = book.next;
    Ok(book)
}
