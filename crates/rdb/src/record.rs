//! What the bytes mean: a record is one Redis key with its value and expiry.

use std::fmt;
use std::str::FromStr;

use crate::array::Array;
use crate::blob::Blob;
use crate::json::Json;
use crate::module::Module;
use crate::stream::Stream;

/// The number of a Redis database (`SELECT n`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a number and nothing else, by nature")]
pub struct Db(pub u32);

impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment: milliseconds since 1970-01-01 UTC. May be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a number and nothing else, by nature")]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The moment `seconds` after 1970; saturates at the ends of the range.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// What the server's eviction policy remembered of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Redis has two eviction clocks, or none")]
pub enum Usage {
    /// The dump does not say.
    #[default]
    Unknown,
    /// LRU: seconds since the key was last used.
    Idle(u64),
    /// LFU: the logarithmic access counter.
    Frequency(u8),
}

/// One Redis key with its value and expiry.
///
/// ```
/// use keystar_rdb::{Blob, Db, Record, UnixMillis, Value};
///
/// let record = Record::new(Db(0), "greeting".into(), Value::String("hello".into()))
///     .with_expires_at(UnixMillis(4_102_444_800_000));
/// assert_eq!(record.key, "greeting");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The database that the key lives in.
    pub db: Db,
    /// The key.
    pub key: Blob<'a>,
    /// The value.
    pub value: Value<'a>,
    /// When the key expires, if it does; also moments in the past are kept.
    pub expires_at: Option<UnixMillis>,
    /// What the eviction policy remembered of the key.
    pub usage: Usage,
}

impl<'a> Record<'a> {
    /// A record that does not expire.
    #[must_use]
    pub const fn new(db: Db, key: Blob<'a>, value: Value<'a>) -> Self {
        Self { db, key, value, expires_at: None, usage: Usage::Unknown }
    }

    /// The same record with an expiry.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: impl Into<Option<UnixMillis>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }

    /// The same record with what the eviction policy remembered.
    #[must_use]
    pub const fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Cuts the tie to the input, copying what is borrowed.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        Record {
            db: self.db,
            key: self.key.into_owned(),
            value: self.value.into_owned(),
            expires_at: self.expires_at,
            usage: self.usage,
        }
    }
}

/// The value of a key, whatever its encoding was.
///
/// The order of elements is the order in the dump: lists and streams in their true order, sorted
/// sets by score only if the server wrote them so, sets and hashes in no order of meaning.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A string; also HyperLogLogs and bitmaps are strings.
    String(Blob<'a>),
    /// A list, head first.
    List(Vec<Blob<'a>>),
    /// A set.
    Set(Vec<Blob<'a>>),
    /// A sorted set; also geo indexes are sorted sets.
    SortedSet(Vec<Scored<'a>>),
    /// A hash.
    Hash(Vec<Field<'a>>),
    /// A stream with its consumer groups.
    Stream(Box<Stream<'a>>),
    /// A sparse array (Redis 8.8).
    Array(Array<'a>),
    /// A RedisJSON document.
    Json(Json),
    /// The value of any other module, as typed tokens.
    Module(Module<'a>),
}

impl Value<'_> {
    /// The logical type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::SortedSet(_) => Kind::SortedSet,
            Self::Hash(_) => Kind::Hash,
            Self::Stream(_) => Kind::Stream,
            Self::Array(_) => Kind::Array,
            Self::Json(_) => Kind::Json,
            Self::Module(_) => Kind::Module,
        }
    }

    /// The number of elements: of entries for a stream, of slots for an array, 1 for a string, a
    /// document or a module value.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::List(items) | Self::Set(items) => items.len(),
            Self::SortedSet(items) => items.len(),
            Self::Hash(fields) => fields.len(),
            Self::Stream(stream) => stream.entries.len(),
            Self::Array(array) => array.slots.len(),
            Self::String(_) | Self::Json(_) | Self::Module(_) => 1,
        }
    }

    /// Whether this is a collection without elements, a key that Redis does not keep. A stream
    /// without entries is not empty in this sense: Redis keeps it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !matches!(self, Self::Stream(_)) && self.len() == 0
    }

    /// Cuts the tie to the input, copying what is borrowed.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        fn blobs(blobs: Vec<Blob<'_>>) -> Vec<Blob<'static>> {
            blobs.into_iter().map(Blob::into_owned).collect()
        }
        match self {
            Self::String(text) => Value::String(text.into_owned()),
            Self::List(items) => Value::List(blobs(items)),
            Self::Set(items) => Value::Set(blobs(items)),
            Self::SortedSet(items) => {
                Value::SortedSet(items.into_iter().map(Scored::into_owned).collect())
            }
            Self::Hash(fields) => Value::Hash(fields.into_iter().map(Field::into_owned).collect()),
            Self::Stream(stream) => Value::Stream(Box::new(stream.into_owned())),
            Self::Array(array) => Value::Array(array.into_owned()),
            Self::Json(json) => Value::Json(json),
            Self::Module(module) => Value::Module(module.into_owned()),
        }
    }
}

