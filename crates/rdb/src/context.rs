//! What a value's bytes need to be read, apart from themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::encoding::Family;

/// What a value's bytes need to be read, apart from themselves: whose dump it is, which version,
/// and the hash templates that the file defined so far.
///
/// It is cheap to clone. Take it from [`Parser::context`](crate::Parser::context) after the
/// frames that are to be decoded with it: templates stand before their use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    family: Family,
    version: u16,
    templates: Arc<BTreeMap<u64, Template>>,
}

/// The names of a hash template's fields.
pub(crate) type Template = Arc<[Box<[u8]>]>;

impl Context {
    /// The context of a file of this family and RDB version, without hash templates.
    #[must_use]
    pub fn new(family: Family, version: u16) -> Self {
        Self { family, version, templates: Arc::default() }
    }

    /// The context of a Redis file of this RDB version, without hash templates.
    #[must_use]
    pub fn redis(version: u16) -> Self {
        Self::new(Family::Redis, version)
    }

    /// The context of values that need none.
    pub(crate) fn none() -> &'static Self {
        static NONE: LazyLock<Context> = LazyLock::new(|| Context::redis(0));
        &NONE
    }

    /// Whose dump it is.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The RDB version in the file's header.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// The hash templates defined so far: each one's id and the names of its fields.
    pub fn templates(&self) -> impl Iterator<Item = (u64, &[Box<[u8]>])> {
        self.templates.iter().map(|(id, names)| (*id, &**names))
    }

    pub(crate) fn template(&self, id: u64) -> Option<&[Box<[u8]>]> {
        self.templates.get(&id).map(|names| &**names)
    }

    pub(crate) fn define(&mut self, id: u64, names: Template) {
        Arc::make_mut(&mut self.templates).insert(id, names);
    }
}
