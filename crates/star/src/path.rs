use std::fmt;
use std::str::FromStr;

/// The names that lead to an attribute: `address.postcode`.
///
/// As text, names stand between points; one with a point, a space, a quote or a backslash stands
/// in double quotes: `"unit.price".amount`.
///
/// ```
/// use keystar_star::Path;
///
/// let path: Path = r#"address."home.1".city"#.parse()?;
/// assert_eq!(path.head(), "address");
/// assert_eq!(path.tail().len(), 2);
/// assert_eq!(path.to_string(), r#"address."home.1".city"#);
/// # Ok::<(), keystar_star::PathError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Path(Box<[Box<str>]>);

impl Path {
    /// The most names of a path: DynamoDB nests no deeper.
    pub const MAX_NAMES: usize = 32;

    /// A path of at least one name; `None` without any.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
        (!names.is_empty()).then_some(Self(names))
    }

    /// The first name: a top-level attribute.
    #[must_use]
    pub fn head(&self) -> &str {
        self.0.first().map_or("", |name| name)
    }

    /// The names below the first.
    #[must_use]
    pub fn tail(&self) -> &[Box<str>] {
        self.0.get(1..).unwrap_or_default()
    }

    /// All names.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            if !name.is_empty() && name.chars().all(is_bare) {
                f.write_str(name)?;
                continue;
            }
            f.write_str("\"")?;
            for char in name.chars() {
                if matches!(char, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{char}")?;
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

fn is_bare(char: char) -> bool {
    !matches!(char, '.' | '"' | '\\') && !char.is_whitespace() && !char.is_control()
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut names: Vec<Box<str>> = Vec::new();
        let mut rest = text;
        loop {
            let mut name = String::new();
            if let Some(quoted) = rest.strip_prefix('"') {
                let mut chars = quoted.chars();
                loop {
                    match chars.next().ok_or(PathError::NotClosed)? {
                        '"' => break,
                        '\\' => name.push(chars.next().ok_or(PathError::NotClosed)?),
                        char => name.push(char),
                    }
                }
                rest = chars.as_str();
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                let (bare, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                name.push_str(bare);
                if let Some(char) = bare.chars().find(|char| !is_bare(*char)) {
                    return Err(PathError::Character(char));
                }
                rest = after;
            }
            if name.is_empty() {
                return Err(PathError::Empty);
            }
            names.push(name.into());
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix('.').ok_or(PathError::AfterQuote)?;
        }
        if names.len() > Self::MAX_NAMES {
            return Err(PathError::TooDeep);
        }
        Ok(Self(names.into()))
    }
}

/// What is wrong with the text of a [`Path`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No name before, after or between points.
    #[error("a name of the path is empty, write address.city")]
    Empty,
    /// A `"` without its other.
    #[error("a quote is not closed, write \\\" for a quote in a name")]
    NotClosed,
    /// Something other than a point after a quoted name.
    #[error("after a name in quotes comes a point or nothing")]
    AfterQuote,
    /// A character that only a quoted name may have.
    #[error("{0:?} stands only in a name in quotes, or write the names as a list")]
    Character(char),
    /// More than [`Path::MAX_NAMES`].
    #[error("more than 32 names, DynamoDB nests no deeper")]
    TooDeep,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_path_is_explained() {
        let deep = vec!["a"; 33].join(".");
        for (text, error) in [
            ("", PathError::Empty),
            ("a..b", PathError::Empty),
            ("a.", PathError::Empty),
            ("\"a", PathError::NotClosed),
            ("\"a\"b", PathError::AfterQuote),
            ("a b", PathError::Character(' ')),
            ("a\"b", PathError::Character('"')),
            (&deep, PathError::TooDeep),
        ] {
            assert_eq!(text.parse::<Path>(), Err(error), "{text}");
        }
        assert!(vec!["a"; 32].join(".").parse::<Path>().is_ok());
    }

    proptest! {
        #[test]
        fn a_path_is_read_back(names in prop::collection::vec(".{1,6}", 1..5)) {
            let path = Path::new(names.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
        }
    }
}
