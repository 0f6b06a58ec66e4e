//! Values from what the `fred` client (version 10) answered.

use fred::types::Value as Answer;
use keystar_rdb::{Kind, Value};

use super::{Reply, ReplyError};

/// The value that the answer of the command holds which reads such a value whole: `GET`, `LRANGE
/// key 0 -1`, `SMEMBERS`, `ZRANGE key 0 -1 WITHSCORES`, `HGETALL`, `XRANGE key - +`, `JSON.GET`;
/// over RESP2 or RESP3. `None` for a key that does not exist.
///
/// Expiries, and what a stream has besides its entries, take other commands.
///
/// ```
/// use keystar_mapping::reply;
/// use keystar_rdb::{Kind, Value};
///
/// let answer = fred::types::Value::Array(vec!["a".into(), "b".into()]);
/// let value = reply::fred::value(Kind::List, answer)?;
/// assert_eq!(value, Some(Value::List(vec!["a".into(), "b".into()])));
/// # Ok::<(), reply::ReplyError>(())
/// ```
///
/// # Errors
///
/// If the answer is not of the form that the command answers.
pub fn value(kind: Kind, answer: Answer) -> Result<Option<Value<'static>>, ReplyError> {
    let reply = reply(answer).ok_or(ReplyError { expected: "texts, numbers, lists and maps" })?;
    super::value(kind, reply)
}

fn reply(answer: Answer) -> Option<Reply> {
    Some(match answer {
        Answer::Null => Reply::Nil,
        Answer::Integer(number) => Reply::Text(number.to_string().into()),
        Answer::String(text) => Reply::Text(text.as_bytes().to_vec()),
        Answer::Bytes(bytes) => Reply::Text(bytes.to_vec()),
        Answer::Double(number) => Reply::Double(number),
        Answer::Array(items) => Reply::List(items.into_iter().map(reply).collect::<Option<_>>()?),
        Answer::Map(map) => Reply::Map(
            map.inner()
                .into_iter()
                .map(|(name, value)| Some((Reply::Text(name.as_bytes().to_vec()), reply(value)?)))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}
