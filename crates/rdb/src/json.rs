//! RedisJSON documents.

/// A JSON document with its key order and its numbers as written.
///
/// Numbers are kept as text, since no machine number holds them all; the text is always a valid
/// JSON number. Nesting is at most [`Json::MAX_DEPTH`] deep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "JSON has these and no others")]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as text.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of its keys.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// How deep a document may nest; RedisJSON itself stops at 128.
    pub const MAX_DEPTH: usize = 128;
}
