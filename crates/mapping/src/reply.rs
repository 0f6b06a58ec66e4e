//! Values from what a Redis client answered, so that a service can map what it reads itself.

use std::fmt;

use keystar_rdb::{Blob, Field, Kind, Scored, Stream, StreamEntry, Value};

use crate::document;

#[cfg(feature = "fred")]
pub mod fred;
#[cfg(feature = "redis")]
pub mod redis;

/// An answer of any client.
#[derive(Debug)]
pub(crate) enum Reply {
    Nil,
    Text(Vec<u8>),
    Double(f64),
    List(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
}

/// The answer is not what the command answers that reads a value of this type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplyError {
    expected: &'static str,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unexpected reply: expected {}", self.expected)
    }
}

impl std::error::Error for ReplyError {}

/// The value, or `None` for a key that does not exist.
pub(crate) fn value(kind: Kind, reply: Reply) -> Result<Option<Value<'static>>, ReplyError> {
    let expected = match kind {
        Kind::String => "a text, as GET answers",
        Kind::List => "a list of texts, as LRANGE answers",
        Kind::Set => "a list of texts, as SMEMBERS answers",
        Kind::SortedSet => "members and scores, as ZRANGE … WITHSCORES answers",
        Kind::Hash => "names and values, as HGETALL answers",
        Kind::Stream => "entries, as XRANGE answers",
        Kind::Json => "a document, as JSON.GET answers",
        _ => "a type that a command reads whole",
    };
    if matches!(reply, Reply::Nil) {
        return Ok(None);
    }
    let value = read(kind, reply).ok_or(ReplyError { expected })?;
    // Commands answer without elements for keys that do not exist.
    Ok((!value.is_empty()).then_some(value))
}

fn read(kind: Kind, reply: Reply) -> Option<Value<'static>> {
    Some(match kind {
        Kind::String => Value::String(reply.text()?),
        Kind::List => Value::List(texts(reply)?),
        Kind::Set => Value::Set(texts(reply)?),
        Kind::SortedSet => {
            let members = pairs(reply)?.into_iter();
            let scored = |(member, score): (Reply, Reply)| {
                let score = match score {
                    Reply::Double(score) => score,
                    other => other.text()?.as_str()?.parse().ok()?,
                };
                Some(Scored::new(member.text()?, score))
            };
            Value::SortedSet(members.map(scored).collect::<Option<_>>()?)
        }
        Kind::Hash => Value::Hash(
            pairs(reply)?
                .into_iter()
                .map(|(name, value)| Some(Field::new(name.text()?, value.text()?)))
                .collect::<Option<_>>()?,
        ),
        Kind::Stream => {
            let mut stream = Stream::default();
            stream.entries = pairs(reply)?
                .into_iter()
                .map(|(id, fields)| {
                    let id = id.text()?.as_str()?.parse().ok()?;
                    let fields = pairs(fields)?.into_iter();
                    let fields = fields.map(|(name, value)| Some((name.text()?, value.text()?)));
                    Some(StreamEntry { id, fields: fields.collect::<Option<_>>()? })
                })
                .collect::<Option<_>>()?;
            stream.length = stream.entries.len() as u64;
            // XRANGE does not tell the last id that was ever given; no entry has a greater one.
            stream.last_id = stream.entries.last().map(|entry| entry.id).unwrap_or_default();
            Value::Stream(Box::new(stream))
        }
        Kind::Json => Value::Json(document::parse(reply.text()?.as_str()?)?),
        _ => return None,
    })
}

impl Reply {
    fn text(self) -> Option<Blob<'static>> {
        match self {
            Self::Text(bytes) => Some(bytes.into()),
            Self::Double(number) => Some(number.to_string().into()),
            _ => None,
        }
    }
}

fn texts(reply: Reply) -> Option<Vec<Blob<'static>>> {
    match reply {
        Reply::List(items) => items.into_iter().map(Reply::text).collect(),
        _ => None,
    }
}

/// Pairs, as RESP3 answers them (a map, or a list of lists of two), or in turn as RESP2 does.
fn pairs(reply: Reply) -> Option<Vec<(Reply, Reply)>> {
    let items = match reply {
        Reply::Map(pairs) => return Some(pairs),
        Reply::List(items) => items,
        _ => return None,
    };
    let mut pairs = Vec::with_capacity(items.len());
    let mut items = items.into_iter();
    while let Some(first) = items.next() {
        match first {
            Reply::List(pair) => {
                let [first, second] = <[Reply; 2]>::try_from(pair).ok()?;
                pairs.push((first, second));
            }
            first => pairs.push((first, items.next()?)),
        }
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Reply {
        Reply::Text(text.into())
    }

    #[test]
    fn old_and_new_protocol_say_the_same() {
        let flat = Reply::List(vec![text("a"), text("1.5")]);
        let nested = Reply::List(vec![Reply::List(vec![text("a"), Reply::Double(1.5)])]);
        let expected = Value::SortedSet(vec![Scored::new("a".into(), 1.5)]);
        assert_eq!(value(Kind::SortedSet, flat), Ok(Some(expected.clone())));
        assert_eq!(value(Kind::SortedSet, nested), Ok(Some(expected)));

        let flat = Reply::List(vec![text("a"), text("1")]);
        let map = Reply::Map(vec![(text("a"), text("1"))]);
        let expected = Value::Hash(vec![Field::new("a".into(), "1".into())]);
        assert_eq!(value(Kind::Hash, flat), Ok(Some(expected.clone())));
        assert_eq!(value(Kind::Hash, map), Ok(Some(expected)));
    }

    #[test]
    fn streams_documents_and_keys_that_do_not_exist() {
        let fields = Reply::List(vec![text("f"), text("v"), text("f"), text("w")]);
        let entries = Reply::List(vec![Reply::List(vec![text("1-2"), fields])]);
        let Ok(Some(Value::Stream(stream))) = value(Kind::Stream, entries) else { panic!() };
        assert_eq!((stream.length, stream.entries[0].fields.len()), (1, 2));
        assert!(matches!(value(Kind::Json, text("[1]")), Ok(Some(Value::Json(_)))));
        assert_eq!(value(Kind::String, Reply::Nil), Ok(None));
        assert_eq!(value(Kind::Hash, Reply::List(Vec::new())), Ok(None));
        let error = value(Kind::Hash, text("x")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unexpected reply: expected names and values, as HGETALL answers"
        );
        assert!(value(Kind::Hash, Reply::List(vec![text("a")])).is_err());
    }
}
