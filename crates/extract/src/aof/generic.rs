//! The commands of keys of any type.

use keystar_rdb::{Blob, UnixMillis, Usage, decode_dump};

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, count, database, float, int, is, range, rest},
    value::{Held, Keyed, Score},
};

/// `DEL key …`, `UNLINK key …`, `GETDEL key`
pub(super) fn delete(keys: &mut Keyspace, args: Args<'_>) -> Done {
    for key in rest(args, 1) {
        keys.remove(key);
    }
    Ok(())
}

/// Whether `NX`, `XX`, `GT` or `LT` lets an expiry be set.
pub(super) fn allows(
    condition: Option<&[u8]>,
    now: Option<UnixMillis>,
    new: UnixMillis,
) -> Result<bool, Fault> {
    let Some(word) = condition else { return Ok(true) };
    Ok(if is(word, "NX") {
        now.is_none()
    } else if is(word, "XX") {
        now.is_some()
    } else if is(word, "GT") {
        now.is_some_and(|now| new > now)
    } else if is(word, "LT") {
        now.is_none_or(|now| new < now)
    } else {
        return Err(Fault::Syntax);
    })
}

/// `PEXPIREAT key milliseconds [NX|XX|GT|LT]…`, `EXPIREAT`, `PEXPIRE`, `EXPIRE`
pub(super) fn expire(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, key, number) = (arg(args, 0)?, arg(args, 1)?, int(args, 2)?);
    let when = if is(name, "PEXPIREAT") {
        UnixMillis(number)
    } else if is(name, "EXPIREAT") {
        UnixMillis::from_seconds(number)
    } else if is(name, "PEXPIRE") {
        keys.after(number)?
    } else {
        keys.after(number.saturating_mul(1000))?
    };
    let Some(keyed) = keys.get_mut(key) else { return Ok(()) };
    for condition in rest(args, 3) {
        if !allows(Some(condition), keyed.expires_at, when)? {
            return Ok(());
        }
    }
    keyed.expires_at = Some(when);
    Ok(())
}

/// `PERSIST key`
pub(super) fn persist(keys: &mut Keyspace, args: Args<'_>) -> Done {
    if let Some(keyed) = keys.get_mut(arg(args, 1)?) {
        keyed.expires_at = None;
    }
    Ok(())
}

/// `RENAME from to`, `RENAMENX from to`
pub(super) fn rename(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (from, to) = (arg(args, 1)?, arg(args, 2)?);
    if is(arg(args, 0)?, "RENAMENX") && keys.get(to).is_some() {
        return Ok(());
    }
    if let Some(keyed) = keys.remove(from) {
        keys.insert(to, keyed);
    }
    Ok(())
}

/// `COPY from to [DB n] [REPLACE]`
pub(super) fn copy(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (from, to) = (arg(args, 1)?, arg(args, 2)?);
    let (mut db, mut replace, mut at) = (keys.selected, false, 3);
    while let Some(word) = args.get(at) {
        if is(word, "REPLACE") {
            replace = true;
            at += 1;
        } else if is(word, "DB") {
            db = database(args, at + 1)?;
            at += 2;
        } else {
            return Err(Fault::Syntax);
        }
    }
    let Some(keyed) = keys.get(from).cloned() else { return Ok(()) };
    keys.grown += keyed.held.cost();
    keys.within(db, |keys| {
        if replace || keys.get(to).is_none() {
            keys.insert(to, keyed);
        }
    });
    Ok(())
}

