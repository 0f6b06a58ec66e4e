//! Streams, and the commands that change them.

use std::collections::BTreeMap;

use keystar_rdb::{
    Blob, Consumer, Group, Idempotency, Pending, Stream, StreamEntry, StreamId, UnixMillis,
};

use super::keyspace::{Args, Done, Fault, Keyspace, arg, count, int, is, pairs, rest};

/// A stream, by the ids of its entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    entries: BTreeMap<StreamId, Vec<(Blob<'static>, Blob<'static>)>>,
    last_id: StreamId,
    max_deleted_id: StreamId,
    /// `None` until the tail of a stream of the base is there.
    entries_added: Option<u64>,
    groups: BTreeMap<Blob<'static>, Team>,
    idempotency: Option<Idempotency<'static>>,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
struct Team {
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending<'static>>,
    consumers: BTreeMap<Blob<'static>, (UnixMillis, Option<UnixMillis>)>,
    nacked: Vec<StreamId>,
}

impl Log {
    pub(super) fn of(stream: Stream<'static>) -> Self {
        let entry = |entry: StreamEntry<'static>| (entry.id, entry.fields);
        let team = |group: Group<'static>| {
            let consumers = group.consumers.into_iter();
            let team = Team {
                last_id: group.last_id,
                entries_read: group.entries_read,
                pending: group.pending.into_iter().map(|pending| (pending.id, pending)).collect(),
                consumers: consumers
                    .map(|consumer| (consumer.name, (consumer.seen_at, consumer.active_at)))
                    .collect(),
                nacked: group.nacked,
            };
            (group.name, team)
        };
        Self {
            entries: stream.entries.into_iter().map(entry).collect(),
            last_id: stream.last_id,
            max_deleted_id: stream.max_deleted_id.unwrap_or_default(),
            // Before RDB 10 the server takes the length for it.
            entries_added: stream.entries_added.or(Some(stream.length)),
            groups: stream.groups.into_iter().map(team).collect(),
            idempotency: stream.idempotency,
        }
    }

    /// Adds the next piece of a stream; what is not entries is in the last one.
    pub(super) fn extend(&mut self, more: Self) {
        self.entries.extend(more.entries);
        (self.last_id, self.max_deleted_id) = (more.last_id, more.max_deleted_id);
        (self.entries_added, self.groups) = (more.entries_added, more.groups);
        self.idempotency = more.idempotency;
    }

    pub(super) fn into_stream(self) -> Stream<'static> {
        let mut stream = Stream::default();
        stream.length = self.entries.len() as u64;
        stream.first_id = Some(self.entries.keys().next().copied().unwrap_or_default());
        stream.last_id = self.last_id;
        stream.max_deleted_id = Some(self.max_deleted_id);
        stream.entries_added = Some(self.entries_added.unwrap_or_default());
        let entries = self.entries.into_iter();
        stream.entries = entries.map(|(id, fields)| StreamEntry { id, fields }).collect();
        let groups = self.groups.into_iter().map(|(name, team)| {
            let mut group = Group::new(name, team.last_id);
            group.entries_read = team.entries_read;
            group.pending = team.pending.into_values().collect();
            let consumers = team.consumers.into_iter();
            let consumer = |(name, (seen, active))| Consumer::new(name, seen, active);
            group.consumers = consumers.map(consumer).collect();
            group.nacked = team.nacked;
            group
        });
        stream.groups = groups.collect();
        stream.idempotency = self.idempotency;
        stream
    }

    pub(super) fn cost(&self) -> usize {
        let fields = self.entries.values().flatten();
        let fields: usize = fields.map(|(name, value)| name.len() + value.len() + 64).sum();
        let pending: usize = self.groups.values().map(|team| team.pending.len() * 96).sum();
        fields + self.entries.len() * 64 + pending
    }

    fn trim(&mut self, trim: &Trim) {
        let doomed = match trim {
            Trim::Length(length) => self.entries.len().saturating_sub(*length),
            Trim::Before(id) => self.entries.range(..id).count(),
        };
        for _ in 0..doomed {
            self.entries.pop_first();
        }
    }
}

impl Team {
    fn consumer(&mut self, name: &[u8], now: UnixMillis) {
        let (seen, _) = self.consumers.entry(Blob::copied(name)).or_insert((now, None));
        *seen = now.max(*seen);
    }
}

