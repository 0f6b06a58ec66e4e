//! A Redis value in a form in which the decoder's account and a server's can be compared.

use keystar_kit::redis::{Connection, Reply};
use keystar_rdb::{Blob, StreamId, UnixMillis, Value};

/// Names with values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A value as both sides can show it: sets and tables sorted, everything as bytes and exact numbers.
#[derive(Debug, PartialEq)]
pub(crate) enum Shown {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    /// Scores by their bits: 0 and -0 are two.
    SortedSet(Vec<(Vec<u8>, u64)>),
    /// Name, value, expiry.
    Hash(Vec<(Vec<u8>, Vec<u8>, Option<UnixMillis>)>),
    Stream(Box<ShownStream>),
}

#[derive(Debug, PartialEq)]
pub(crate) struct ShownStream {
    entries: Vec<(StreamId, Pairs)>,
    length: u64,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: Vec<ShownGroup>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct ShownGroup {
    name: Vec<u8>,
    last_id: StreamId,
    entries_read: Option<u64>,
    /// Id, consumer, when, how often.
    pending: Vec<(StreamId, Vec<u8>, UnixMillis, u64)>,
    /// Name, when last seen, when last active.
    consumers: Vec<(Vec<u8>, UnixMillis, Option<UnixMillis>)>,
}

fn owned(blobs: &[Blob<'_>]) -> Vec<Vec<u8>> {
    blobs.iter().map(|blob| blob.to_vec()).collect()
}

pub(crate) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

impl Shown {
    /// Without what a server takes from its own clock: when consumers were last seen.
    pub(crate) fn without_clock(mut self) -> Self {
        if let Self::Stream(stream) = &mut self {
            for (_, seen, active) in stream.groups.iter_mut().flat_map(|group| &mut group.consumers)
            {
                (*seen, *active) = (UnixMillis(0), None);
            }
        }
        self
    }
}

impl From<&Value<'_>> for Shown {
    fn from(value: &Value<'_>) -> Self {
        match value {
            Value::String(text) => Self::String(text.to_vec()),
            Value::List(items) => Self::List(owned(items)),
            Value::Set(members) => Self::Set(sorted(owned(members))),
            Value::SortedSet(members) => {
                let members =
                    members.iter().map(|scored| (scored.member.to_vec(), scored.score.to_bits()));
                Self::SortedSet(sorted(members.collect()))
            }
            Value::Hash(fields) => {
                let fields = fields
                    .iter()
                    .map(|field| (field.name.to_vec(), field.value.to_vec(), field.expires_at));
                Self::Hash(sorted(fields.collect()))
            }
            Value::Stream(stream) => {
                let pairs = |fields: &[(Blob<'_>, Blob<'_>)]| {
                    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
                };
                let groups = stream.groups.iter().map(|group| {
                    let pending = group.pending.iter().map(|pending| {
                        let consumer = pending.consumer.as_ref().unwrap().to_vec();
                        (pending.id, consumer, pending.delivered_at, pending.delivery_count)
                    });
                    let consumers = group.consumers.iter().map(|consumer| {
                        (consumer.name.to_vec(), consumer.seen_at, consumer.active_at)
                    });
                    ShownGroup {
                        name: group.name.to_vec(),
                        last_id: group.last_id,
                        entries_read: group.entries_read,
                        pending: sorted(pending.collect()),
                        consumers: sorted(consumers.collect()),
                    }
                });
                Self::Stream(Box::new(ShownStream {
                    entries: stream
                        .entries
                        .iter()
                        .map(|entry| (entry.id, pairs(&entry.fields)))
                        .collect(),
                    length: stream.length,
                    last_id: stream.last_id,
                    first_id: stream.first_id.unwrap_or_default(),
                    max_deleted_id: stream.max_deleted_id.unwrap_or_default(),
                    entries_added: stream.entries_added.unwrap(),
                    groups: groups.collect(),
                }))
            }
            other => panic!("Redis 7.0 has no {other:?}"),
        }
    }
}

/// The value of a key by the server's own account.
pub(crate) fn ask(connection: &mut Connection, key: &[u8], fields_expire: bool) -> Shown {
    let Reply::Status(kind) = connection.command(&[b"TYPE".as_slice(), key]).unwrap() else {
        panic!("no type")
    };
    let mut reply = |command: &str, more: &[&str]| {
        let mut arguments = vec![command.as_bytes(), key];
        arguments.extend(more.iter().map(|word| word.as_bytes()));
        connection.command(&arguments).unwrap()
    };
    match kind.as_str() {
        "string" => Shown::String(bytes(reply("GET", &[]))),
        "list" => Shown::List(several(reply("LRANGE", &["0", "-1"]))),
        "set" => Shown::Set(sorted(several(reply("SMEMBERS", &[])))),
        "zset" => {
            let members = pairs(several(reply("ZRANGE", &["0", "-1", "WITHSCORES"])));
            let scored = members.into_iter().map(|(member, score)| {
                let score: f64 = String::from_utf8(score).unwrap().parse().unwrap();
                (member, score.to_bits())
            });
            Shown::SortedSet(sorted(scored.collect()))
        }
        "hash" => {
            let fields = pairs(several(reply("HGETALL", &[])));
            let fields = fields.into_iter().map(|(name, value)| {
                let asked = fields_expire.then(|| {
                    let asked = [b"HPEXPIRETIME".as_slice(), key, b"FIELDS", b"1"];
                    let answer = connection.command(&[&asked[..], &[&name]].concat()).unwrap();
                    integer(&array(answer).remove(0)).cast_signed()
                });
                // -1: it does not expire.
                (name, value, asked.filter(|at| *at != -1).map(UnixMillis))
            });
            Shown::Hash(sorted(fields.collect()))
        }
        "stream" => Shown::Stream(Box::new(stream(
            connection
                .command(&[b"XINFO".as_slice(), b"STREAM", key, b"FULL", b"COUNT", b"0"])
                .unwrap(),
        ))),
        other => panic!("what is a {other}"),
    }
}

fn stream(reply: Reply) -> ShownStream {
    let mut facts = Facts::from(reply);
    let entries = array(facts.take("entries")).into_iter().map(|entry| {
        let [id, fields] = array(entry).try_into().unwrap();
        (stream_id(id), pairs(several(fields)))
    });
    let entries = entries.collect();
    let groups = array(facts.take("groups")).into_iter().map(|group| {
        let mut group = Facts::from(group);
        let pending = array(group.take("pending")).into_iter().map(|pending| {
            let [id, consumer, at, count] = array(pending).try_into().unwrap();
            (
                stream_id(id),
                bytes(consumer),
                UnixMillis(integer(&at).cast_signed()),
                integer(&count),
            )
        });
        let pending = sorted(pending.collect());
        let consumers = array(group.take("consumers")).into_iter().map(|consumer| {
            let mut consumer = Facts::from(consumer);
            let seen = UnixMillis(integer(&consumer.take("seen-time")).cast_signed());
            // Redis 7.0 knows one of the two times only.
            let active = match consumer.find("active-time") {
                None => Some(seen),
                Some(time) => {
                    Some(UnixMillis(integer(time).cast_signed())).filter(|time| time.0 != -1)
                }
            };
            (bytes(consumer.take("name")), seen, active)
        });
        let consumers = sorted(consumers.collect());
        ShownGroup {
            name: bytes(group.take("name")),
            last_id: stream_id(group.take("last-delivered-id")),
            entries_read: match group.take("entries-read") {
                Reply::Nil => None,
                number => Some(integer(&number)),
            },
            pending,
            consumers,
        }
    });
    ShownStream {
        entries,
        groups: groups.collect(),
        length: integer(&facts.take("length")),
        last_id: stream_id(facts.take("last-generated-id")),
        first_id: stream_id(facts.take("recorded-first-entry-id")),
        max_deleted_id: stream_id(facts.take("max-deleted-entry-id")),
        entries_added: integer(&facts.take("entries-added")),
    }
}

/// A map as RESP2 writes it: name, value, name, value.
struct Facts(Vec<(Vec<u8>, Reply)>);

impl From<Reply> for Facts {
    fn from(reply: Reply) -> Self {
        let mut replies = array(reply).into_iter();
        let mut facts = Vec::new();
        while let (Some(name), Some(value)) = (replies.next(), replies.next()) {
            facts.push((bytes(name), value));
        }
        Self(facts)
    }
}

impl Facts {
    fn find(&self, name: &str) -> Option<&Reply> {
        self.0.iter().find(|(found, _)| found == name.as_bytes()).map(|(_, value)| value)
    }

    fn take(&mut self, name: &str) -> Reply {
        let at = self.0.iter().position(|(found, _)| found == name.as_bytes());
        self.0.swap_remove(at.unwrap_or_else(|| panic!("no {name}"))).1
    }
}

pub(crate) fn array(reply: Reply) -> Vec<Reply> {
    let Reply::Array(replies) = reply else { panic!("{reply:?}") };
    replies
}

pub(crate) fn several(reply: Reply) -> Vec<Vec<u8>> {
    array(reply).into_iter().map(bytes).collect()
}

pub(crate) fn bytes(reply: Reply) -> Vec<u8> {
    let Reply::Bytes(bytes) = reply else { panic!("{reply:?}") };
    bytes
}

pub(crate) fn integer(reply: &Reply) -> u64 {
    let Reply::Integer(number) = reply else { panic!("{reply:?}") };
    number.cast_unsigned()
}

fn stream_id(reply: Reply) -> StreamId {
    String::from_utf8(bytes(reply)).unwrap().parse().unwrap()
}

fn pairs(flat: Vec<Vec<u8>>) -> Pairs {
    flat.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
