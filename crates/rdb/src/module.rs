//! Values of modules: a name and a list of typed tokens that only the module understands.

use std::fmt;

use crate::blob::Blob;

/// What a module wrote for one key, token by token, so that nothing of it is lost.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Module<'a> {
    /// The type's name, nine characters, e.g. `vectorset` or `MBbloom--`.
    pub name: String,
    /// The version of the type's encoding.
    pub version: u16,
    /// The tokens in order.
    pub tokens: Vec<ModuleToken<'a>>,
}

impl<'a> Module<'a> {
    /// A module value.
    #[must_use]
    pub fn new(id: ModuleId, tokens: Vec<ModuleToken<'a>>) -> Self {
        Self { name: id.name(), version: id.version(), tokens }
    }

    /// A module value whose type is known by name.
    #[must_use]
    pub fn named(name: impl Into<String>, version: u16, tokens: Vec<ModuleToken<'a>>) -> Self {
        Self { name: name.into(), version, tokens }
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Module<'static> {
        Module {
            name: self.name,
            version: self.version,
            tokens: self.tokens.into_iter().map(ModuleToken::into_owned).collect(),
        }
    }
}

/// One token of a module's value.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the module API has these five and no others")]
pub enum ModuleToken<'a> {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A 32-bit float.
    Float(f32),
    /// A 64-bit float.
    Double(f64),
    /// A string.
    Text(Blob<'a>),
}

impl ModuleToken<'_> {
    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> ModuleToken<'static> {
        match self {
            Self::Int(value) => ModuleToken::Int(value),
            Self::Uint(value) => ModuleToken::Uint(value),
            Self::Float(value) => ModuleToken::Float(value),
            Self::Double(value) => ModuleToken::Double(value),
            Self::Text(text) => ModuleToken::Text(text.into_owned()),
        }
    }
}

/// The 64-bit id of a module type: nine characters and the version of its encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a number and nothing else, by nature")]
pub struct ModuleId(pub u64);

impl ModuleId {
    const ALPHABET: &'static [u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// The id of a type of this name and version; `None` if the name is not nine characters of
    /// `A-Za-z0-9-_` or the version is not below 1024.
    #[must_use]
    pub fn new(name: &str, version: u16) -> Option<Self> {
        let mut id = 0_u64;
        for letter in name.bytes() {
            let sixbit = Self::ALPHABET.iter().position(|&known| known == letter)?;
            id = id << 6 | sixbit as u64;
        }
        (name.len() == 9 && version < 1024).then_some(Self(id << 10 | u64::from(version)))
    }

    /// The type's name, nine characters.
    #[must_use]
    pub fn name(self) -> String {
        (0..9).map(|at| self.letter(at)).collect()
    }

    /// The version of the type's encoding.
    #[must_use]
    pub const fn version(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }

    /// Whether this is a RedisJSON document (`ReJSON-RL`).
    #[must_use]
    pub fn is_json(self) -> bool {
        (0..9).map(|at| self.letter(at)).eq("ReJSON-RL".chars())
    }

    fn letter(self, at: u32) -> char {
        let sixbit = (self.0 >> (58 - 6 * at)) & 0x3f;
        Self::ALPHABET.get(sixbit as usize).copied().map_or('?', char::from)
    }
}

impl fmt::Debug for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name(), self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_a_name_and_a_version() {
        let id = ModuleId::new("ReJSON-RL", 3).unwrap();
        assert_eq!((id.name().as_str(), id.version()), ("ReJSON-RL", 3));
        assert!(id.is_json());
        assert_eq!(id.to_string(), "ReJSON-RL v3");
        assert_eq!(ModuleId::new("ReJSON", 3), None);
        assert_eq!(ModuleId::new("ReJSON RL", 3), None);
        assert_eq!(ModuleId::new("ReJSON-RL", 1024), None);
    }
}