/// `MOVE key db`
pub(super) fn move_key(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, db) = (arg(args, 1)?, database(args, 2)?);
    if keys.within(db, |keys| keys.get(key).is_some()) {
        return Ok(());
    }
    if let Some(keyed) = keys.remove(key) {
        keys.within(db, |keys| keys.insert(key, keyed));
    }
    Ok(())
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]`, `RESTORE-ASKING`
pub(super) fn restore(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, ttl, payload) = (arg(args, 1)?, int(args, 2)?, arg(args, 3)?);
    let (mut replace, mut absolute, mut usage, mut at) = (false, false, Usage::Unknown, 4);
    while let Some(word) = args.get(at) {
        if is(word, "REPLACE") {
            replace = true;
        } else if is(word, "ABSTTL") {
            absolute = true;
        } else if is(word, "IDLETIME") {
            at += 1;
            usage = Usage::Idle(count(args, at)? as u64);
        } else if is(word, "FREQ") {
            at += 1;
            usage = Usage::Frequency(count(args, at)? as u8);
        } else {
            return Err(Fault::Syntax);
        }
        at += 1;
    }
    if !replace && keys.get(key).is_some() {
        return Err(Fault::Value("the key exists already"));
    }
    let expires_at = match (ttl, absolute) {
        (0, _) => None,
        (ttl, true) => Some(UnixMillis(ttl)),
        (ttl, false) => Some(keys.after(ttl)?),
    };
    let value = decode_dump(payload).map_err(|_| Fault::Value("its payload cannot be read"))?;
    let held = Held::of(value.into_owned());
    keys.grown += held.cost();
    keys.insert(key, Keyed { held, expires_at, usage });
    Ok(())
}

/// `FLUSHDB`
pub(super) fn flush(keys: &mut Keyspace, _: Args<'_>) -> Done {
    keys.flush();
    Ok(())
}

/// `FLUSHALL`
pub(super) fn flush_all(keys: &mut Keyspace, _: Args<'_>) -> Done {
    keys.flush_all();
    Ok(())
}

/// `SWAPDB one other`
pub(super) fn swap(keys: &mut Keyspace, args: Args<'_>) -> Done {
    keys.names.swap(database(args, 1)?, database(args, 2)?);
    Ok(())
}

/// `SORT key [BY nosort] [LIMIT offset n] [ASC|DESC] [ALPHA] STORE to`
pub(super) fn sort(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (mut to, mut limit, mut descending, mut alphabetic, mut in_order) =
        (None, None, false, false, false);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        if is(word, "DESC") || is(word, "ASC") {
            descending = is(word, "DESC");
        } else if is(word, "ALPHA") {
            alphabetic = true;
        } else if is(word, "LIMIT") {
            limit = Some((int(args, at + 1)?, int(args, at + 2)?));
            at += 2;
        } else if is(word, "STORE") {
            at += 1;
            to = Some(arg(args, at)?);
        } else if is(word, "BY") && !arg(args, at + 1)?.contains(&b'*') {
            at += 1;
            in_order = true;
        } else if is(word, "BY") || is(word, "GET") {
            return Err(Fault::Unsupported("which keys its patterns name depends on the data"));
        } else {
            return Err(Fault::Syntax);
        }
        at += 1;
    }
    let to = to.ok_or(Fault::Syntax)?;
    let mut items: Vec<Blob<'static>> = match keys.get(arg(args, 1)?).map(|keyed| &keyed.held) {
        None => Vec::new(),
        Some(Held::List(items)) => items.iter().cloned().collect(),
        Some(Held::Set(members)) => {
            // So that what is stored does not depend on how the set lies in memory.
            alphabetic |= in_order;
            in_order = false;
            members.iter().cloned().collect()
        }
        Some(Held::Sorted(sorted)) => sorted.iter().map(|(member, _)| member.clone()).collect(),
        Some(other) => return Err(Fault::Type(other.name())),
    };
    if in_order {
        let is_sorted =
            matches!(keys.get(arg(args, 1)?), Some(keyed) if matches!(keyed.held, Held::Sorted(_)));
        if descending && is_sorted {
            items.reverse();
        }
    } else if alphabetic {
        items.sort_unstable();
    } else {
        let mut scored = Vec::with_capacity(items.len());
        for item in items {
            let score = float(&item).map_err(|_| Fault::Value("an item is no number"))?;
            scored.push((Score(score), item));
        }
        scored.sort_unstable();
        items = scored.into_iter().map(|(_, item)| item).collect();
    }
    if !in_order && descending {
        items.reverse();
    }
    if let Some((offset, most)) = limit {
        let offset = offset.max(0);
        let last = if most < 0 { i64::MAX } else { offset.saturating_add(most) - 1 };
        let range = range(offset, last, items.len());
        items =
            if last < offset { Vec::new() } else { items.get(range).unwrap_or_default().to_vec() };
    }
    let held = Held::List(items.into());
    keys.grown += held.cost();
    keys.replace(to, held);
    Ok(())
}
