//! Redis commands as bytes: the arrays of strings that clients send (RESP), which
//! `redis-cli --pipe` takes as they are.
//!
//! A record is opened, given its value in one piece or in many that follow each other, and closed.
//! Elements collect until a command has a good length, so memory is bounded whatever the size of
//! the record.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{self, Write},
};

use keystar_rdb::{
    Blob, Db, Field, Group, Idempotency, Kind, Pending, Scored, Stream, StreamEntry, StreamId,
    UnixMillis, Value,
};

/// A command has at most this many elements …
const MAX_ELEMENTS: usize = 512;
/// … and not many more bytes than this: a server runs one command at a time.
const MAX_BYTES: usize = 64 << 10;

/// The name of the group that is made and destroyed where only that makes a stream without entries.
const PASSING_GROUP: &[u8] = b"keystar";

/// Bytes that go to the writer at once.
const WRITE_BYTES: usize = 256 << 10;

/// Writes the commands that make records.
pub(crate) struct Commands<'w> {
    out: &'w mut dyn Write,
    /// What is on its way to `out`.
    buffer: Vec<u8>,
    /// The database that the commands before selected.
    db: Option<Db>,
    key: Vec<u8>,
    kind: Option<Kind>,
    /// Of the command at hand, what follows the key, encoded.
    arguments: Vec<u8>,
    count: usize,
    elements: usize,
    /// Of the fields at hand, when they expire and their names, encoded.
    field_expiries: BTreeMap<UnixMillis, (usize, Vec<u8>)>,
    /// Of a string, how many bytes were written; of others, whether anything was.
    written: u64,
    tail: Option<Tail>,
    done: Done,
}

/// What was written and what was not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// How often each command was written, by name.
    pub(crate) commands: BTreeMap<&'static str, u64>,
    pub(crate) bytes: u64,
    /// What of the values no command says, by kind.
    pub(crate) unsaid: BTreeMap<&'static str, u64>,
}

/// What a stream has besides entries, until the last entry was written.
#[derive(Default)]
struct Tail {
    stream: Stream<'static>,
    /// Ids that a group waits for.
    awaited: HashSet<StreamId>,
    /// Those of them that the stream still has.
    present: BTreeSet<StreamId>,
    entries: u64,
    last: StreamId,
}

