//! Conversions from and to the attribute values of other crates, which differ in little but the
//! path of the type and what bytes are wrapped in.

/// The conversions for the type `Foreign` of the module in which it is called, which also has
/// `to_blob` and `from_blob`.
macro_rules! conversions {
    () => {
        /// Numbers keep their text. Of attributes of the same name the last one stays.
        impl From<AttributeValue<'_>> for Foreign {
            fn from(value: AttributeValue<'_>) -> Self {
                let texts = |set: Vec<Cow<'_, str>>| set.into_iter().map(Cow::into_owned).collect();
                match value {
                    AttributeValue::S(text) => Self::S(text.into_owned()),
                    AttributeValue::N(number) => Self::N(number.as_str().to_owned()),
                    AttributeValue::B(bytes) => Self::B(to_blob(bytes.into_owned())),
                    AttributeValue::Bool(truth) => Self::Bool(truth),
                    AttributeValue::Null => Self::Null(true),
                    AttributeValue::L(list) => Self::L(list.into_iter().map(Into::into).collect()),
                    AttributeValue::M(map) => Self::M(to_map(map)),
                    AttributeValue::Ss(set) => Self::Ss(texts(set)),
                    AttributeValue::Ns(set) => {
                        Self::Ns(set.iter().map(|number| number.as_str().to_owned()).collect())
                    }
                    AttributeValue::Bs(set) => {
                        Self::Bs(set.into_iter().map(|bytes| to_blob(bytes.into_owned())).collect())
                    }
                }
            }
        }

        /// Fails on numbers that are none, on a null that is `false`, on values nested deeper than
        /// [`json::MAX_DEPTH`](crate::json::MAX_DEPTH), and on types that are unknown here.
        /// Attributes are put in the order of their names, since the map has none.
        impl TryFrom<Foreign> for AttributeValue<'static> {
            type Error = Error;

            fn try_from(value: Foreign) -> Result<Self, Error> {
                from_value(value, 1)
            }
        }

        /// As for a value.
        impl From<Item<'_>> for HashMap<String, Foreign> {
            fn from(item: Item<'_>) -> Self {
                to_map(item.attributes)
            }
        }

        /// As for a value.
        impl TryFrom<HashMap<String, Foreign>> for Item<'static> {
            type Error = Error;

            fn try_from(map: HashMap<String, Foreign>) -> Result<Self, Error> {
                from_map(map, 1).map(Item::from)
            }
        }

        fn to_map(map: Attributes<'_>) -> HashMap<String, Foreign> {
            map.into_iter().map(|(name, value)| (name.into_owned(), value.into())).collect()
        }

        fn from_map(
            map: HashMap<String, Foreign>,
            level: usize,
        ) -> Result<Attributes<'static>, Error> {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let entry = |(name, value)| Ok((Cow::Owned(name), from_value(value, level)?));
            entries.into_iter().map(entry).collect()
        }

        fn from_value(value: Foreign, level: usize) -> Result<AttributeValue<'static>, Error> {
            if level > crate::json::MAX_DEPTH {
                return Err(Error::new(ErrorKind::TooDeep));
            }
            Ok(match value {
                Foreign::S(text) => AttributeValue::S(Cow::Owned(text)),
                Foreign::N(text) => AttributeValue::N(Number::parse(text)?),
                Foreign::B(bytes) => AttributeValue::B(Cow::Owned(from_blob(bytes))),
                Foreign::Bool(truth) => AttributeValue::Bool(truth),
                Foreign::Null(true) => AttributeValue::Null,
                Foreign::Null(false) => {
                    return Err(Error::new(ErrorKind::Foreign("a null that is false")));
                }
                Foreign::L(list) => {
                    let list = list.into_iter().map(|value| from_value(value, level + 1));
                    AttributeValue::L(list.collect::<Result<_, _>>()?)
                }
                Foreign::M(map) => AttributeValue::M(from_map(map, level + 1)?),
                Foreign::Ss(set) => AttributeValue::Ss(set.into_iter().map(Cow::Owned).collect()),
                Foreign::Ns(set) => AttributeValue::Ns(
                    set.into_iter().map(Number::parse).collect::<Result<_, _>>()?,
                ),
                Foreign::Bs(set) => AttributeValue::Bs(
                    set.into_iter().map(|bytes| Cow::Owned(from_blob(bytes))).collect(),
                ),
                #[allow(unreachable_patterns, reason = "one of the two types may grow")]
                _ => return Err(Error::new(ErrorKind::Foreign("a type unknown here"))),
            })
        }
    };
}

#[cfg(feature = "aws-sdk-dynamodb-1")]
mod aws_sdk_dynamodb_1 {
    use std::borrow::Cow;
    use std::collections::HashMap;

    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue as Foreign;

    use crate::{AttributeValue, Attributes, Error, ErrorKind, Item, Number};

    fn to_blob(bytes: Vec<u8>) -> Blob {
        Blob::new(bytes)
    }

    fn from_blob(blob: Blob) -> Vec<u8> {
        blob.into_inner()
    }

    conversions!();
}

#[cfg(feature = "serde_dynamo-4")]
mod serde_dynamo_4 {
    use std::borrow::Cow;
    use std::collections::HashMap;

    use serde_dynamo::AttributeValue as Foreign;

    use crate::{AttributeValue, Attributes, Error, ErrorKind, Item, Number};

    fn to_blob(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn from_blob(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    conversions!();

    /// As for a value.
    impl From<Item<'_>> for serde_dynamo::Item {
        fn from(item: Item<'_>) -> Self {
            HashMap::<String, Foreign>::from(item).into()
        }
    }

    /// As for a value.
    impl TryFrom<serde_dynamo::Item> for Item<'static> {
        type Error = Error;

        fn try_from(item: serde_dynamo::Item) -> Result<Self, Error> {
            HashMap::<String, Foreign>::from(item).try_into()
        }
    }
}
