use std::fmt;

/// The name of a table or a column: 1 to 127 bytes, lower case, the first a letter or `_`, the
/// others letters, digits and `_`.
///
/// Redshift folds names to lower case and cuts them at 127 bytes, Glue folds them too; a name of
/// this type survives both. It may be a reserved word: writers of SQL quote every name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<str>);

impl Name {
    /// The most bytes that Redshift keeps of a name.
    pub const MAX_BYTES: usize = 127;

    /// Checks a name that is already in lower case.
    ///
    /// # Errors
    ///
    /// [`NameError`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let mut bytes = name.bytes();
        let Some(first) = bytes.next() else { return Err(NameError::Empty) };
        if name.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: name.len() });
        }
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if !letter(first) || !bytes.all(|byte| letter(byte) || byte.is_ascii_digit()) {
            return Err(NameError::Characters);
        }
        Ok(Self(name.into()))
    }

    /// The nearest name to an attribute's: lower case, `_` for every run of other characters, cut
    /// at 127 bytes. Two attributes may come to the same name; the caller tells.
    ///
    /// ```
    /// use keystar_star::Name;
    ///
    /// assert_eq!(Name::fold("orderDate").as_str(), "orderdate");
    /// assert_eq!(Name::fold("\"; drop table x; --").as_str(), "_drop_table_x_");
    /// assert_eq!(Name::fold("2nd").as_str(), "_2nd");
    /// ```
    #[must_use]
    pub fn fold(attribute: &str) -> Self {
        let mut name = String::new();
        for character in attribute.chars() {
            let character = character.to_ascii_lowercase();
            if character.is_ascii_lowercase() || character.is_ascii_digit() {
                if name.is_empty() && character.is_ascii_digit() {
                    name.push('_');
                }
                name.push(character);
            } else if !name.ends_with('_') || character == '_' {
                name.push('_');
            }
            if name.len() >= Self::MAX_BYTES {
                break;
            }
        }
        if name.is_empty() {
            name.push('_');
        }
        name.truncate(Self::MAX_BYTES);
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    #[error("a name may not be empty")]
    Empty,
    /// Redshift would cut it.
    #[error("a name may have at most 127 bytes, this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has other characters than a name may have.
    #[error("a name has lower-case letters, digits and `_`, and does not begin with a digit")]
    Characters,
}