enum Trim {
    Length(usize),
    Before(StreamId),
}

/// `MAXLEN = 3`, `MINID 5-1`, with how many arguments that are.
fn trim(args: Args<'_>) -> Result<Option<(Trim, usize)>, Fault> {
    let Some(word) = args.first() else { return Ok(None) };
    let by_length = is(word, "MAXLEN");
    if !by_length && !is(word, "MINID") {
        return Ok(None);
    }
    let sign = arg(args, 1)?;
    if sign == b"~" {
        return Err(Fault::Unsupported("how much an inexact trim removes is not told"));
    }
    let at = 1 + usize::from(sign == b"=");
    let trim = if by_length {
        Trim::Length(count(args, at)?)
    } else {
        Trim::Before(id(arg(args, at)?, 0)?)
    };
    Ok(Some((trim, at + 1)))
}

/// An id, with the number within the millisecond that is meant where it is missing.
fn id(text: &[u8], seq: u64) -> Result<StreamId, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Syntax)?;
    if let Ok(ms) = text.parse() {
        return Ok(StreamId::new(ms, seq));
    }
    text.parse().map_err(|_| Fault::Syntax)
}

fn unsigned(args: Args<'_>, at: usize) -> Result<u64, Fault> {
    u64::try_from(int(args, at)?).map_err(|_| Fault::Syntax)
}

/// `XADD key [NOMKSTREAM] [MAXLEN|MINID = n] id field value …`
pub(super) fn add(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, mut at, mut cut, mut make) = (arg(args, 1)?, 2, None, true);
    loop {
        if is(arg(args, at)?, "NOMKSTREAM") {
            make = false;
            at += 1;
        } else if let Some((trim, taken)) = trim(rest(args, at))? {
            cut = Some(trim);
            at += taken;
        } else {
            break;
        }
    }
    let id = id(arg(args, at)?, 0)?;
    let fields = pairs(args, at + 1)?;
    let fields = fields.map(|(name, value)| (Blob::copied(name), Blob::copied(value))).collect();
    if !make && keys.log(key)?.is_none() {
        return Ok(());
    }
    let log = keys.make_log(key)?;
    if id <= log.last_id {
        return Err(Fault::Value("the stream has later entries"));
    }
    log.entries.insert(id, fields);
    log.last_id = id;
    log.entries_added = Some(log.entries_added.unwrap_or_default() + 1);
    if let Some(trim) = cut {
        log.trim(&trim);
    }
    Ok(())
}

/// `XDEL key id …`
pub(super) fn delete(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let Some(log) = keys.log(arg(args, 1)?)? else { return Ok(()) };
    for text in rest(args, 2) {
        let id = id(text, 0)?;
        if log.entries.remove(&id).is_some() {
            log.max_deleted_id = log.max_deleted_id.max(id);
        }
    }
    Ok(())
}

/// `XTRIM key MAXLEN|MINID = n`
pub(super) fn cut(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let trim = trim(rest(args, 2))?.filter(|(_, taken)| taken + 2 == args.len());
    let (trim, _) = trim.ok_or(Fault::Syntax)?;
    if let Some(log) = keys.log(arg(args, 1)?)? {
        log.trim(&trim);
    }
    Ok(())
}

/// `XSETID key id [ENTRIESADDED n] [MAXDELETEDID id]`
pub(super) fn set_id(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let last_id = id(arg(args, 2)?, 0)?;
    let log = keys.log(arg(args, 1)?)?.ok_or(Fault::Value("there is no such stream"))?;
    log.last_id = last_id;
    let options = if args.len() > 3 { Some(pairs(args, 3)?) } else { None };
    for (word, value) in options.into_iter().flatten() {
        if is(word, "ENTRIESADDED") {
            log.entries_added = Some(unsigned(&[value], 0)?);
        } else if is(word, "MAXDELETEDID") {
            let id = id(value, 0)?;
            if id != StreamId::default() {
                log.max_deleted_id = id;
            }
        } else {
            return Err(Fault::Syntax);
        }
    }
    Ok(())
}

