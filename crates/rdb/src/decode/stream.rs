//! Streams: nodes of entries, then what the stream says of itself and its groups.

use std::collections::HashSet;

use crate::blob::Blob;
use crate::cursor::Cursor;
use crate::encoding::Layout;
use crate::error::ErrorKind;
use crate::packed::{Entry, Listpack, Mark, Packed};
use crate::record::UnixMillis;
use crate::stream::{
    Consumer, Group, Idempotency, Pending, Producer, Stream, StreamEntry, StreamId,
};

/// Which generation of the encoding it is; each one adds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Redis 5.
    One,
    /// Redis 7: first id, greatest deleted id, entries added and read.
    Two,
    /// Redis 7.2: when a consumer was last active.
    Three,
    /// Redis 8.6: idempotency.
    Four,
    /// Redis 8.8: entries handed back.
    Five,
}

impl Level {
    pub(crate) const fn of(layout: Layout) -> Self {
        match layout {
            Layout::Stream2 => Self::Two,
            Layout::Stream3 => Self::Three,
            Layout::Stream4 => Self::Four,
            Layout::Stream5 => Self::Five,
            _ => Self::One,
        }
    }
}

pub(super) fn whole<'a>(cursor: &mut Cursor<'a>, level: Level) -> Result<Stream<'a>, ErrorKind> {
    let nodes = cursor.len()?;
    let mut entries = Vec::new();
    let mut last = None;
    for _ in 0..nodes {
        let (base, blob) = node(cursor)?;
        if cursor.limits.strict && last.is_some_and(|last| last >= base) {
            return Err(ErrorKind::Corrupt("order of stream nodes"));
        }
        last = Some(base);
        match blob.borrowed() {
            Some(bytes) => {
                let mut node = Node::open(base, bytes, cursor.limits.strict)?;
                while let Some(entry) = node.next()? {
                    entries.push(entry);
                }
            }
            None => {
                let mut node = Node::open(base, &blob, cursor.limits.strict)?;
                while let Some(entry) = node.next()? {
                    entries.push(entry.into_owned());
                }
            }
        }
    }
    let stream = tail(cursor, level)?;
    if cursor.limits.strict && stream.length != entries.len() as u64 {
        return Err(ErrorKind::Corrupt("stream length"));
    }
    Ok(Stream { entries, ..stream })
}

/// The id of a node, and its listpack.
pub(crate) fn node<'a>(cursor: &mut Cursor<'a>) -> Result<(StreamId, Blob<'a>), ErrorKind> {
    let key = cursor.str()?;
    let mut id = Cursor::new(&key, cursor.limits);
    let base = id.raw_id().ok().filter(|_| id.left() == 0);
    Ok((base.ok_or(ErrorKind::Corrupt("id of a stream node"))?, cursor.packed()?))
}

/// A run of entries in one listpack: the names of the first one's fields, then the entries, each
/// with an id relative to the node's, and without the names where they are the same.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    base: StreamId,
    pack: Listpack<'a>,
    names: Names<'a>,
}

/// The names of a node's fields.
#[derive(Debug, Clone)]
enum Names<'a> {
    Read(Vec<Blob<'a>>),
    Lent(&'a [Blob<'static>]),
}

impl<'a> Names<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Read(names) => names.len(),
            Self::Lent(names) => names.len(),
        }
    }

    fn get(&self, at: usize) -> Option<Blob<'a>> {
        match self {
            Self::Read(names) => names.get(at).cloned(),
            Self::Lent(names) => names.get(at).map(Blob::reborrow),
        }
    }
}

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

const CUT: ErrorKind = ErrorKind::Corrupt("stream entry is cut off");

