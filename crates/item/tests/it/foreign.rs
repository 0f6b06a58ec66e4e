use std::collections::HashMap;

use keystar_item::{AttributeValue, ErrorKind, Item};
use proptest::prelude::*;

use crate::arbitrary;

fn has_names_once(value: &AttributeValue<'_>) -> bool {
    match value {
        AttributeValue::L(list) => list.iter().all(has_names_once),
        AttributeValue::M(map) => {
            let mut names: Vec<_> = map.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            names.len() == map.len() && map.iter().all(|(_, value)| has_names_once(value))
        }
        _ => true,
    }
}

macro_rules! suite {
    ($name:ident, $foreign:ty) => {
        mod $name {
            use super::*;

            type Foreign = $foreign;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(64))]

                #[test]
                fn there_and_back(item in arbitrary::item()) {
                    prop_assume!(has_names_once(&item.attributes.clone().into()));
                    let foreign: HashMap<String, Foreign> = item.clone().into();
                    prop_assert!(Item::try_from(foreign).unwrap().is_same(&item));
                }
            }

            #[test]
            fn what_has_no_counterpart_is_refused() {
                let kind = |value: Foreign| AttributeValue::try_from(value).unwrap_err().kind();
                assert_eq!(kind(Foreign::N("x".into())), ErrorKind::NotANumber);
                assert_eq!(kind(Foreign::Ns(vec!["1e999".into()])), ErrorKind::NumberOutOfRange);
                assert!(matches!(kind(Foreign::Null(false)), ErrorKind::Foreign(_)));
                let deep = (0..100).fold(Foreign::Null(true), |inner, _| Foreign::L(vec![inner]));
                assert_eq!(kind(deep), ErrorKind::TooDeep);
            }
        }
    };
}

#[cfg(feature = "aws-sdk-dynamodb-1")]
suite!(aws_sdk_dynamodb_1, aws_sdk_dynamodb::types::AttributeValue);

#[cfg(feature = "serde_dynamo-4")]
suite!(serde_dynamo_4, serde_dynamo::AttributeValue);

#[cfg(feature = "serde_dynamo-4")]
#[test]
fn serde_dynamo_items() {
    let mut item = Item::new();
    item.push("key", "1");
    let theirs = serde_dynamo::Item::from(item.clone());
    assert_eq!(Item::try_from(theirs).unwrap(), item);
}
