use std::fmt;

use keystar_star::Name;

use crate::Error;

/// The name of a table, a column or an alias, as SQL allows it between quotes: 1 to 127 bytes of
/// any characters but NUL. Writers quote it always and double its quotes.
///
/// Redshift folds upper-case letters even between quotes; names of a model ([`Name`]) have none.
///
/// ```
/// use keystar_sql::Ident;
///
/// assert!(Ident::new("\"; drop table x; --").is_ok());
/// assert!(Ident::new("").is_err());
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ident(Box<str>);

impl Ident {
    /// The most bytes that Redshift keeps of a name.
    pub const MAX_BYTES: usize = Name::MAX_BYTES;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`Error::Identifier`] for an empty one, a longer one, and one with a NUL.
    pub fn new(text: &str) -> Result<Self, Error> {
        let wrong = |reason| Error::Identifier {
            text: text.chars().take(40).flat_map(char::escape_default).collect(),
            reason,
        };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() > Self::MAX_BYTES {
            return Err(wrong("it has more than 127 bytes"));
        }
        if text.contains('\0') {
            return Err(wrong("it has a NUL"));
        }
        Ok(Self(text.into()))
    }

    /// A name that stands in this crate's source.
    pub(crate) fn fixed(text: &'static str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "{text}");
        Self(text.into())
    }

    /// The name as text, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Name> for Ident {
    fn from(name: &Name) -> Self {
        Self(name.as_str().into())
    }
}

impl From<Name> for Ident {
    fn from(name: Name) -> Self {
        Self::from(&name)
    }
}

impl From<&Ident> for Ident {
    fn from(ident: &Ident) -> Self {
        ident.clone()
    }
}
