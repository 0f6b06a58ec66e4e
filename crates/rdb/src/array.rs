//! Sparse arrays (Redis 8.8).

use crate::blob::Blob;

/// A sparse array: slots at indexes, with gaps.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Array<'a> {
    /// Where the next insertion goes, if the dump says so.
    pub insert_index: Option<u64>,
    /// The filled slots, by ascending index.
    pub slots: Vec<(u64, Slot<'a>)>,
}

impl<'a> Array<'a> {
    /// An array of these slots.
    #[must_use]
    pub const fn new(slots: Vec<(u64, Slot<'a>)>) -> Self {
        Self { insert_index: None, slots }
    }

    /// The same array with its insertion point.
    #[must_use]
    pub fn with_insert_index(mut self, index: impl Into<Option<u64>>) -> Self {
        self.insert_index = index.into();
        self
    }

    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Array<'static> {
        let slots = self.slots.into_iter();
        Array {
            insert_index: self.insert_index,
            slots: slots.map(|(index, slot)| (index, slot.into_owned())).collect(),
        }
    }
}

/// What one slot of an [`Array`] holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Slot<'a> {
    /// A string.
    Text(Blob<'a>),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
}

impl Slot<'_> {
    /// Cuts the tie to the input.
    #[must_use]
    pub fn into_owned(self) -> Slot<'static> {
        match self {
            Self::Text(text) => Slot::Text(text.into_owned()),
            Self::Int(value) => Slot::Int(value),
            Self::Float(value) => Slot::Float(value),
        }
    }
}