impl<'w> Commands<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(WRITE_BYTES + MAX_BYTES),
            db: None,
            key: Vec::new(),
            kind: None,
            arguments: Vec::new(),
            count: 0,
            elements: 0,
            field_expiries: BTreeMap::new(),
            written: 0,
            tail: None,
            done: Done::default(),
        }
    }

    /// Begins a record; `false` if no command makes such values.
    pub(crate) fn open(&mut self, db: Db, key: &[u8], kind: Kind) -> io::Result<bool> {
        let sayable = matches!(
            kind,
            Kind::String
                | Kind::List
                | Kind::Set
                | Kind::SortedSet
                | Kind::Hash
                | Kind::Stream
                | Kind::Json
        );
        if !sayable {
            return Ok(false);
        }
        if self.db != Some(db) {
            let number = db.to_string();
            self.command("SELECT", &[number.as_bytes()])?;
            self.db = Some(db);
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.kind = Some(kind);
        self.written = 0;
        if kind == Kind::Stream {
            self.tail = Some(Tail::default());
        }
        Ok(true)
    }

    /// Adds a piece of the record's value. Pieces come in the order of their elements, and what a
    /// stream has besides entries comes with the first of them.
    pub(crate) fn piece(&mut self, value: &Value<'_>) -> io::Result<()> {
        match value {
            Value::String(text) => self.text(text),
            Value::List(items) => items.iter().try_for_each(|item| self.element("RPUSH", &[item])),
            Value::Set(members) => {
                members.iter().try_for_each(|member| self.element("SADD", &[member]))
            }
            Value::SortedSet(members) => members.iter().try_for_each(|Scored { member, score }| {
                // The shortest text that reads back as the same double; infinities are `inf`.
                self.element("ZADD", &[format!("{score:?}").as_bytes(), member])
            }),
            Value::Hash(fields) => fields.iter().try_for_each(|field| self.field(field)),
            Value::Stream(stream) => self.stream(stream),
            Value::Json(json) => {
                let key = std::mem::take(&mut self.key);
                let said = self.command("JSON.SET", &[&key, b"$", json.to_string().as_bytes()]);
                self.key = key;
                said
            }
            // `open` has said that there is no command.
            _ => Ok(()),
        }
    }

    /// Ends the record.
    pub(crate) fn close(&mut self, expires_at: Option<UnixMillis>) -> io::Result<()> {
        self.flush()?;
        let key = std::mem::take(&mut self.key);
        if self.kind == Some(Kind::String) && self.written == 0 {
            self.command("SET", &[&key, b""])?;
        }
        if let Some(tail) = self.tail.take() {
            self.tail(&key, &tail)?;
        }
        if let Some(UnixMillis(millis)) = expires_at {
            self.command("PEXPIREAT", &[&key, millis.to_string().as_bytes()])?;
        }
        self.key = key;
        self.kind = None;
        Ok(())
    }

    /// What of the values was not said since this was asked last, by kind.
    pub(crate) fn take_unsaid(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.done.unsaid)
    }

    /// What was written and what was not; everything is with the writer.
    pub(crate) fn finish(mut self) -> io::Result<Done> {
        self.drain(0)?;
        self.out.flush()?;
        Ok(self.done)
    }

    fn text(&mut self, text: &Blob<'_>) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let name = if self.written == 0 { "SET" } else { "APPEND" };
        self.written += text.len() as u64;
        let key = std::mem::take(&mut self.key);
        let said = self.command(name, &[&key, text]);
        self.key = key;
        said
    }

    fn field(&mut self, field: &Field<'_>) -> io::Result<()> {
        if let Some(moment) = field.expires_at {
            let (count, names) = self.field_expiries.entry(moment).or_default();
            *count += 1;
            bulk(names, &field.name);
        }
        self.element("HSET", &[&field.name, &field.value])
    }

    /// Adds an element to the command at hand, which is sent when it is long enough.
    fn element(&mut self, name: &'static str, arguments: &[&[u8]]) -> io::Result<()> {
        for argument in arguments {
            bulk(&mut self.arguments, argument);
        }
        self.count += arguments.len();
        self.elements += 1;
        self.written += 1;
        if self.elements < MAX_ELEMENTS && self.arguments.len() < MAX_BYTES {
            return Ok(());
        }
        self.send(name)
    }

    fn flush(&mut self) -> io::Result<()> {
        let name = match self.kind {
            _ if self.elements == 0 => return Ok(()),
            Some(Kind::List) => "RPUSH",
            Some(Kind::Set) => "SADD",
            Some(Kind::SortedSet) => "ZADD",
            Some(Kind::Hash) => "HSET",
            _ => return Ok(()),
        };
        self.send(name)
    }

    /// Sends the elements at hand, and when they expire.
    fn send(&mut self, name: &'static str) -> io::Result<()> {
        let (arguments, key) = (std::mem::take(&mut self.arguments), std::mem::take(&mut self.key));
        self.begin(name, 1 + self.count)?;
        self.argument(&key)?;
        self.buffer.extend_from_slice(&arguments);
        for (moment, (count, names)) in std::mem::take(&mut self.field_expiries) {
            self.begin("HPEXPIREAT", 4 + count)?;
            self.argument(&key)?;
            self.argument(moment.0.to_string().as_bytes())?;
            self.argument(b"FIELDS")?;
            self.argument(count.to_string().as_bytes())?;
            self.buffer.extend_from_slice(&names);
        }
        (self.arguments, self.key) = (arguments, key);
        self.arguments.clear();
        (self.count, self.elements) = (0, 0);
        Ok(())
    }

    fn stream(&mut self, stream: &Stream<'_>) -> io::Result<()> {
        let Some(mut tail) = self.tail.take() else { return Ok(()) };
        tail.learn(stream);
        let key = std::mem::take(&mut self.key);
        let said = stream.entries.iter().try_for_each(|entry| self.entry(&key, entry, &mut tail));
        self.key = key;
        self.tail = Some(tail);
        said
    }

    fn entry(&mut self, key: &[u8], entry: &StreamEntry<'_>, tail: &mut Tail) -> io::Result<()> {
        if entry.fields.is_empty() {
            self.unsaid("stream_entry_without_fields", 1);
            return Ok(());
        }
        tail.entries += 1;
        tail.last = tail.last.max(entry.id);
        if tail.awaited.contains(&entry.id) {
            tail.present.insert(entry.id);
        }
        self.begin("XADD", 2 + 2 * entry.fields.len())?;
        self.argument(key)?;
        self.argument(entry.id.to_string().as_bytes())?;
        for (name, value) in &entry.fields {
            self.argument(name)?;
            self.argument(value)?;
        }
        Ok(())
    }

    /// Says what the stream has besides its entries.
    fn tail(&mut self, key: &[u8], tail: &Tail) -> io::Result<()> {
        let stream = &tail.stream;
        if tail.entries == 0 {
            // The only command that makes a stream without an entry makes a group with it.
            self.command("XGROUP", &[b"CREATE", key, PASSING_GROUP, b"0", b"MKSTREAM"])?;
            self.command("XGROUP", &[b"DESTROY", key, PASSING_GROUP])?;
        }
        self.set_ids(key, tail)?;
        for group in &stream.groups {
            self.group(key, group, &tail.present)?;
        }
        if let Some(idempotency) = &stream.idempotency {
            let ids = idempotency.producers.iter().map(|producer| producer.entries.len() as u64);
            self.unsaid("stream_idempotency_ids", ids.sum());
            self.unsaid("stream_idempotency_settings", 1);
        }
        Ok(())
    }

    /// Servers before 7.0 do not know the two options, nor do their dumps have what they say.
    fn set_ids(&mut self, key: &[u8], tail: &Tail) -> io::Result<()> {
        let stream = &tail.stream;
        let last = stream.last_id.max(tail.last).to_string();
        // A server refuses fewer than there are, which damaged dumps claim.
        let added = stream.entries_added.map(|added| added.max(tail.entries).to_string());
        let deleted = stream.max_deleted_id.filter(|id| *id != StreamId::default());
        let deleted = deleted.map(|id| id.min(stream.last_id.max(tail.last)).to_string());
        let mut arguments = vec![key, last.as_bytes()];
        if let Some(added) = &added {
            arguments.extend([b"ENTRIESADDED", added.as_bytes()]);
        }
        if let Some(deleted) = &deleted {
            arguments.extend([b"MAXDELETEDID", deleted.as_bytes()]);
        }
        self.command("XSETID", &arguments)
    }

    fn group(
        &mut self,
        key: &[u8],
        group: &Group<'_>,
        present: &BTreeSet<StreamId>,
    ) -> io::Result<()> {
        let (last, read) = (group.last_id.to_string(), group.entries_read.map(|n| n.to_string()));
        let mut arguments = vec![b"CREATE", key, &group.name, last.as_bytes()];
        if let Some(read) = &read {
            arguments.extend([b"ENTRIESREAD", read.as_bytes()]);
        }
        self.command("XGROUP", &arguments)?;
        for consumer in &group.consumers {
            self.command("XGROUP", &[b"CREATECONSUMER", key, &group.name, &consumer.name])?;
        }
        // The server stamps them with its own clock.
        self.unsaid("stream_consumer_times", group.consumers.len() as u64);
        self.unsaid("stream_nacks", group.nacked.len() as u64);
        self.claim(key, group, present)
    }

    /// Entries that are alike but for their id are claimed together.
    fn claim(
        &mut self,
        key: &[u8],
        group: &Group<'_>,
        present: &BTreeSet<StreamId>,
    ) -> io::Result<()> {
        let (mut claimed, mut unowned, mut deleted) = (Vec::new(), 0, 0);
        for pending in &group.pending {
            match &pending.consumer {
                // `XCLAIM` takes no entry that the stream has not.
                _ if !present.contains(&pending.id) => deleted += 1,
                None => unowned += 1,
                Some(consumer) => claimed.push((consumer, pending)),
            }
        }
        self.unsaid("stream_pending_of_deleted_entries", deleted);
        self.unsaid("stream_pending_without_consumer", unowned);
        let alike = |a: &(&Blob<'_>, &Pending<'_>), b: &(&Blob<'_>, &Pending<'_>)| {
            let what = |pending: &Pending<'_>| (pending.delivered_at, pending.delivery_count);
            a.0 == b.0 && what(a.1) == what(b.1)
        };
        for run in claimed.chunk_by(alike).flat_map(|run| run.chunks(MAX_ELEMENTS)) {
            let Some((consumer, first)) = run.first() else { continue };
            let ids: Vec<_> = run.iter().map(|(_, pending)| pending.id.to_string()).collect();
            let (time, count) =
                (first.delivered_at.0.to_string(), first.delivery_count.to_string());
            let mut arguments: Vec<&[u8]> = vec![key, &group.name, consumer, b"0"];
            arguments.extend(ids.iter().map(|id| id.as_bytes()));
            arguments.extend([b"TIME".as_slice(), time.as_bytes()]);
            arguments.extend([b"RETRYCOUNT".as_slice(), count.as_bytes(), b"FORCE", b"JUSTID"]);
            self.command("XCLAIM", &arguments)?;
        }
        Ok(())
    }

    fn unsaid(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.done.unsaid.entry(what).or_default() += count;
        }
    }

    fn command(&mut self, name: &'static str, arguments: &[&[u8]]) -> io::Result<()> {
        self.begin(name, arguments.len())?;
        arguments.iter().try_for_each(|argument| self.argument(argument))
    }

    fn begin(&mut self, name: &'static str, arguments: usize) -> io::Result<()> {
        *self.done.commands.entry(name).or_default() += 1;
        self.drain(WRITE_BYTES)?;
        number(&mut self.buffer, b'*', arguments + 1);
        self.argument(name.as_bytes())
    }

    fn argument(&mut self, bytes: &[u8]) -> io::Result<()> {
        bulk(&mut self.buffer, bytes);
        self.drain(WRITE_BYTES)
    }

    /// Hands the buffer on if it holds more than `bytes`.
    fn drain(&mut self, bytes: usize) -> io::Result<()> {
        if self.buffer.len() > bytes {
            self.done.bytes += self.buffer.len() as u64;
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Tail {
    /// Takes what the piece has besides entries.
    fn learn(&mut self, piece: &Stream<'_>) {
        let ours = &mut self.stream;
        ours.last_id = ours.last_id.max(piece.last_id);
        ours.max_deleted_id = ours.max_deleted_id.or(piece.max_deleted_id);
        ours.entries_added = ours.entries_added.or(piece.entries_added);
        if ours.idempotency.is_none() {
            ours.idempotency = piece.idempotency.clone().map(Idempotency::into_owned);
        }
        for group in &piece.groups {
            self.awaited.extend(group.pending.iter().map(|pending| pending.id));
            ours.groups.push(group.clone().into_owned());
        }
    }
}

/// Appends a string as RESP has it.
fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut Vec<u8>, mark: u8, number: usize) {
    out.push(mark);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use keystar_rdb::{Consumer, Json};

    use super::*;

    fn blob(text: &str) -> Blob<'static> {
        Blob::copied(text.as_bytes())
    }

    /// The commands that a record takes, one a line, and what they leave unsaid.
    fn said(
        kind: Kind,
        pieces: &[Value<'_>],
        expires_at: Option<i64>,
    ) -> (Vec<String>, BTreeMap<&'static str, u64>) {
        let mut out = Vec::new();
        let mut commands = Commands::new(&mut out);
        assert!(commands.open(Db(0), b"k", kind).unwrap());
        pieces.iter().for_each(|piece| commands.piece(piece).unwrap());
        commands.close(expires_at.map(UnixMillis)).unwrap();
        let done = commands.finish().unwrap();
        assert_eq!(done.bytes, out.len() as u64);
        let lines = parse(&out);
        assert_eq!(done.commands.values().sum::<u64>(), lines.len() as u64);
        assert_eq!(lines[0], "SELECT 0");
        (lines[1..].to_vec(), done.unsaid)
    }

    /// Reads RESP strictly.
    fn parse(mut bytes: &[u8]) -> Vec<String> {
        fn line(bytes: &mut &[u8], mark: u8) -> usize {
            assert_eq!(bytes[0], mark);
            let end = bytes.iter().position(|byte| *byte == b'\r').unwrap();
            let number = std::str::from_utf8(&bytes[1..end]).unwrap().parse().unwrap();
            assert_eq!(bytes[end + 1], b'\n');
            *bytes = &bytes[end + 2..];
            number
        }
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let count = line(&mut bytes, b'*');
            let arguments = (0..count).map(|_| {
                let length = line(&mut bytes, b'$');
                let argument = bytes[..length].escape_ascii().to_string();
                assert_eq!(&bytes[length..length + 2], b"\r\n");
                bytes = &bytes[length + 2..];
                argument
            });
            lines.push(arguments.collect::<Vec<_>>().join(" "));
        }
        lines
    }

    #[test]
    fn strings_come_in_pieces_and_may_be_empty_or_binary() {
        let text = |bytes: &[u8]| Value::String(Blob::copied(bytes));
        let (lines, _) = said(Kind::String, &[text(b"a\r\n\0\xff"), text(b"b")], Some(5));
        assert_eq!(lines, [r"SET k a\r\n\x00\xff", "APPEND k b", "PEXPIREAT k 5"]);
        assert_eq!(said(Kind::String, &[text(b"")], None).0, ["SET k "]);
    }

    #[test]
    fn collections_are_cut_into_commands_of_a_good_length() {
        let items: Vec<_> = (0..1000).map(|n| blob(&n.to_string())).collect();
        let (lines, _) = said(Kind::List, &[Value::List(items)], None);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("RPUSH k 0 1 2 ") && lines[0].ends_with(" 511"));
        assert!(lines[1].starts_with("RPUSH k 512 ") && lines[1].ends_with(" 999"));
        let big = blob(&"x".repeat(MAX_BYTES));
        let (lines, _) = said(Kind::Set, &[Value::Set(vec![big.clone(), big])], None);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn scores_are_exact() {
        let scores = [1.5, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.1 + 0.2, 5e-324];
        let members = scores.map(|score| Scored::new(blob("m"), score)).to_vec();
        let (lines, _) = said(Kind::SortedSet, &[Value::SortedSet(members)], None);
        assert_eq!(
            lines,
            ["ZADD k 1.5 m -0.0 m inf m -inf m 1e300 m 0.30000000000000004 m 5e-324 m"],
        );
    }

    #[test]
    fn fields_that_expire_together_are_told_together() {
        let field = |name, expires: Option<i64>| {
            Field::new(blob(name), blob("v")).with_expires_at(expires.map(UnixMillis))
        };
        let fields = vec![field("a", Some(9)), field("b", None), field("c", Some(9))];
        let (lines, _) = said(Kind::Hash, &[Value::Hash(fields)], None);
        assert_eq!(lines, ["HSET k a v b v c v", "HPEXPIREAT k 9 FIELDS 2 a c"]);
    }

    #[test]
    fn streams_get_their_groups_after_their_entries() {
        let id = |seq| StreamId::new(7, seq);
        let mut stream = Stream::default();
        stream.entries = vec![
            StreamEntry { id: id(1), fields: vec![(blob("f"), blob("v")), (blob("f"), blob("w"))] },
            StreamEntry { id: id(3), fields: vec![(blob("g"), blob("x"))] },
        ];
        stream.last_id = id(9);
        stream.max_deleted_id = Some(id(2));
        stream.entries_added = Some(3);
        let mut group = Group::new(blob("g"), id(3));
        group.entries_read = Some(3);
        group.consumers = vec![Consumer::new(blob("ann"), UnixMillis(1), None)];
        group.pending = [1, 2, 3]
            .map(|seq| Pending::new(id(seq), UnixMillis(50), 2).with_consumer(blob("ann")))
            .to_vec();
        group.pending.push(Pending::new(id(3), UnixMillis(50), 2));
        stream.groups = vec![group];
        let (lines, unsaid) = said(Kind::Stream, &[Value::Stream(Box::new(stream))], None);
        assert_eq!(
            lines,
            [
                "XADD k 7-1 f v f w",
                "XADD k 7-3 g x",
                "XSETID k 7-9 ENTRIESADDED 3 MAXDELETEDID 7-2",
                "XGROUP CREATE k g 7-3 ENTRIESREAD 3",
                "XGROUP CREATECONSUMER k g ann",
                "XCLAIM k g ann 0 7-1 7-3 TIME 50 RETRYCOUNT 2 FORCE JUSTID",
            ],
        );
        let unsaid: Vec<_> = unsaid.into_iter().collect();
        assert_eq!(
            unsaid,
            [
                ("stream_consumer_times", 1),
                ("stream_pending_of_deleted_entries", 1),
                ("stream_pending_without_consumer", 1),
            ],
        );
    }

    #[test]
    fn a_stream_without_entries_is_made_all_the_same() {
        let (lines, _) = said(Kind::Stream, &[Value::Stream(Box::default())], None);
        assert_eq!(
            lines,
            ["XGROUP CREATE k keystar 0 MKSTREAM", "XGROUP DESTROY k keystar", "XSETID k 0-0"],
        );
    }

    #[test]
    fn documents_are_text_and_other_modules_are_refused() {
        let json = Json::parse(br#"{"a":[1.50,null]}"#).unwrap();
        assert_eq!(
            said(Kind::Json, &[Value::Json(json)], None).0,
            [r#"JSON.SET k $ {"a":[1.50,null]}"#.escape_default().to_string()]
        );
        let mut out = Vec::new();
        let mut commands = Commands::new(&mut out);
        assert!(!commands.open(Db(0), b"k", Kind::Module).unwrap());
        assert!(!commands.open(Db(0), b"k", Kind::Array).unwrap());
        assert!(out.is_empty());
    }

    #[test]
    fn a_database_is_selected_once() {
        let mut out = Vec::new();
        let mut commands = Commands::new(&mut out);
        for db in [0, 3, 3, 0] {
            commands.open(Db(db), b"k", Kind::String).unwrap();
            commands.close(None).unwrap();
        }
        commands.finish().unwrap();
        let lines = parse(&out);
        assert_eq!(lines.iter().filter(|line| line.starts_with("SELECT")).count(), 3);
    }
}
