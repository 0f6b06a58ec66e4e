//! One value by the commands of its type: in parts where it is big, whole where it is not.
//!
//! The commands of a type tell a collection piece by piece, so that neither the server nor we ever
//! hold more than a piece of it. What they tell while the value is written to is no snapshot: a list
//! that is pushed to meanwhile may lose an item or repeat one.

use keystar_rdb::{
    Blob, Consumer, Db, Encoding, Field, Group, Head, Json, Kind, Part, Pending, Scored, Stream,
    StreamEntry, StreamId, UnixMillis, Value,
};

use super::{
    link::{Link, Reply, Token},
    recent::Recent,
    worker::now_millis,
};
use crate::Error;

/// Elements that are asked for first, before it is known how big they are.
const FIRST_COUNT: usize = 32;
/// Elements that are asked for at most.
const MAX_COUNT: usize = 10_000;

/// Gathers the elements of a value into parts, and knows where it is to be read on: also over
/// another connection.
#[derive(Debug)]
pub(crate) struct Gather {
    head: Head<'static>,
    value: Value<'static>,
    /// Bytes that are gathered, and that were in parts before.
    bytes: usize,
    given: u64,
    start: u64,
    next: u64,
    max_bytes: usize,
    max_element: u64,
    /// Where the server is asked to go on, and for how many elements.
    cursor: String,
    count: usize,
    /// Whether it is an empty string.
    empty: bool,
    /// What cursors tell twice.
    recent: Option<Recent>,
    /// Parts that are complete.
    pub(crate) ready: Vec<Part>,
}

/// How the reading of a value ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Told,
    /// There is no such key any more.
    Gone,
    /// It cannot be told; why.
    Failed(String),
}

/// Why a value is not told to its end.
enum Stop {
    Error(Error),
    Outcome(Outcome),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What reading a value by its type needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Piecewise {
    pub(crate) db: Db,
    pub(crate) name: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) expires_at: Option<UnixMillis>,
    /// The record's number.
    pub(crate) number: u64,
    /// A part is about this big.
    pub(crate) part_bytes: usize,
    pub(crate) max_element_bytes: u64,
    /// Whether the server has fields that expire.
    pub(crate) fields_expire: bool,
    /// How far the server's clock is ahead of ours.
    pub(crate) clock_ahead: i64,
}

