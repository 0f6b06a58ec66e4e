//! Values from what the `redis` client (version 1) answered.

use keystar_rdb::{Kind, Value};
use redis::Value as Answer;

use super::{Reply, ReplyError};

/// The value that the answer of the command holds which reads such a value whole: `GET`, `LRANGE
/// key 0 -1`, `SMEMBERS`, `ZRANGE key 0 -1 WITHSCORES`, `HGETALL`, `XRANGE key - +`, `JSON.GET`;
/// over RESP2 or RESP3. `None` for a key that does not exist.
///
/// Expiries, and what a stream has besides its entries, take other commands.
///
/// ```
/// use keystar_mapping::reply;
/// use keystar_rdb::{Field, Kind, Value};
///
/// let text = |text: &str| redis::Value::BulkString(text.into());
/// let answer = redis::Value::Array(vec![text("age"), text("41")]);
/// let value = reply::redis::value(Kind::Hash, answer)?;
/// assert_eq!(value, Some(Value::Hash(vec![Field::new("age".into(), "41".into())])));
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
        Answer::Nil => Reply::Nil,
        Answer::Int(number) => Reply::Text(number.to_string().into()),
        Answer::BulkString(bytes) => Reply::Text(bytes),
        Answer::SimpleString(text) | Answer::VerbatimString { text, .. } => {
            Reply::Text(text.into())
        }
        Answer::Okay => Reply::Text("OK".into()),
        Answer::Double(number) => Reply::Double(number),
        Answer::Array(items) | Answer::Set(items) => {
            Reply::List(items.into_iter().map(reply).collect::<Option<_>>()?)
        }
        Answer::Map(pairs) => Reply::Map(
            pairs
                .into_iter()
                .map(|(name, value)| Some((reply(name)?, reply(value)?)))
                .collect::<Option<_>>()?,
        ),
        Answer::Attribute { data, .. } => reply(*data)?,
        _ => return None,
    })
}
