//! One value by the commands of its type: in parts where it is big, whole where it is not.
//!
//! The commands of a type tell a collection piece by piece, so that neither the server nor we ever
//! hold more than a piece of it. What they tell while the value is written to is no snapshot: a list
//! that is pushed to meanwhile may lose an item or repeat one.

use keystar_rdb::{
    Blob, Consumer, Db, Encoding, Field, Group, Head, Idempotency, Json, Kind, Part, Pending,
    Scored, StreamEntry, StreamId, UnixMillis, Value,
};

use super::{
    link::{Link, Reply, Token},
    recent::Recent,
    resp,
    worker::now_millis,
};
use crate::Error;

/// Elements that are asked for first, before it is known how big they are.
const FIRST_COUNT: usize = 32;
/// Elements that are asked for at most.
const MAX_COUNT: usize = 10_000;
/// Bytes of a value that are asked for while questions for other values are under way with it.
const FIRST_BYTES: usize = 16 << 10;
/// Pending entries of a group that are asked for at a time.
const PENDING_COUNT: usize = 1000;

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
    /// How long a string is, once that was asked for.
    total: Option<u64>,
    /// What is asked next.
    step: Step,
    /// Where the server is asked to go on, and for how many elements.
    cursor: String,
    count: usize,
    /// About so many bytes are asked for at a time.
    piece_bytes: usize,
    /// Whether it is an empty string.
    empty: bool,
    /// Whether it is read by a cursor of the process that was asked.
    is_table: bool,
    /// What cursors tell twice.
    recent: Option<Recent>,
    /// Fields that are not in their part yet.
    fields: Vec<Field<'static>>,
    /// Groups of a stream whose pending entries are to be asked for.
    groups: Vec<usize>,
    /// Why the value cannot be told, while the rest of an answer is passed over.
    failed: Option<String>,
    /// Whether the stream remembers producers' ids, which no command tells.
    pub(crate) has_producers: bool,
    /// Parts that are complete.
    pub(crate) ready: Vec<Part>,
}

/// A question. Each is one command with one answer, so that they go into any pipeline.
#[derive(Clone, Debug)]
enum Step {
    /// For elements, or a piece of a string.
    Elements,
    /// How long the string is: longer than was asked for first.
    Length,
    /// Whether there is a key with an empty string.
    Exists,
    /// When the fields that were told last expire.
    Expiries,
    /// All of a stream but its entries.
    Tail,
    /// What the group with this number has pending, from there on.
    Pending(usize, String),
}

/// How the reading of a value ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Told,
    /// There is no such key any more.
    Gone,
    /// The key has a value of another type by now, or none, or lacks what was asked for.
    Changed,
    /// The key is on another node.
    Moved,
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
    /// Whether each question wants to be announced, since the slot is not the node's own yet.
    pub(crate) asking: bool,
    /// Whether it was found to be of another type before.
    pub(crate) is_second: bool,
}