impl Piecewise {
    fn head(&self) -> Head<'static> {
        Head::new(self.db, Blob::copied(&self.name), Encoding::plain(self.kind))
            .with_offset(self.number)
            .with_expires_at(self.expires_at)
    }

    /// The beginning of the value.
    pub(crate) fn gather(&self) -> Gather {
        let table = matches!(self.kind, Kind::Set | Kind::SortedSet | Kind::Hash);
        Gather {
            head: self.head(),
            value: nothing(self.kind),
            bytes: 0,
            given: 0,
            start: 0,
            next: 0,
            max_bytes: self.part_bytes,
            max_element: self.max_element_bytes,
            cursor: if self.kind == Kind::Stream { "-" } else { "0" }.to_owned(),
            count: FIRST_COUNT,
            empty: false,
            recent: table.then(Recent::new),
            ready: Vec::new(),
        }
    }

    /// Asks one question more; `None` when there are more to ask.
    ///
    /// The link is of no use after any outcome but [`Outcome::Told`]: an answer may be half read.
    pub(crate) fn read(
        &self,
        link: &mut Link,
        gather: &mut Gather,
    ) -> Result<Option<Outcome>, Error> {
        let told = match self.kind {
            Kind::String => self.string(link, gather),
            Kind::List => self.list(link, gather),
            Kind::Set | Kind::SortedSet | Kind::Hash => self.table(link, gather),
            Kind::Stream => self.stream(link, gather),
            Kind::Json => self.json(link, gather),
            kind => Err(Stop::Outcome(Outcome::Failed(format!(
                "a value of type {kind} cannot be read in pieces"
            )))),
        };
        match told {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(gather.end())),
            Err(Stop::Outcome(outcome)) => Ok(Some(outcome)),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    /// Each of these asks one question, and says whether it was the last one.
    fn string(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let total = link.ask(&[b"STRLEN", &*self.name])?.integer().unwrap_or_default();
        let total = u64::try_from(total).unwrap_or_default();
        if total > self.max_element_bytes {
            let limit = self.max_element_bytes;
            let detail = format!("a string of {total} bytes exceeds the limit of {limit}");
            return Err(Stop::Outcome(Outcome::Failed(detail)));
        }
        gather.flush_if_full();
        let end = gather.next + self.part_bytes.max(1) as u64 - 1;
        let (from, to) = (gather.next.to_string(), end.to_string());
        let reply = link.ask(&[b"GETRANGE", &*self.name, from.as_bytes(), to.as_bytes()])?;
        let Reply::Bytes(bytes) = reply else {
            return Err(link.protocol("no string where a string was asked for").into());
        };
        gather.bytes += bytes.len();
        gather.next += bytes.len() as u64;
        let ended = bytes.is_empty() || gather.next >= total;
        if gather.next == 0 && link.ask(&[b"EXISTS", &*self.name])?.integer() == Some(1) {
            gather.empty = true;
        }
        if !bytes.is_empty() {
            gather.value = Value::String(bytes.into());
        }
        Ok(ended)
    }

    fn list(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let count = gather.count;
        let (from, to) = (gather.next.to_string(), (gather.next + count as u64 - 1).to_string());
        let before = gather.mark();
        link.push(&[b"LRANGE", &*self.name, from.as_bytes(), to.as_bytes()]);
        link.flush()?;
        let items = array(link, "LRANGE")?;
        for _ in 0..items {
            let item = gather.element(link)?;
            gather.push(Element::Item(item));
        }
        gather.recount(before);
        Ok(items < count)
    }

    /// Sets, sorted sets and hashes, by their cursors.
    fn table(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let command = match self.kind {
            Kind::Set => "SSCAN",
            Kind::SortedSet => "ZSCAN",
            _ => "HSCAN",
        };
        let before = gather.mark();
        let count = gather.count.to_string();
        let words: [&[u8]; 5] =
            [command.as_bytes(), &self.name, gather.cursor.as_bytes(), b"COUNT", count.as_bytes()];
        link.push(&words);
        link.flush()?;
        if array(link, command)? != 2 {
            return Err(link.protocol("an answer to a scan that is none").into());
        }
        let cursor = match link.token()? {
            Token::Bulk(len) => String::from_utf8_lossy(link.bulk(len)?).into_owned(),
            _ => return Err(link.protocol("a cursor that is none").into()),
        };
        let elements = array(link, command)?;
        let mut fields = Vec::new();
        for _ in 0..if self.kind == Kind::Set { elements } else { elements / 2 } {
            let name = gather.element(link)?;
            let value = if self.kind == Kind::Set { None } else { Some(gather.element(link)?) };
            if !gather.recent.as_mut().is_none_or(|recent| recent.insert(0, &name)) {
                continue;
            }
            match value {
                None => gather.push(Element::Member(name)),
                Some(score) if self.kind == Kind::SortedSet => {
                    let score = score.as_str().and_then(|text| text.parse().ok());
                    let Some(score) = score else {
                        return Err(link.protocol("a score that is no number").into());
                    };
                    gather.push(Element::Scored(Scored::new(name, score)));
                }
                Some(value) => fields.push(Field::new(name, value)),
            }
        }
        if self.fields_expire && !fields.is_empty() {
            self.field_expiries(link, &mut fields)?;
        }
        for field in fields {
            gather.push(Element::Field(field));
        }
        gather.cursor = cursor;
        gather.recount(before);
        Ok(gather.cursor == "0")
    }

    /// Asks when fields expire.
    fn field_expiries(&self, link: &mut Link, fields: &mut [Field<'static>]) -> Result<(), Error> {
        let count = fields.len().to_string();
        let mut command = vec![b"HPEXPIRETIME".as_slice(), &self.name, b"FIELDS", count.as_bytes()];
        command.extend(fields.iter().map(|field| field.name.as_bytes()));
        let reply = link.ask(&command)?;
        for (field, time) in fields.iter_mut().zip(reply.array().unwrap_or_default()) {
            field.expires_at = time.integer().filter(|time| *time >= 0).map(UnixMillis);
        }
        Ok(())
    }

    fn stream(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let count = gather.count;
        let (before, number) = (gather.mark(), count.to_string());
        let words: [&[u8]; 6] =
            [b"XRANGE", &self.name, gather.cursor.as_bytes(), b"+", b"COUNT", number.as_bytes()];
        link.push(&words);
        link.flush()?;
        let entries = array(link, "XRANGE")?;
        for _ in 0..entries {
            let odd = "an entry of a stream that is none";
            let Token::Array(2) = link.token()? else { return Err(link.protocol(odd).into()) };
            let id = gather.element(link)?;
            let id = id.as_str().and_then(|id| id.parse::<StreamId>().ok());
            let Some(id) = id else { return Err(link.protocol(odd).into()) };
            let mut fields = Vec::new();
            for _ in 0..array(link, "XRANGE")? / 2 {
                fields.push((gather.element(link)?, gather.element(link)?));
            }
            gather.cursor = format!("({id}");
            gather.push(Element::Entry(StreamEntry { id, fields }));
        }
        if entries == count {
            gather.recount(before);
            return Ok(false);
        }
        let tail = match self.tail(link) {
            // No stream, no key.
            Err(Error::Answer { detail, .. }) if detail.starts_with("ERR no such key") => {
                return Err(Stop::Outcome(Outcome::Gone));
            }
            tail => tail?,
        };
        if let Value::Stream(stream) = &mut gather.value {
            let entries = std::mem::take(&mut stream.entries);
            **stream = tail;
            stream.entries = entries;
        }
        Ok(true)
    }

    /// All of a stream but its entries.
    fn tail(&self, link: &mut Link) -> Result<Stream<'static>, Error> {
        let info =
            link.ask(&[b"XINFO".as_slice(), b"STREAM", &self.name, b"FULL", b"COUNT", b"1"])?;
        let id = |reply: &Reply, name: &str| reply.field(name)?.text()?.parse::<StreamId>().ok();
        let count = |reply: &Reply, name: &str| u64::try_from(reply.field(name)?.integer()?).ok();
        let mut stream = Stream::default();
        stream.length = count(&info, "length").unwrap_or_default();
        stream.last_id = id(&info, "last-generated-id").unwrap_or_default();
        stream.first_id = id(&info, "recorded-first-entry-id");
        stream.max_deleted_id = id(&info, "max-deleted-entry-id");
        stream.entries_added = count(&info, "entries-added");
        let groups = info.field("groups").and_then(Reply::array).unwrap_or_default();
        for told in groups {
            let name = told.field("name").and_then(Reply::bytes).unwrap_or_default();
            let last_id = id(told, "last-delivered-id").unwrap_or_default();
            let mut group = Group::new(Blob::copied(name), last_id);
            group.entries_read = count(told, "entries-read");
            for consumer in told.field("consumers").and_then(Reply::array).unwrap_or_default() {
                let time = |name: &str| consumer.field(name)?.integer().map(UnixMillis);
                let seen_at = time("seen-time").unwrap_or_default();
                // Before Redis 7.2 there is one time only.
                let active_at = match time("active-time") {
                    None => Some(seen_at),
                    Some(time) => Some(time).filter(|time| time.0 >= 0),
                };
                let name = consumer.field("name").and_then(Reply::bytes).unwrap_or_default();
                group.consumers.push(Consumer::new(Blob::copied(name), seen_at, active_at));
            }
            if count(told, "pel-count").is_some_and(|pending| pending > 0) {
                group.pending = self.pending(link, name)?;
            }
            stream.groups.push(group);
        }
        Ok(stream)
    }

    /// What a group has delivered and nobody has acknowledged. The server tells how long ago: the
    /// moment is exact to a few milliseconds.
    fn pending(&self, link: &mut Link, group: &[u8]) -> Result<Vec<Pending<'static>>, Error> {
        const COUNT: usize = 1000;
        let mut pending: Vec<Pending<'static>> = Vec::new();
        let mut from = "-".to_owned();
        loop {
            let count = COUNT.to_string();
            let command: [&[u8]; 6] =
                [b"XPENDING", &self.name, group, from.as_bytes(), b"+", count.as_bytes()];
            let reply = link.ask(&command)?;
            let now = now_millis().saturating_add(self.clock_ahead);
            let entries = reply.array().unwrap_or_default();
            for entry in entries {
                let [id, consumer, idle, deliveries] = entry.array().unwrap_or_default() else {
                    return Err(link.protocol("a pending entry that is none"));
                };
                let Some(id) = id.text().and_then(|id| id.parse::<StreamId>().ok()) else {
                    return Err(link.protocol("a pending entry without an id"));
                };
                from = format!("({id}");
                let at = UnixMillis(now.saturating_sub(idle.integer().unwrap_or_default()));
                let deliveries = deliveries.integer().and_then(|count| u64::try_from(count).ok());
                let consumer = consumer.bytes().map(Blob::copied);
                pending.push(
                    Pending::new(id, at, deliveries.unwrap_or_default()).with_consumer(consumer),
                );
            }
            if entries.len() < COUNT {
                return Ok(pending);
            }
        }
    }

    fn json(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        link.push(&[b"JSON.GET", &*self.name]);
        link.flush()?;
        let text = gather.element(link)?;
        let json = Json::parse(&text).map_err(|error| {
            Stop::Outcome(Outcome::Failed(format!("the document cannot be read: {error}")))
        })?;
        gather.value = Value::Json(json);
        gather.next = 1;
        Ok(true)
    }
}

