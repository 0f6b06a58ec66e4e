/// A value that stands in the text of a statement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// NULL, of no type of its own; put a cast around it where the type is not told otherwise.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An exact decimal number, `unscaled / 10^scale`.
    Decimal {
        /// The digits, with the sign.
        unscaled: i128,
        /// Digits after the point, at most 37.
        scale: u8,
    },
    /// A finite floating-point number.
    Double(f64),
    /// A text without NUL.
    Text(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// A day: days since 1970-01-01, within the years 1 to 9999.
    Date(i32),
    /// A moment: microseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999.
    Timestamp(i64),
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Literal {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Literal {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}