impl Piecewise {
    fn head(&self) -> Head<'static> {
        Head::new(self.db, Blob::copied(&self.name), Encoding::plain(self.kind))
            .with_offset(self.number)
            .with_expires_at(self.expires_at)
    }

    /// The beginning of the value.
    pub(crate) fn gather(&self) -> Gather {
        Gather {
            head: self.head(),
            value: nothing(self.kind),
            bytes: 0,
            given: 0,
            start: 0,
            next: 0,
            max_bytes: self.part_bytes,
            max_element: self.max_element_bytes,
            total: None,
            step: Step::Elements,
            cursor: if self.kind == Kind::Stream { "-" } else { "0" }.to_owned(),
            count: FIRST_COUNT,
            piece_bytes: FIRST_BYTES.min(self.part_bytes.max(1)),
            empty: false,
            is_table: matches!(self.kind, Kind::Set | Kind::SortedSet | Kind::Hash),
            recent: None,
            fields: Vec::new(),
            groups: Vec::new(),
            failed: None,
            has_producers: false,
            ready: Vec::new(),
        }
    }

    /// Asks the next question, with what is sent next.
    pub(crate) fn ask(&self, link: &mut Link, gather: &Gather) {
        if self.asking {
            link.push(&["ASKING"]);
        }
        let mut digits = (itoa::Buffer::new(), itoa::Buffer::new());
        let cursor = gather.cursor.as_bytes();
        let name = &*self.name;
        match &gather.step {
            Step::Elements => match self.kind {
                Kind::List => {
                    let from = digits.0.format(gather.next).as_bytes();
                    let to = digits.1.format(gather.next + gather.count as u64 - 1).as_bytes();
                    link.push(&[b"LRANGE", name, from, to]);
                }
                Kind::Set | Kind::SortedSet | Kind::Hash => {
                    let count = digits.1.format(gather.count).as_bytes();
                    link.push(&[self.scan().as_bytes(), name, cursor, b"COUNT", count]);
                }
                Kind::Stream => {
                    let count = digits.1.format(gather.count).as_bytes();
                    link.push(&[b"XRANGE", name, cursor, b"+", b"COUNT", count]);
                }
                Kind::Json => link.push(&[b"JSON.GET", name]),
                _ => {
                    let from = digits.0.format(gather.next).as_bytes();
                    let to = digits.1.format(gather.next + gather.piece() - 1).as_bytes();
                    link.push(&[b"GETRANGE", name, from, to]);
                }
            },
            Step::Length => link.push(&[b"STRLEN", name]),
            Step::Exists => link.push(&[b"EXISTS", name]),
            Step::Expiries => {
                let fields = &gather.fields;
                let count = digits.0.format(fields.len()).as_bytes();
                let mut command = vec![b"HPEXPIRETIME".as_slice(), name, b"FIELDS", count];
                command.extend(fields.iter().map(|field| field.name.as_bytes()));
                link.push(&command);
            }
            Step::Tail => {
                link.push(&[b"XINFO".as_slice(), b"STREAM", name, b"FULL", b"COUNT", b"1"])
            }
            Step::Pending(group, from) => {
                let count = digits.0.format(PENDING_COUNT).as_bytes();
                let group = gather.group_name(*group);
                link.push(&[b"XPENDING", name, group, from.as_bytes(), b"+", count]);
            }
        }
    }

    /// Takes the answer; `None` when there is more to ask.
    ///
    /// However it ends, but for an error, the whole answer was read.
    pub(crate) fn take(
        &self,
        link: &mut Link,
        gather: &mut Gather,
    ) -> Result<Option<Outcome>, Error> {
        if self.asking {
            link.reply()?;
        }
        let asked = std::mem::replace(&mut gather.step, Step::Elements);
        let told = match &asked {
            Step::Elements => match self.kind {
                Kind::String => self.string(link, gather),
                Kind::List => self.list(link, gather),
                Kind::Set | Kind::SortedSet | Kind::Hash => self.table(link, gather),
                Kind::Stream => self.stream(link, gather),
                Kind::Json => self.json(link, gather),
                kind => Err(Stop::Outcome(Outcome::Failed(format!(
                    "a value of type {kind} cannot be read in pieces"
                )))),
            },
            Step::Length => self.length(link, gather),
            Step::Exists => self.exists(link, gather),
            Step::Expiries => self.expiries(link, gather),
            Step::Tail => self.tail(link, gather),
            Step::Pending(group, _) => self.pending(link, gather, *group),
        };
        let told = match told {
            // The rest is not read: the value fails when it was, over another connection.
            Err(Stop::Error(error)) => Err(Stop::Error(error)),
            told => match gather.failed.take() {
                Some(detail) => Err(Stop::Outcome(Outcome::Failed(detail))),
                None => told,
            },
        };
        match told {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(gather.end())),
            Err(Stop::Outcome(outcome)) => Ok(Some(outcome)),
            Err(Stop::Error(error)) => {
                if gather.is_table && gather.recent.is_none() {
                    // Half of an only answer: it is asked for again, and told from the beginning.
                    *gather = Gather { piece_bytes: gather.piece_bytes, ..self.gather() };
                } else {
                    gather.step = asked;
                }
                Err(error)
            }
        }
    }

    /// Each of these takes one answer, and says whether there is nothing more to ask.
    fn string(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let asked = gather.piece();
        let piece = gather.string(link, Some("GETRANGE"))?;
        let len = piece.len() as u64;
        let is_first = gather.next == 0;
        if len > 0 {
            gather.flush_if_full();
        }
        gather.bytes += piece.len();
        gather.next += len;
        if let Value::String(held) = &mut gather.value {
            *held = if held.is_empty() { piece } else { [&**held, &*piece].concat().into() };
        }
        if is_first && len == 0 {
            gather.step = Step::Exists;
            return Ok(false);
        }
        match gather.total {
            None if len < asked => Ok(true),
            None => {
                gather.step = Step::Length;
                Ok(false)
            }
            Some(total) if gather.next >= total => Ok(true),
            // It ends before its length.
            Some(_) if len < asked => Err(Stop::Outcome(Outcome::Changed)),
            Some(_) => Ok(false),
        }
    }

    fn length(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let total = reply(link, "STRLEN")?.integer().unwrap_or_default();
        let total = u64::try_from(total).unwrap_or_default();
        // Some of it was told already: it has been deleted since, or replaced by less.
        if total < gather.next {
            let outcome = if total == 0 { Outcome::Gone } else { Outcome::Changed };
            return Err(Stop::Outcome(outcome));
        }
        if total > self.max_element_bytes {
            let limit = self.max_element_bytes;
            let detail = format!("a string of {total} bytes exceeds the limit of {limit}");
            return Err(Stop::Outcome(Outcome::Failed(detail)));
        }
        gather.total = Some(total);
        Ok(gather.next >= total)
    }

    fn exists(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        gather.empty = reply(link, "EXISTS")?.integer() == Some(1);
        Ok(true)
    }

    fn list(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let count = gather.count;
        let before = gather.mark();
        let items = array(link, Some("LRANGE"))?;
        for _ in 0..items {
            let item = gather.string(link, None)?;
            gather.push(Element::Item(item));
        }
        gather.recount(before);
        Ok(items < count)
    }

    /// The command that tells a set, a sorted set or a hash by its cursor.
    fn scan(&self) -> &'static str {
        match self.kind {
            Kind::Set => "SSCAN",
            Kind::SortedSet => "ZSCAN",
            _ => "HSCAN",
        }
    }

    fn table(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let before = gather.mark();
        if array(link, Some(self.scan()))? != 2 {
            return Err(link.protocol("an answer to a scan that is none").into());
        }
        let cursor = match link.token()? {
            Token::Bulk(len) => String::from_utf8_lossy(link.bulk(len)?).into_owned(),
            _ => return Err(link.protocol("a cursor that is none").into()),
        };
        // What one answer tells to the end is told once.
        if gather.recent.is_none() && cursor != "0" {
            gather.recent = Some(Recent::growing());
        }
        let elements = match self.kind {
            Kind::Set => array(link, None)?,
            _ => pairs(link)?,
        };
        for _ in 0..elements {
            let name = gather.string(link, None)?;
            let value = match self.kind {
                Kind::Set => None,
                _ => Some(gather.string(link, None)?),
            };
            if !gather.recent.as_mut().is_none_or(|recent| recent.insert(0, &name)) {
                continue;
            }
            match value {
                None => gather.push(Element::Member(name)),
                Some(score) if self.kind == Kind::SortedSet => {
                    let score = score.as_str().and_then(|text| text.parse().ok());
                    match score {
                        Some(score) => gather.push(Element::Scored(Scored::new(name, score))),
                        None if gather.failed.is_some() => {}
                        None => return Err(link.protocol("a score that is no number").into()),
                    }
                }
                Some(value) => gather.fields.push(Field::new(name, value)),
            }
        }
        gather.cursor = cursor;
        if self.fields_expire && !gather.fields.is_empty() {
            gather.step = Step::Expiries;
            return Ok(false);
        }
        gather.push_fields();
        gather.recount(before);
        Ok(gather.cursor == "0")
    }

    fn expiries(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let before = gather.mark();
        let times = reply(link, "HPEXPIRETIME")?;
        let fields = std::mem::take(&mut gather.fields);
        let Some(times) = times.array().filter(|times| times.len() == fields.len()) else {
            return Err(link.protocol("not as many times as fields").into());
        };
        for (mut field, time) in fields.into_iter().zip(times) {
            field.expires_at = match time.integer() {
                // It has expired since it was told, or was deleted.
                Some(-2) => continue,
                Some(..0) => None,
                Some(time) => Some(UnixMillis(time)),
                None => return Err(link.protocol("no time where a time was asked for").into()),
            };
            gather.push(Element::Field(field));
        }
        gather.recount(before);
        Ok(gather.cursor == "0")
    }

    fn stream(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        const ODD: &str = "an entry of a stream that is none";
        let count = gather.count;
        let before = gather.mark();
        let entries = array(link, Some("XRANGE"))?;
        for _ in 0..entries {
            let Token::Array(2) = link.token()? else { return Err(link.protocol(ODD).into()) };
            let id = gather.string(link, None)?;
            let id = id.as_str().and_then(|id| id.parse::<StreamId>().ok());
            let Some(id) = id else { return Err(link.protocol(ODD).into()) };
            let mut fields = Vec::new();
            for _ in 0..pairs(link)? {
                let name = gather.string(link, None)?;
                fields.push((name, gather.string(link, None)?));
            }
            gather.cursor = format!("({id}");
            gather.push(Element::Entry(StreamEntry { id, fields }));
        }
        if entries == count {
            gather.recount(before);
        } else {
            gather.step = Step::Tail;
        }
        Ok(false)
    }

    /// All of a stream but its entries.
    fn tail(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let info = reply(link, "XINFO STREAM")?;
        let id = |reply: &Reply, name: &str| reply.field(name)?.text()?.parse::<StreamId>().ok();
        let count = |reply: &Reply, name: &str| u64::try_from(reply.field(name)?.integer()?).ok();
        let Value::Stream(stream) = &mut gather.value else { return Ok(true) };
        stream.length = count(&info, "length").unwrap_or_default();
        stream.last_id = id(&info, "last-generated-id").unwrap_or_default();
        stream.first_id = id(&info, "recorded-first-entry-id");
        stream.max_deleted_id = id(&info, "max-deleted-entry-id");
        stream.entries_added = count(&info, "entries-added");
        // From Redis 8.6 on; the ids themselves no command tells.
        stream.idempotency = count(&info, "idmp-duration").map(|duration| {
            let mut idempotency = Idempotency::default();
            idempotency.duration_seconds = duration;
            idempotency.max_entries = count(&info, "idmp-maxsize").unwrap_or_default();
            idempotency.ids_added = count(&info, "iids-added").unwrap_or_default();
            idempotency.duplicates = count(&info, "iids-duplicates").unwrap_or_default();
            idempotency
        });
        gather.has_producers = count(&info, "pids-tracked").is_some_and(|producers| producers > 0);
        let groups = info.field("groups").and_then(Reply::array).unwrap_or_default();
        for (at, told) in groups.iter().enumerate() {
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
                gather.groups.push(at);
            }
            stream.groups.push(group);
        }
        Ok(gather.next_group())
    }

    /// What a group has delivered and nobody has acknowledged. The server tells how long ago: the
    /// moment is exact to a few milliseconds.
    fn pending(&self, link: &mut Link, gather: &mut Gather, at: usize) -> Result<bool, Stop> {
        let reply = reply(link, "XPENDING")?;
        let now = now_millis().saturating_add(self.clock_ahead);
        let entries = reply.array().unwrap_or_default();
        let mut last = None;
        let Value::Stream(stream) = &mut gather.value else { return Ok(true) };
        let Some(group) = stream.groups.get_mut(at) else { return Ok(true) };
        for entry in entries {
            let [id, consumer, idle, deliveries] = entry.array().unwrap_or_default() else {
                return Err(link.protocol("a pending entry that is none").into());
            };
            let Some(id) = id.text().and_then(|id| id.parse::<StreamId>().ok()) else {
                return Err(link.protocol("a pending entry without an id").into());
            };
            last = Some(id);
            let deliveries = deliveries.integer().and_then(|count| u64::try_from(count).ok());
            let deliveries = deliveries.unwrap_or_default();
            let pending = match idle.integer().unwrap_or_default() {
                // Given back (`XNACK`, from Redis 8.8 on): nobody's since.
                ..0 => {
                    group.nacked.push(id);
                    Pending::new(id, UnixMillis(0), deliveries)
                }
                idle => Pending::new(id, UnixMillis(now.saturating_sub(idle)), deliveries)
                    .with_consumer(consumer.bytes().map(Blob::copied)),
            };
            group.pending.push(pending);
        }
        if let (Some(last), PENDING_COUNT..) = (last, entries.len()) {
            gather.step = Step::Pending(at, format!("({last}"));
            return Ok(false);
        }
        Ok(gather.next_group())
    }

    fn json(&self, link: &mut Link, gather: &mut Gather) -> Result<bool, Stop> {
        let text = gather.string(link, Some("JSON.GET"))?;
        if gather.failed.is_some() {
            return Ok(true);
        }
        let json = Json::parse(&text).map_err(|error| {
            Stop::Outcome(Outcome::Failed(format!("the document cannot be read: {error}")))
        })?;
        gather.value = Value::Json(json);
        gather.bytes += text.len();
        gather.next = 1;
        Ok(true)
    }
}