impl<'a> Node<'a> {
    /// Reads up to the first entry.
    pub(crate) fn open(base: StreamId, bytes: &'a [u8], strict: bool) -> Result<Self, ErrorKind> {
        let mut pack = Listpack::open(bytes, strict)?;
        let (live, deleted, fields) = (pack.int()?, pack.int()?, pack.int()?);
        let mut names = Vec::with_capacity(count(fields)?.min(pack.bound()));
        for _ in 0..fields {
            names.push(text(&mut pack)?);
        }
        if pack.int()? != 0 {
            return Err(ErrorKind::Corrupt("head of a stream node"));
        }
        let this = Self { base, pack, names: Names::Read(names) };
        if strict {
            this.check(live, deleted)?;
        }
        Ok(this)
    }

    /// Goes on where [`Node::mark`] was taken from a node over the same bytes, whose names were
    /// kept with [`Node::into_names`]: the names are not read again for each entry.
    pub(crate) fn resume(
        base: StreamId,
        bytes: &'a [u8],
        names: &'a [Blob<'static>],
        mark: Mark,
    ) -> Self {
        Self { base, pack: Listpack::resume(bytes, mark), names: Names::Lent(names) }
    }

    pub(crate) fn mark(&self) -> Mark {
        self.pack.mark()
    }

    pub(crate) fn into_names(self) -> Vec<Blob<'static>> {
        match self.names {
            Names::Read(names) => names.into_iter().map(Blob::into_owned).collect(),
            Names::Lent(names) => names.to_vec(),
        }
    }

    /// Stands before the next live entry; false if there is none.
    pub(crate) fn has_next(&mut self) -> Result<bool, ErrorKind> {
        while !self.pack.at_end() {
            let before = self.pack.mark();
            if self.pack.int()? & DELETED == 0 {
                self.pack.seek(before);
                return Ok(true);
            }
            self.pack.seek(before);
            self.one()?;
        }
        Ok(false)
    }

    /// The next live entry.
    pub(crate) fn next(&mut self) -> Result<Option<StreamEntry<'a>>, ErrorKind> {
        while !self.pack.at_end() {
            let (flags, entry) = self.one()?;
            if flags & DELETED == 0 {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The next entry, dead or alive, with its flags.
    fn one(&mut self) -> Result<(i64, StreamEntry<'a>), ErrorKind> {
        let flags = self.pack.int()?;
        let ms = self.base.ms.wrapping_add(self.pack.int()?.cast_unsigned());
        let seq = self.base.seq.wrapping_add(self.pack.int()?.cast_unsigned());
        let fields = if flags & SAME_FIELDS != 0 {
            let mut fields = Vec::with_capacity(self.names.len());
            for at in 0..self.names.len() {
                let value = self.pack.next()?.ok_or(CUT)?.into_blob();
                fields.push((self.names.get(at).unwrap_or_default(), value));
            }
            fields
        } else {
            let fields = self.pack.int()?;
            let mut all = Vec::with_capacity(count(fields)?.min(self.pack.bound()));
            for _ in 0..fields {
                all.push((text(&mut self.pack)?, text(&mut self.pack)?));
            }
            all
        };
        // How many listpack entries this one took: for reading backwards.
        self.pack.int()?;
        Ok((flags, StreamEntry { id: StreamId { ms, seq }, fields }))
    }

    /// The counts in the node's head must be true, and no node is without entries.
    fn check(&self, live: i64, deleted: i64) -> Result<(), ErrorKind> {
        let names = self.names.clone();
        let mut walk = Node { base: self.base, pack: self.pack.clone(), names };
        let (mut alive, mut dead) = (0, 0);
        while !walk.pack.at_end() {
            let (flags, _) = walk.one()?;
            if flags & DELETED == 0 { alive += 1 } else { dead += 1 }
        }
        if (alive, dead) == (live, deleted) && alive + dead > 0 {
            Ok(())
        } else {
            Err(ErrorKind::Corrupt("counts of a stream node"))
        }
    }
}

fn count(count: i64) -> Result<usize, ErrorKind> {
    usize::try_from(count).map_err(|_| ErrorKind::Corrupt("count of stream fields"))
}

fn text<'a>(pack: &mut Listpack<'a>) -> Result<Blob<'a>, ErrorKind> {
    pack.next()?.map(Entry::into_blob).ok_or(CUT)
}

