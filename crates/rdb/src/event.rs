//! What the parser tells, in the order of the input.

use crate::array::Slot;
use crate::blob::Blob;
use crate::encoding::Family;
use crate::frame::{Frame, Head};
use crate::json::Json;
use crate::module::{Module, ModuleId};
use crate::record::{Db, Field, Record, Scored};
use crate::stream::{Stream, StreamEntry};

/// What [`Parser::step`](crate::Parser::step) came to.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a parser wants input, tells something, or is done")]
pub enum Step<'a> {
    /// Nothing can be told before [`feed`](crate::Parser::feed) or
    /// [`finish`](crate::Parser::finish) is called.
    NeedInput,
    /// Something was read.
    Event(Event<'a>),
    /// All input was read, nothing is left to tell.
    End,
}

/// Something that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The header of the file.
    #[non_exhaustive]
    Start {
        /// Whose dump it is.
        family: Family,
        /// The RDB version.
        version: u16,
    },
    /// An auxiliary field of the file, e.g. `redis-ver`.
    #[non_exhaustive]
    Aux {
        /// Its name.
        key: Blob<'a>,
        /// Its value.
        value: Blob<'a>,
    },
    /// The keys that follow live in this database.
    Select(Db),
    /// How many keys the database has, says the file: a hint, good for progress only.
    #[non_exhaustive]
    Resize {
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// A library of functions.
    #[non_exhaustive]
    Function {
        /// Its source; before Redis 7.0 was released, without the `#!lua` line.
        code: Blob<'a>,
        /// Its name, where it is not in the source (release candidates of Redis 7.0).
        name: Option<Blob<'a>>,
    },
    /// Data of a module that belongs to no key.
    #[non_exhaustive]
    ModuleAux {
        /// The module's type.
        id: ModuleId,
        /// Whether it belongs after the keys rather than before them.
        after_keys: bool,
        /// The tokens.
        module: Module<'a>,
    },
    /// How many keys a cluster slot has, says the file.
    #[non_exhaustive]
    SlotInfo {
        /// The slot.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// Slots that were on their way to this node when the dump was made (Valkey 9).
    #[non_exhaustive]
    SlotImport {
        /// The job's name, 40 hexadecimal digits.
        job: Blob<'a>,
        /// The ranges of slots, both ends included.
        ranges: Vec<(u64, u64)>,
    },
    /// A hash template was defined (Redis 8.10). The parser keeps it in its
    /// [`Context`](crate::Context).
    #[non_exhaustive]
    HashTemplate {
        /// Its id.
        id: u64,
        /// How many fields it names.
        fields: u64,
    },
    /// A command to be applied to what was read so far (Valkey 9.2, forkless save). The file is a
    /// fuzzy snapshot then: whoever ignores these commands gets a state that never was.
    Command(Vec<Blob<'a>>),
    /// Something odd that did not stop the reading.
    Warning(Warning),
    /// A key with the raw bytes of its value ([`Level::Frames`](crate::Level::Frames)).
    Frame(Frame<'a>),
    /// A key with its decoded value ([`Level::Records`](crate::Level::Records)).
    Record(Record<'a>),
    /// A key whose elements follow ([`Level::Elements`](crate::Level::Elements), and big values
    /// in [`Level::Frames`](crate::Level::Frames)) or are skipped
    /// ([`Level::Skip`](crate::Level::Skip)). [`Event::KeyEnd`] closes it.
    Key(Head<'a>),
    /// A piece of the value of the last [`Event::Key`].
    Element(Element<'a>),
    /// The value of the last [`Event::Key`] is complete.
    #[non_exhaustive]
    KeyEnd {
        /// How many elements were told.
        elements: u64,
        /// How many bytes of the input the value takes.
        bytes: u64,
    },
    /// A key that the filter refused; its value is skipped.
    Filtered(Head<'a>),
    /// A collection without elements, a key that Redis itself would not load; skipped.
    Empty(Head<'a>),
    /// The end mark of the dump; [`offset`](crate::Parser::offset) is where it ends.
    #[non_exhaustive]
    End {
        /// What the checksum says.
        checksum: Checksum,
    },
    /// The input went on after the dump's end.
    #[non_exhaustive]
    Trailing {
        /// How many bytes.
        bytes: u64,
        /// What they look like.
        looks_like: Trailing,
    },
}

/// What the checksum at the end of a dump says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// It is that of the bytes.
    Matched,
    /// It is not that of the bytes, and the [`Options`](crate::Options) say to go on.
    Ignored,
    /// The server was told to write none.
    Disabled,
    /// The version has none (before RDB 5).
    Absent,
}

/// What follows the end of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trailing {
    /// The 40-byte mark of a diskless replication transfer.
    DisklessMark,
    /// Commands: the dump is the preamble of an append-only file.
    Commands,
    /// Zero bytes only (as far as looked).
    Zeros,
    /// Something else.
    Unknown,
}

/// Something odd that did not stop the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The RDB version is newer than any that this crate was tested with.
    #[non_exhaustive]
    UntestedVersion {
        /// Whose dump it is.
        family: Family,
        /// The version.
        version: u16,
    },
    /// The checksum is not that of the bytes, and the [`Options`](crate::Options) say to go on.
    #[non_exhaustive]
    ChecksumMismatch {
        /// What the dump says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// A function in the form of the release candidates of Redis 7.0, which Redis refuses.
    PreReleaseFunction,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UntestedVersion { family, version } => {
                write!(f, "{family} RDB version {version} is newer than any that was tested")
            }
            Self::ChecksumMismatch { stored, computed } => {
                write!(f, "checksum mismatch: stored {stored:016x}, computed {computed:016x}")
            }
            Self::PreReleaseFunction => {
                f.write_str("function in the form of a Redis 7.0 release candidate")
            }
        }
    }
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Element<'a> {
    /// A whole string value.
    Text(Blob<'a>),
    /// A piece of a string value that is longer than
    /// [`Options::chunk_bytes`](crate::Options::chunk_bytes).
    #[non_exhaustive]
    Chunk {
        /// The bytes; all pieces but the last are equally long.
        bytes: &'a [u8],
        /// Where the piece begins within the string.
        offset: u64,
        /// The length of the whole string.
        total: u64,
    },
    /// An item of a list.
    Item(Blob<'a>),
    /// A member of a set.
    Member(Blob<'a>),
    /// A member of a sorted set.
    Scored(Scored<'a>),
    /// A field of a hash.
    Field(Field<'a>),
    /// An entry of a stream.
    Entry(StreamEntry<'a>),
    /// All of a stream but its entries; always its last element.
    StreamTail(Box<Stream<'a>>),
    /// A slot of an array, by its index.
    Slot(u64, Slot<'a>),
    /// What an array says of itself; its first element.
    #[non_exhaustive]
    ArrayHead {
        /// Where the next insertion goes, if the dump says so.
        insert_index: Option<u64>,
    },
    /// A whole document.
    Json(Json),
    /// A whole module value.
    Module(Module<'a>),
}
