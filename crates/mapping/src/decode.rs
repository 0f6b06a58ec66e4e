//! Attribute values as Redis' values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystar_item::{AttributeValue, Attributes};
use keystar_rdb::{
    Array, Blob, Field, Json, Kind, Module, ModuleId, ModuleToken, Scored, Slot, Stream,
    StreamEntry, UnixMillis, Value,
};

use crate::document;
use crate::rule::Rule;
use crate::spec::Cast;
use crate::tail;
use crate::text::unescape;

/// The whole value, or the elements of a part of it; `None` if the rule would not have written it.
pub(crate) fn value(
    rule: &Rule,
    kind: Kind,
    value: &AttributeValue<'_>,
    ttls: Option<&AttributeValue<'_>>,
) -> Option<Value<'static>> {
    use AttributeValue as A;

    Some(match (kind, value) {
        (Kind::String, value) => Value::String(scalar(value)?),
        (Kind::List, A::L(items)) => Value::List(items.iter().map(scalar).collect::<Option<_>>()?),
        (Kind::Set, A::Ss(members)) => {
            Value::Set(members.iter().map(|member| Blob::copied(member.as_bytes())).collect())
        }
        (Kind::Set, A::Bs(members)) => {
            Value::Set(members.iter().map(|member| Blob::copied(member)).collect())
        }
        (Kind::SortedSet, A::L(members)) => {
            let members = members.iter().map(|member| match member {
                A::M(map) => {
                    Some(Scored::new(scalar(map.get("member")?)?, score(map.get("score")?)?))
                }
                _ => None,
            });
            Value::SortedSet(members.collect::<Option<_>>()?)
        }
        (Kind::Hash, A::M(map)) => Value::Hash(fields(rule, map.iter(), ttls)?),
        (Kind::Stream, A::M(map)) => {
            let A::L(entries) = map.get("entries")? else { return None };
            let mut stream = Stream::default();
            stream.entries = entries
                .iter()
                .map(|entry| match entry {
                    A::M(map) => {
                        let A::S(id) = map.get("id")? else { return None };
                        entry_of(id.parse().ok()?, map.get("fields")?)
                    }
                    _ => None,
                })
                .collect::<Option<_>>()?;
            if map.get("last_id").is_some() {
                tail::decode(map, &mut stream)?;
            }
            Value::Stream(Box::new(stream))
        }
        (Kind::Array, A::M(map)) => {
            let A::L(slots) = map.get("slots")? else { return None };
            let slots = slots.iter().map(|slot| match slot {
                A::L(pair) => match pair.as_slice() {
                    [A::N(index), value] => Some((index.as_str().parse().ok()?, slot_of(value)?)),
                    _ => None,
                },
                _ => None,
            });
            let array = Array::new(slots.collect::<Option<_>>()?);
            Value::Array(array.with_insert_index(insert_index(map)?))
        }
        (kind, value) => return unruled(kind, value),
    })
}

