use std::borrow::Cow;
use std::cmp::Ordering;

use crate::{Attributes, Number};

/// The value of an attribute: one of DynamoDB's ten types.
///
/// Text and bytes are borrowed where the source allows it; [`into_owned`](Self::into_owned) cuts
/// the value loose. Equality is exact (the text of numbers, the order of attributes and of set
/// members); [`is_same`](Self::is_same) asks whether DynamoDB would see a difference.
///
/// The type never checks a limit: [`limits::check`](crate::limits::check) does, for a whole item.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB has exactly these ten types")]
pub enum AttributeValue<'a> {
    /// Text: `{"S":"Hello"}`.
    S(Cow<'a, str>),
    /// A decimal number: `{"N":"-48.711598"}`.
    N(Number<'a>),
    /// Bytes: `{"B":"aGVsbG8="}`.
    B(Cow<'a, [u8]>),
    /// A truth value: `{"BOOL":true}`.
    Bool(bool),
    /// Nothing, on purpose: `{"NULL":true}`.
    Null,
    /// A list: `{"L":[{"S":"a"},{"N":"1"}]}`.
    L(Vec<AttributeValue<'a>>),
    /// A map, also called a document: `{"M":{"name":{"S":"Ann"}}}`.
    M(Attributes<'a>),
    /// A set of texts: `{"SS":["a","b"]}`.
    Ss(Vec<Cow<'a, str>>),
    /// A set of numbers: `{"NS":["1","2"]}`.
    Ns(Vec<Number<'a>>),
    /// A set of bytes: `{"BS":["AA==","AQ=="]}`.
    Bs(Vec<Cow<'a, [u8]>>),
}

impl<'a> AttributeValue<'a> {
    /// The name of the value's type in DynamoDB JSON: `S`, `N`, `B`, `BOOL`, `NULL`, `L`, `M`,
    /// `SS`, `NS` or `BS`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::L(_) => "L",
            Self::M(_) => "M",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
        }
    }

    /// The value with nothing borrowed.
    #[must_use]
    pub fn into_owned(self) -> AttributeValue<'static> {
        match self {
            Self::S(text) => AttributeValue::S(owned_text(text)),
            Self::N(number) => AttributeValue::N(number.into_owned()),
            Self::B(bytes) => AttributeValue::B(owned_bytes(bytes)),
            Self::Bool(truth) => AttributeValue::Bool(truth),
            Self::Null => AttributeValue::Null,
            Self::L(list) => AttributeValue::L(list.into_iter().map(Self::into_owned).collect()),
            Self::M(map) => AttributeValue::M(map.into_owned()),
            Self::Ss(set) => AttributeValue::Ss(set.into_iter().map(owned_text).collect()),
            Self::Ns(set) => AttributeValue::Ns(set.into_iter().map(Number::into_owned).collect()),
            Self::Bs(set) => AttributeValue::Bs(set.into_iter().map(owned_bytes).collect()),
        }
    }

    /// Whether DynamoDB would see the two as the same value: numbers by value, maps and sets
    /// without regard to order.
    ///
    /// ```
    /// use keystar_item::{AttributeValue, Number};
    ///
    /// let plain = AttributeValue::N(Number::parse("1000")?);
    /// let short = AttributeValue::N(Number::parse("1e3")?);
    /// assert_ne!(plain, short);
    /// assert!(plain.is_same(&short));
    /// # Ok::<(), keystar_item::Error>(())
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &AttributeValue<'_>) -> bool {
        match (self, other) {
            (Self::S(a), AttributeValue::S(b)) => a == b,
            (Self::N(a), AttributeValue::N(b)) => a.is_same(b),
            (Self::B(a), AttributeValue::B(b)) => a == b,
            (Self::Bool(a), AttributeValue::Bool(b)) => a == b,
            (Self::Null, AttributeValue::Null) => true,
            (Self::L(a), AttributeValue::L(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b))
            }
            (Self::M(a), AttributeValue::M(b)) => a.is_same(b),
            (Self::Ss(a), AttributeValue::Ss(b)) => same_members(a, b, Ord::cmp),
            (Self::Ns(a), AttributeValue::Ns(b)) => same_members(a, b, Number::cmp_value),
            (Self::Bs(a), AttributeValue::Bs(b)) => same_members(a, b, Ord::cmp),
            _ => false,
        }
    }
}

fn same_members<T>(a: &[T], b: &[T], order: impl Fn(&T, &T) -> Ordering) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut left: Vec<&T> = a.iter().collect();
    let mut right: Vec<&T> = b.iter().collect();
    left.sort_unstable_by(|a, b| order(a, b));
    right.sort_unstable_by(|a, b| order(a, b));
    left.iter().zip(&right).all(|(a, b)| order(a, b).is_eq())
}

pub(crate) fn owned_text(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn owned_bytes(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.into_owned())
}

impl<'a> From<&'a str> for AttributeValue<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self::S(Cow::Borrowed(text))
    }
}

impl From<String> for AttributeValue<'_> {
    #[inline]
    fn from(text: String) -> Self {
        Self::S(Cow::Owned(text))
    }
}

impl<'a> From<Number<'a>> for AttributeValue<'a> {
    #[inline]
    fn from(number: Number<'a>) -> Self {
        Self::N(number)
    }
}

impl From<bool> for AttributeValue<'_> {
    #[inline]
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl<'a> From<Vec<AttributeValue<'a>>> for AttributeValue<'a> {
    #[inline]
    fn from(list: Vec<AttributeValue<'a>>) -> Self {
        Self::L(list)
    }
}

impl<'a> From<Attributes<'a>> for AttributeValue<'a> {
    #[inline]
    fn from(map: Attributes<'a>) -> Self {
        Self::M(map)
    }
}