/// A value without elements.
fn nothing(kind: Kind) -> Value<'static> {
    match kind {
        Kind::List => Value::List(Vec::new()),
        Kind::Set => Value::Set(Vec::new()),
        Kind::SortedSet => Value::SortedSet(Vec::new()),
        Kind::Hash => Value::Hash(Vec::new()),
        Kind::Stream => Value::Stream(Box::default()),
        _ => Value::String(Blob::empty()),
    }
}

/// How many elements an answer has.
fn array(link: &mut Link, command: &str) -> Result<usize, Stop> {
    match link.token()? {
        Token::Array(count) => Ok(count),
        Token::Nil => Ok(0),
        Token::Error(detail) if detail.starts_with(b"WRONGTYPE") => {
            Err(Stop::Outcome(Outcome::Gone))
        }
        Token::Error(detail) => {
            let detail = String::from_utf8_lossy(detail).into_owned();
            Err(link.refused(command, &detail).into())
        }
        _ => Err(link.protocol("no list where a list was asked for").into()),
    }
}

enum Element {
    Item(Blob<'static>),
    Member(Blob<'static>),
    Scored(Scored<'static>),
    Field(Field<'static>),
    Entry(StreamEntry<'static>),
}

impl Gather {
    /// Goes back to the beginning of a table, whose cursors another process does not know.
    pub(crate) fn rewind(&mut self) -> bool {
        let table = self.recent.is_some() && self.cursor != "0";
        if table {
            self.cursor = "0".to_owned();
        }
        table
    }

    /// How many bytes were read so far, as they lie in memory.
    pub(crate) fn bytes_told(&self) -> u64 {
        self.given + self.bytes as u64
    }

    /// Whether no part was complete so far.
    pub(crate) fn is_first(&self) -> bool {
        self.start == 0
    }

    /// Reads a string of the answer at hand.
    fn element(&self, link: &mut Link) -> Result<Blob<'static>, Stop> {
        match link.token()? {
            Token::Bulk(len) if len as u64 > self.max_element => {
                let limit = self.max_element;
                let detail = format!("an element of {len} bytes exceeds the limit of {limit}");
                Err(Stop::Outcome(Outcome::Failed(detail)))
            }
            Token::Bulk(len) => Ok(Blob::copied(link.bulk(len)?)),
            Token::Status(text) => Ok(Blob::copied(text)),
            Token::Integer(number) => Ok(Blob::from_i64(number)),
            Token::Nil => Err(Stop::Outcome(Outcome::Gone)),
            Token::Error(detail) => {
                let detail = String::from_utf8_lossy(detail).into_owned();
                Err(link.refused("a read by type", &detail).into())
            }
            Token::Array(_) => Err(link.protocol("a list where a string was asked for").into()),
        }
    }

    fn push(&mut self, element: Element) {
        self.flush_if_full();
        let len = match (&mut self.value, element) {
            (Value::List(held), Element::Item(item)) => {
                let len = item.len();
                held.push(item);
                len
            }
            (Value::Set(held), Element::Member(member)) => {
                let len = member.len();
                held.push(member);
                len
            }
            (Value::SortedSet(held), Element::Scored(scored)) => {
                let len = scored.member.len() + size_of::<Scored<'_>>();
                held.push(scored);
                len
            }
            (Value::Hash(held), Element::Field(field)) => {
                let len = field.name.len() + field.value.len() + size_of::<Field<'_>>();
                held.push(field);
                len
            }
            (Value::Stream(held), Element::Entry(entry)) => {
                let fields = entry.fields.iter();
                let len: usize = fields.map(|(name, value)| name.len() + value.len() + 48).sum();
                held.entries.push(entry);
                len + size_of::<StreamEntry<'_>>()
            }
            _ => 0,
        };
        self.bytes += len + size_of::<Blob<'_>>();
        self.next += 1;
    }

    /// A full part waits until it is known not to be the last.
    fn flush_if_full(&mut self) {
        if self.bytes >= self.max_bytes && self.bytes > 0 {
            self.flush(false);
        }
    }

    fn end(&mut self) -> Outcome {
        // Strings and streams may be empty; nothing else without elements is a key.
        if self.next == 0 && !self.empty && !matches!(self.value, Value::Stream(_)) {
            return Outcome::Gone;
        }
        self.flush(true);
        Outcome::Told
    }

    fn flush(&mut self, last: bool) {
        let value = std::mem::replace(&mut self.value, nothing(self.head.kind()));
        let start = std::mem::replace(&mut self.start, self.next);
        self.given += std::mem::take(&mut self.bytes) as u64;
        self.ready.push(Part::new(self.head.clone(), value, start, last));
    }

    /// Where the value is: elements and bytes so far.
    fn mark(&self) -> (u64, u64) {
        (self.next, self.bytes_told())
    }

    /// As many elements as fill about half a part, if they are as the last ones were.
    fn recount(&mut self, before: (u64, u64)) {
        let now = self.mark();
        let each = ((now.1 - before.1) / (now.0 - before.0).max(1)).max(16);
        let count = self.max_bytes as u64 / 2 / each;
        self.count = usize::try_from(count).unwrap_or(MAX_COUNT).clamp(1, MAX_COUNT);
    }
}
