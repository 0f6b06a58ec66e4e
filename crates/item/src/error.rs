use std::fmt;
use std::io;

/// Why something is not an item, a value, a number or a table that DynamoDB knows.
///
/// [`offset`](Error::offset) says where, in bytes from the start of what was given to the parser.
/// The text never holds contents of the item.
///
/// ```
/// use keystar_item::{ErrorKind, json};
///
/// let error = json::parse_item(br#"{"Item":{"pk":{"Q":"x"}}}"#).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::UnknownType);
/// assert_eq!(error.offset(), Some(15));
/// assert_eq!(error.to_string(), "unknown attribute type at byte 15");
/// ```
#[derive(Debug)]
pub struct Error(Box<Detail>);

/// Boxed, so that results without an error stay small.
#[derive(Debug)]
struct Detail {
    kind: ErrorKind,
    offset: Option<u64>,
    line: Option<u64>,
    source: Option<io::Error>,
}

/// What is wrong: the part of an [`Error`] that a program can match on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text breaks the grammar; the words say what was expected.
    Syntax(&'static str),
    /// The text ended in the middle of a value.
    UnexpectedEnd,
    /// Something other than white space follows the item.
    Trailing,
    /// The bytes are not UTF-8.
    Utf8,
    /// An escape stands for half of a surrogate pair, which no UTF-8 text can hold.
    LoneSurrogate,
    /// A value's type is none of S, N, B, BOOL, NULL, L, M, SS, NS, BS (or its Ion twin).
    UnknownType,
    /// The text is not a decimal number.
    NotANumber,
    /// The number has more than 38 significant digits.
    TooManyDigits,
    /// The number's magnitude lies outside 1E-130 to 9.99…E+125.
    NumberOutOfRange,
    /// The text is not standard base64 with padding.
    Base64,
    /// Lists and maps are nested deeper than the reader follows.
    TooDeep,
    /// A line is longer than the reader was allowed to hold.
    LineTooLong,
    /// The table breaks one of DynamoDB's naming or counting rules; the words say which.
    Table(&'static str),
    /// A value of another crate's type has no DynamoDB counterpart; the words say which.
    Foreign(&'static str),
    /// Reading failed; the cause is the error's source.
    Io,
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Detail { kind, offset: None, line: None, source: None }))
    }

    #[cold]
    pub(crate) fn at(kind: ErrorKind, offset: usize) -> Self {
        let mut error = Self::new(kind);
        error.0.offset = Some(offset as u64);
        error
    }

    pub(crate) fn io(source: io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Io);
        error.0.source = Some(source);
        error
    }

    /// The error of a part of a text, as an error of the text in which the part starts there.
    pub(crate) fn within(mut self, start: usize) -> Self {
        self.0.offset = Some(self.0.offset.unwrap_or(0) + start as u64);
        self
    }

    pub(crate) fn on_line(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where, in bytes from the start of the input (of the line, for a reader of lines); `None`
    /// where the error is about no text.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// On which line, counted from 1, for a reader of lines.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.0.line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)?;
        if let Some(offset) = self.0.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(line) = self.0.line {
            write!(f, " of line {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Syntax(expected) => write!(f, "expected {expected}"),
            ErrorKind::UnexpectedEnd => f.write_str("unexpected end of text"),
            ErrorKind::Trailing => f.write_str("unexpected text after the item"),
            ErrorKind::Utf8 => f.write_str("not UTF-8"),
            ErrorKind::LoneSurrogate => f.write_str("escape of half a surrogate pair"),
            ErrorKind::UnknownType => f.write_str("unknown attribute type"),
            ErrorKind::NotANumber => f.write_str("not a decimal number"),
            ErrorKind::TooManyDigits => f.write_str("number of more than 38 significant digits"),
            ErrorKind::NumberOutOfRange => {
                f.write_str("number outside the range 1E-130 to 9.99E+125")
            }
            ErrorKind::Base64 => f.write_str("not base64"),
            ErrorKind::TooDeep => f.write_str("lists and maps nested too deep"),
            ErrorKind::LineTooLong => f.write_str("line too long"),
            ErrorKind::Table(rule) => write!(f, "invalid table: {rule}"),
            ErrorKind::Foreign(what) => write!(f, "not an attribute value: {what}"),
            ErrorKind::Io => f.write_str("cannot read"),
        }
    }
}