/// A stream without entries, or an array without slots, of what is said besides.
pub(crate) fn tail(kind: Kind, map: &Attributes<'_>) -> Option<Value<'static>> {
    if kind == Kind::Array {
        return Some(Value::Array(Array::default().with_insert_index(insert_index(map)?)));
    }
    let mut stream = Stream::default();
    tail::decode(map, &mut stream)?;
    Some(Value::Stream(Box::new(stream)))
}

/// A document or a module value, which no rule changes.
pub(crate) fn unruled(kind: Kind, value: &AttributeValue<'_>) -> Option<Value<'static>> {
    match (kind, value) {
        (Kind::Json, value) => Some(Value::Json(json(value)?)),
        (Kind::Module, AttributeValue::M(map)) => Some(Value::Module(module(map)?)),
        _ => None,
    }
}

/// The text or the bytes that a value stands for.
pub(crate) fn scalar(value: &AttributeValue<'_>) -> Option<Blob<'static>> {
    Some(match value {
        AttributeValue::S(text) => Blob::copied(text.as_bytes()),
        AttributeValue::N(number) => Blob::copied(number.as_str().as_bytes()),
        AttributeValue::B(bytes) => Blob::copied(bytes),
        AttributeValue::Bool(truth) => Blob::copied(if *truth { b"1" } else { b"0" }),
        AttributeValue::Null => Blob::empty(),
        AttributeValue::L(_) | AttributeValue::M(_) => document::text_of_value(value)?.into(),
        _ => return None,
    })
}

/// Where the next insertion into an array goes; `Some(None)` if nothing says.
#[allow(clippy::option_option, reason = "absent and wrong are two things")]
pub(crate) fn insert_index(map: &Attributes<'_>) -> Option<Option<u64>> {
    match map.get("insert_index") {
        None => Some(None),
        Some(AttributeValue::N(index)) => index.as_str().parse().ok().map(Some),
        Some(_) => None,
    }
}

type Attribute<'a> = (std::borrow::Cow<'a, str>, AttributeValue<'a>);

pub(crate) fn fields<'i, 'a: 'i>(
    rule: &Rule,
    attributes: impl Iterator<Item = &'i Attribute<'a>>,
    ttls: Option<&AttributeValue<'_>>,
) -> Option<Vec<Field<'static>>> {
    let ttls = match ttls {
        None => None,
        Some(AttributeValue::M(map)) => Some(map),
        Some(_) => return None,
    };
    attributes
        .map(|(name, value)| {
            let field = field(rule, name, value)?;
            let at = match ttls.and_then(|ttls| ttls.get(name)) {
                None => None,
                Some(at) => Some(millis(at)?),
            };
            Some(field.with_expires_at(at))
        })
        .collect()
}

pub(crate) fn field(rule: &Rule, name: &str, value: &AttributeValue<'_>) -> Option<Field<'static>> {
    let name: Blob<'static> = match rule.renamed.get(name) {
        Some(original) => Blob::copied(original),
        None => Blob::copied(&unescape(name)?),
    };
    let cast = rule.fields.get(name.as_bytes()).and_then(|field| field.cast);
    let value = match (cast, value) {
        (Some(Cast::B), AttributeValue::B(bytes)) => STANDARD.encode(bytes).into(),
        (_, value) => scalar(value)?,
    };
    Some(Field::new(name, value))
}

pub(crate) fn millis(value: &AttributeValue<'_>) -> Option<UnixMillis> {
    match value {
        AttributeValue::N(number) => number.as_str().parse().ok().map(UnixMillis),
        _ => None,
    }
}

/// An entry of a stream, from the fields as a list or as a map.
pub(crate) fn entry_of(
    id: keystar_rdb::StreamId,
    fields: &AttributeValue<'_>,
) -> Option<StreamEntry<'static>> {
    let fields = match fields {
        AttributeValue::L(list) => {
            let (pairs, rest) = list.as_chunks::<2>();
            if !rest.is_empty() {
                return None;
            }
            let pairs = pairs.iter().map(|[name, value]| Some((scalar(name)?, scalar(value)?)));
            pairs.collect::<Option<_>>()?
        }
        AttributeValue::M(map) => {
            let fields = map
                .iter()
                .map(|(name, value)| Some((Blob::copied(&unescape(name)?), scalar(value)?)));
            fields.collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(StreamEntry { id, fields })
}

pub(crate) fn slot_of(value: &AttributeValue<'_>) -> Option<Slot<'static>> {
    Some(match value {
        AttributeValue::N(number) => Slot::Int(number.as_str().parse().ok()?),
        AttributeValue::M(map) => match map.get("float")? {
            AttributeValue::S(text) => Slot::Float(text.parse().ok()?),
            _ => return None,
        },
        AttributeValue::S(_) | AttributeValue::B(_) => Slot::Text(scalar(value)?),
        _ => return None,
    })
}

fn score(value: &AttributeValue<'_>) -> Option<f64> {
    match value {
        AttributeValue::N(number) => number.as_str().parse().ok(),
        AttributeValue::S(text) => text.parse().ok(),
        _ => None,
    }
}

fn json(value: &AttributeValue<'_>) -> Option<Json> {
    document::of_value(value)
}

fn module(map: &Attributes<'_>) -> Option<Module<'static>> {
    use AttributeValue as A;

    let (A::S(name), A::N(version), A::L(tokens)) =
        (map.get("name")?, map.get("version")?, map.get("tokens")?)
    else {
        return None;
    };
    let tokens = tokens.iter().map(|token| {
        let A::M(map) = token else { return None };
        let (name, value) = map.iter().next()?;
        Some(match (name.as_ref(), value) {
            ("int", A::N(number)) => ModuleToken::Int(number.as_str().parse().ok()?),
            ("uint", A::N(number)) => ModuleToken::Uint(number.as_str().parse().ok()?),
            ("float", A::S(text)) => ModuleToken::Float(text.parse().ok()?),
            ("double", A::S(text)) => ModuleToken::Double(text.parse().ok()?),
            ("text", value) => ModuleToken::Text(scalar(value)?),
            _ => return None,
        })
    });
    let tokens = tokens.collect::<Option<_>>()?;
    let mut module = Module::new(ModuleId(0), tokens);
    module.name = name.clone().into_owned();
    module.version = version.as_str().parse().ok()?;
    Some(module)
}