/// All of a stream but its nodes.
pub(crate) fn tail<'a>(cursor: &mut Cursor<'a>, level: Level) -> Result<Stream<'a>, ErrorKind> {
    let mut stream =
        Stream { length: cursor.len()?, last_id: cursor.len_id()?, ..Stream::default() };
    if level >= Level::Two {
        stream.first_id = Some(cursor.len_id()?);
        stream.max_deleted_id = Some(cursor.len_id()?);
        stream.entries_added = Some(cursor.len()?);
    }
    let groups = cursor.len()?;
    for _ in 0..groups {
        stream.groups.push(group(cursor, level)?);
    }
    if cursor.limits.strict {
        let names: HashSet<&Blob<'_>> = stream.groups.iter().map(|group| &group.name).collect();
        if names.len() != stream.groups.len() {
            return Err(ErrorKind::Corrupt("duplicate consumer group"));
        }
    }
    if level >= Level::Four {
        stream.idempotency = Some(idempotency(cursor)?);
    }
    Ok(stream)
}

fn group<'a>(cursor: &mut Cursor<'a>, level: Level) -> Result<Group<'a>, ErrorKind> {
    let mut group = Group::new(cursor.str()?, cursor.len_id()?);
    if level >= Level::Two {
        // −1 and −2 say that the server did not know.
        group.entries_read = Some(cursor.len()?).filter(|&read| read < u64::MAX - 1);
    }
    let pending = cursor.len()?;
    group.pending.reserve(cursor.capacity(pending, 25));
    for _ in 0..pending {
        let id = cursor.raw_id()?;
        group.pending.push(Pending::new(id, UnixMillis(cursor.i64()?), cursor.len()?));
    }
    if !group.pending.is_sorted_by_key(|pending| pending.id) {
        group.pending.sort_by_key(|pending| pending.id);
    }
    if group.pending.windows(2).any(|two| matches!(two, [a, b] if a.id == b.id)) {
        return Err(ErrorKind::Corrupt("duplicate pending entry"));
    }
    let consumers = cursor.len()?;
    for _ in 0..consumers {
        let name = cursor.str()?;
        let seen_at = UnixMillis(cursor.i64()?);
        let active_at = if level >= Level::Three {
            Some(UnixMillis(cursor.i64()?)).filter(|at| at.0 != -1)
        } else {
            Some(seen_at)
        };
        let owned = cursor.len()?;
        for _ in 0..owned {
            let id = cursor.raw_id()?;
            let place = group.pending.binary_search_by_key(&id, |pending| pending.id);
            let pending = place.ok().and_then(|at| group.pending.get_mut(at));
            let pending = pending.ok_or(ErrorKind::Corrupt("pending entry that no group has"))?;
            if pending.consumer.is_some() {
                return Err(ErrorKind::Corrupt("pending entry of two consumers"));
            }
            pending.consumer = Some(name.clone());
        }
        group.consumers.push(Consumer::new(name, seen_at, active_at));
    }
    if level >= Level::Five {
        let nacked = cursor.len()?;
        group.nacked.reserve(cursor.capacity(nacked, 16));
        for _ in 0..nacked {
            group.nacked.push(cursor.raw_id()?);
        }
    }
    Ok(group)
}

fn idempotency<'a>(cursor: &mut Cursor<'a>) -> Result<Idempotency<'a>, ErrorKind> {
    let (duration_seconds, max_entries) = (cursor.len()?, cursor.len()?);
    let count = cursor.len()?;
    let mut producers = Vec::with_capacity(cursor.capacity(count, 2));
    for _ in 0..count {
        let id = cursor.str()?;
        let count = cursor.len()?;
        let mut entries = Vec::with_capacity(cursor.capacity(count, 3));
        for _ in 0..count {
            entries.push((cursor.str()?, cursor.len_id()?));
        }
        producers.push(Producer::new(id, entries));
    }
    Ok(Idempotency {
        duration_seconds,
        max_entries,
        producers,
        ids_added: cursor.len()?,
        duplicates: cursor.len()?,
    })
}