/// A member of a sorted set.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "a member and its score, by nature")]
pub struct Scored<'a> {
    /// The member.
    pub member: Blob<'a>,
    /// The score; ±infinity is legal, NaN occurs in corrupt files only and is refused.
    pub score: f64,
}

impl<'a> Scored<'a> {
    /// A member with its score.
    #[must_use]
    pub const fn new(member: Blob<'a>, score: f64) -> Self {
        Self { member, score }
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Scored<'static> {
        Scored { member: self.member.into_owned(), score: self.score }
    }
}

/// A field of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "name, value and expiry, as HSET and HPEXPIREAT say")]
pub struct Field<'a> {
    /// The field's name.
    pub name: Blob<'a>,
    /// The field's value.
    pub value: Blob<'a>,
    /// When the field alone expires, if it does.
    pub expires_at: Option<UnixMillis>,
}

impl<'a> Field<'a> {
    /// A field that does not expire by itself.
    #[must_use]
    #[inline]
    pub const fn new(name: Blob<'a>, value: Blob<'a>) -> Self {
        Self { name, value, expires_at: None }
    }

    /// The same field with an expiry.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: impl Into<Option<UnixMillis>>) -> Self {
        self.expires_at = expires_at.into();
        self
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Field<'static> {
        Field {
            name: self.name.into_owned(),
            value: self.value.into_owned(),
            expires_at: self.expires_at,
        }
    }
}

/// The logical type of a value, as `TYPE` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `string`
    String,
    /// `list`
    List,
    /// `set`
    Set,
    /// `zset`
    SortedSet,
    /// `hash`
    Hash,
    /// `stream`
    Stream,
    /// `array`
    Array,
    /// `ReJSON-RL`
    Json,
    /// Any other module type; `module` here, since only the module knows its name.
    Module,
}

impl Kind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::String,
        Self::List,
        Self::Set,
        Self::SortedSet,
        Self::Hash,
        Self::Stream,
        Self::Array,
        Self::Json,
        Self::Module,
    ];

    /// The name that Redis' `TYPE` answers (`module` for module types).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Array => "array",
            Self::Json => "ReJSON-RL",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no kind of value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseKindError;

impl fmt::Display for ParseKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "unknown type: expected string, list, set, zset, hash, stream, array, json or module",
        )
    }
}

impl std::error::Error for ParseKindError {}

impl FromStr for Kind {
    type Err = ParseKindError;

    /// Reads the name of [`Kind::name`], in any case; also `json`, `sorted-set`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("json") {
            return Ok(Self::Json);
        }
        if text.eq_ignore_ascii_case("sorted-set") {
            return Ok(Self::SortedSet);
        }
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or(ParseKindError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse::<Kind>(), Ok(kind));
        }
        assert_eq!("JSON".parse::<Kind>(), Ok(Kind::Json));
        assert_eq!("tree".parse::<Kind>(), Err(ParseKindError));
    }

    #[test]
    fn seconds_are_rounded_down() {
        assert_eq!(UnixMillis(1999).seconds(), 1);
        assert_eq!(UnixMillis(-1).seconds(), -1);
        assert_eq!(UnixMillis::from_seconds(i64::MAX), UnixMillis(i64::MAX));
    }
}