/// What an answer that is an error means for the value.
fn refused(link: &Link, command: &str, detail: &[u8]) -> Stop {
    let text = String::from_utf8_lossy(detail);
    if resp::redirect(detail).is_some() {
        Stop::Outcome(Outcome::Moved)
    } else if text.starts_with("WRONGTYPE") || text.starts_with("NOGROUP") {
        // `NOGROUP` is said of a stream that has lost the group, and of one that is gone.
        Stop::Outcome(Outcome::Changed)
    } else if text.starts_with("ERR no such key") {
        Stop::Outcome(Outcome::Gone)
    } else {
        Stop::Error(link.refused(command, &text))
    }
}

/// A whole answer.
fn reply(link: &mut Link, command: &str) -> Result<Reply, Stop> {
    match link.reply()? {
        Reply::Error(detail) => Err(refused(link, command, detail.as_bytes())),
        reply => Ok(reply),
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

/// How many elements follow: of the `command`'s answer, or of an array inside of it.
fn array(link: &mut Link, command: Option<&str>) -> Result<usize, Stop> {
    let (command, detail) = match (link.token()?, command) {
        (Token::Array(count), _) => return Ok(count),
        (Token::Nil, Some(_)) => return Ok(0),
        (Token::Error(detail), Some(command)) => (command, detail.to_vec()),
        // Also an error inside of an answer: what follows it would be taken for the next answer.
        _ => return Err(link.protocol("no list where a list was asked for").into()),
    };
    Err(refused(link, command, &detail))
}

/// How many pairs follow inside of an answer.
fn pairs(link: &mut Link) -> Result<usize, Stop> {
    match array(link, None)? {
        count if count % 2 == 0 => Ok(count / 2),
        _ => Err(link.protocol("a list of pairs whose last is half").into()),
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
        let begun = self.is_table && self.cursor != "0";
        if begun {
            self.cursor = "0".to_owned();
            // Fields that are told already wait for the next answer.
            self.step = Step::Elements;
        }
        begun
    }

    /// From now on the value is read by itself: a whole piece at a time.
    pub(crate) fn alone(&mut self) {
        self.piece_bytes = self.max_bytes.max(1);
    }

    /// How many bytes were read so far, as they lie in memory.
    pub(crate) fn bytes_told(&self) -> u64 {
        self.given + self.bytes as u64
    }

    /// How many bytes are held of it, with what keeps its elements from coming twice.
    pub(crate) fn bytes_held(&self) -> u64 {
        (self.bytes + self.recent.as_ref().map_or(0, Recent::bytes)) as u64
    }

    /// Whether no part was complete so far.
    pub(crate) fn is_first(&self) -> bool {
        self.start == 0
    }

    /// How many bytes of a string to ask for: not beyond what makes a part full.
    fn piece(&self) -> u64 {
        let room = self.max_bytes.max(1).saturating_sub(self.bytes);
        self.piece_bytes.min(if room == 0 { self.max_bytes.max(1) } else { room }) as u64
    }

    fn group_name(&self, at: usize) -> &[u8] {
        match &self.value {
            Value::Stream(stream) => stream.groups.get(at).map_or(b"", |group| &group.name),
            _ => b"",
        }
    }

    /// Asks for the pending entries of the next group; `true` when there is none.
    fn next_group(&mut self) -> bool {
        match self.groups.pop() {
            Some(at) => {
                self.step = Step::Pending(at, "-".to_owned());
                false
            }
            None => true,
        }
    }

    /// Reads a string: the whole answer of the `command`, or one inside of an answer. One that is too
    /// big is passed over, and the value fails once the whole answer is read.
    fn string(&mut self, link: &mut Link, command: Option<&str>) -> Result<Blob<'static>, Stop> {
        let (command, detail) = match (link.token()?, command) {
            (Token::Bulk(len), _) if len as u64 > self.max_element => {
                let limit = self.max_element;
                link.skip_bulk(len)?;
                self.failed.get_or_insert_with(|| {
                    format!("an element of {len} bytes exceeds the limit of {limit}")
                });
                return Ok(Blob::empty());
            }
            (Token::Bulk(len), _) => return Ok(Blob::copied(link.bulk(len)?)),
            (Token::Status(text), _) => return Ok(Blob::copied(text)),
            (Token::Integer(number), _) => return Ok(Blob::from_i64(number)),
            // No other command says so of a key that is gone.
            (Token::Nil, Some("JSON.GET")) => return Err(Stop::Outcome(Outcome::Gone)),
            (Token::Error(detail), Some(command)) => (command, detail.to_vec()),
            // Also an error inside of an answer: what follows it would be taken for the next answer.
            _ => return Err(link.protocol("no string where a string was asked for").into()),
        };
        Err(refused(link, command, &detail))
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

    fn push_fields(&mut self) {
        for field in std::mem::take(&mut self.fields) {
            self.push(Element::Field(field));
        }
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

    /// As many elements as fill about half a piece, if they are as the last ones were.
    fn recount(&mut self, before: (u64, u64)) {
        let now = self.mark();
        let each = ((now.1 - before.1) / (now.0 - before.0).max(1)).max(16);
        let count = self.piece_bytes as u64 / 2 / each;
        self.count = usize::try_from(count).unwrap_or(MAX_COUNT).clamp(1, MAX_COUNT);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::live::{
        access::Access,
        address::Address,
        link::{Dialer, Login},
    };

    /// A connection, and its other end, which has said this, whatever it is asked.
    fn link(answers: &'static str) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"+OK\r\n").unwrap();
            stream.write_all(answers.as_bytes()).unwrap();
            stream
        });
        let dialer = Dialer::new(&Access::default(), false).unwrap();
        let address = Address::Tcp { host: "127.0.0.1".to_owned(), port };
        (dialer.dial(&address, &Login::default()).unwrap(), server.join().unwrap())
    }

    #[test]
    fn what_is_remembered_of_a_table_is_small_and_counted() {
        let value = Piecewise {
            db: Db(0),
            name: b"k".to_vec(),
            kind: Kind::Set,
            expires_at: None,
            number: 0,
            part_bytes: 1 << 20,
            max_element_bytes: 1 << 20,
            fields_expire: false,
            clock_ahead: 0,
            asking: false,
            is_second: false,
        };
        let (mut link, _server) =
            link("*2\r\n$1\r\n7\r\n*1\r\n$1\r\na\r\n*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
        let mut gather = value.gather();
        assert_eq!(gather.bytes_held(), 0);
        assert_eq!(value.take(&mut link, &mut gather).unwrap(), None);
        assert_eq!(gather.bytes_held(), gather.bytes_told() + 4096);
        assert_eq!(value.take(&mut link, &mut gather).unwrap(), Some(Outcome::Told));
        let members = ["a", "b"].map(Blob::from).to_vec();
        assert_eq!(gather.ready[0].value, Value::Set(members));
    }
}