/// `XGROUP CREATE|SETID|DESTROY|CREATECONSUMER|DELCONSUMER key group …`
pub(super) fn group(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (what, key, name) = (arg(args, 1)?, arg(args, 2)?, arg(args, 3)?);
    let now = UnixMillis(keys.clock.unwrap_or_default());
    let creates = is(what, "CREATE");
    let log = if creates && rest(args, 5).iter().any(|word| is(word, "MKSTREAM")) {
        keys.make_log(key)?
    } else {
        keys.log(key)?.ok_or(Fault::Value("there is no such stream"))?
    };
    if creates || is(what, "SETID") {
        let last_id = match arg(args, 4)? {
            b"$" => log.last_id,
            text => id(text, 0)?,
        };
        let words: Vec<_> =
            rest(args, 5).iter().copied().filter(|word| !is(word, "MKSTREAM")).collect();
        let entries_read = match &*words {
            [] => None,
            [word, value] if is(word, "ENTRIESREAD") => match *value {
                b"-1" => None,
                value => Some(unsigned(&[value], 0)?),
            },
            _ => return Err(Fault::Syntax),
        };
        if creates && log.groups.contains_key(name) {
            return Err(Fault::Value("the group exists already"));
        }
        let team = log.groups.entry(Blob::copied(name)).or_default();
        (team.last_id, team.entries_read) = (last_id, entries_read);
        return Ok(());
    }
    if is(what, "DESTROY") {
        log.groups.remove(name);
        return Ok(());
    }
    let team = log.groups.get_mut(name).ok_or(Fault::Value("there is no such group"))?;
    let consumer = arg(args, 4)?;
    if is(what, "CREATECONSUMER") {
        team.consumer(consumer, now);
    } else if is(what, "DELCONSUMER") {
        team.consumers.remove(consumer);
        team.pending.retain(|_, pending| pending.consumer.as_deref() != Some(consumer));
    } else {
        return Err(Fault::Syntax);
    }
    Ok(())
}

/// `XACK key group id …`
pub(super) fn acknowledge(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let Some(log) = keys.log(arg(args, 1)?)? else { return Ok(()) };
    let Some(team) = log.groups.get_mut(arg(args, 2)?) else { return Ok(()) };
    for text in rest(args, 3) {
        team.pending.remove(&id(text, 0)?);
    }
    Ok(())
}

/// `XCLAIM key group consumer min-idle id … [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]`
pub(super) fn claim(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let clock = keys.clock;
    let log = keys.log(arg(args, 1)?)?.ok_or(Fault::Value("there is no such stream"))?;
    let team = log.groups.get_mut(arg(args, 2)?).ok_or(Fault::Value("there is no such group"))?;
    let consumer = arg(args, 3)?;
    let (mut ids, mut at) = (Vec::new(), 5);
    while let Ok(id) = arg(args, at).and_then(|text| id(text, 0)) {
        ids.push(id);
        at += 1;
    }
    let (mut time, mut retries, mut force, mut just_id) = (clock, None, false, false);
    while let Some(word) = args.get(at) {
        let value = || arg(args, at + 1);
        if is(word, "FORCE") {
            force = true;
        } else if is(word, "JUSTID") {
            just_id = true;
        } else {
            if is(word, "TIME") {
                time = Some(int(args, at + 1)?);
            } else if is(word, "IDLE") {
                time = Some(clock.ok_or(Fault::Relative)?.saturating_sub(int(args, at + 1)?));
            } else if is(word, "RETRYCOUNT") {
                retries = Some(unsigned(args, at + 1)?);
            } else if is(word, "LASTID") {
                team.last_id = team.last_id.max(id(value()?, 0)?);
            } else {
                return Err(Fault::Syntax);
            }
            at += 1;
        }
        at += 1;
    }
    let time = UnixMillis(time.ok_or(Fault::Relative)?);
    team.consumer(consumer, time);
    for id in ids {
        if !log.entries.contains_key(&id) {
            team.pending.remove(&id);
            continue;
        }
        if !force && !team.pending.contains_key(&id) {
            continue;
        }
        let pending = team.pending.entry(id).or_insert(Pending::new(id, time, 0));
        pending.consumer = Some(Blob::copied(consumer));
        pending.delivered_at = time;
        pending.delivery_count = match retries {
            Some(retries) => retries,
            None => pending.delivery_count + u64::from(!just_id),
        };
        if let Some((_, active)) = team.consumers.get_mut(consumer) {
            *active = Some(time.max(active.unwrap_or(time)));
        }
    }
    Ok(())
}
