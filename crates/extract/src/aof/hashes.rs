//! The commands of hashes.

use keystar_rdb::{Blob, UnixMillis};

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, count, int, integer, is, pairs, rest},
    strings::{Expiry, expiry},
    value::Cell,
};

/// `HSET key field value …`, `HMSET`
pub(super) fn set(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let fields = pairs(args, 2)?;
    let hash = keys.make_hash(arg(args, 1)?)?;
    for (name, value) in fields {
        let cell = Cell { value: Blob::copied(value), expires_at: None };
        hash.insert(Blob::copied(name), cell);
    }
    Ok(())
}

/// `HSETNX key field value`
pub(super) fn set_new(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, value) = (arg(args, 2)?, arg(args, 3)?);
    let hash = keys.make_hash(arg(args, 1)?)?;
    let cell = || Cell { value: Blob::copied(value), expires_at: None };
    hash.entry(Blob::copied(name)).or_insert_with(cell);
    Ok(())
}

/// `HDEL key field …`
pub(super) fn delete(keys: &mut Keyspace, args: Args<'_>) -> Done {
    remove(keys, arg(args, 1)?, rest(args, 2))
}

fn remove(keys: &mut Keyspace, key: &[u8], names: Args<'_>) -> Done {
    let Some(hash) = keys.hash(key)? else { return Ok(()) };
    for name in names {
        hash.remove(*name);
    }
    keys.remove_if_empty(key);
    Ok(())
}

/// `HINCRBY key field n`
pub(super) fn increase(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, by) = (arg(args, 2)?, int(args, 3)?);
    let hash = keys.make_hash(arg(args, 1)?)?;
    let new = || Cell { value: Blob::from_i64(0), expires_at: None };
    let cell = hash.entry(Blob::copied(name)).or_insert_with(new);
    let number = integer(&cell.value).ok_or(Fault::Value("the value is no integer"))?;
    let number = number.checked_add(by);
    cell.value = Blob::from_i64(number.ok_or(Fault::Value("the value would be out of range"))?);
    Ok(())
}

/// The names after `FIELDS n`.
fn names<'a>(args: Args<'a>, at: usize) -> Result<Args<'a>, Fault> {
    if !is(arg(args, at)?, "FIELDS") {
        return Err(Fault::Syntax);
    }
    let count = count(args, at + 1)?;
    let names = rest(args, at + 2);
    if names.len() == count { Ok(names) } else { Err(Fault::Syntax) }
}

/// `HPEXPIREAT key milliseconds [NX|XX|GT|LT] FIELDS n field …`, and its relatives
pub(super) fn expire(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, number) = (arg(args, 0)?, int(args, 2)?);
    let when = if is(name, "HPEXPIREAT") {
        UnixMillis(number)
    } else if is(name, "HEXPIREAT") {
        UnixMillis::from_seconds(number)
    } else if is(name, "HPEXPIRE") {
        keys.after(number)?
    } else {
        keys.after(number.saturating_mul(1000))?
    };
    let condition = args.get(3).filter(|word| !is(word, "FIELDS"));
    let names = names(args, 3 + usize::from(condition.is_some()))?;
    let Some(hash) = keys.hash(arg(args, 1)?)? else { return Ok(()) };
    for name in names {
        if let Some(cell) = hash.get_mut(*name)
            && super::generic::allows(condition.copied(), cell.expires_at, when)?
        {
            cell.expires_at = Some(when);
        }
    }
    Ok(())
}

/// `HPERSIST key FIELDS n field …`
pub(super) fn persist(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let names = names(args, 2)?;
    let Some(hash) = keys.hash(arg(args, 1)?)? else { return Ok(()) };
    for name in names {
        if let Some(cell) = hash.get_mut(*name) {
            cell.expires_at = None;
        }
    }
    Ok(())
}

/// `HSETEX key [FNX|FXX] [KEEPTTL|EX|PX|EXAT|PXAT] FIELDS n field value …`
pub(super) fn set_expiring(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, mut at, mut when, mut only) = (arg(args, 1)?, 2, Expiry::Clear, None);
    while !is(arg(args, at)?, "FIELDS") {
        if let Some((found, taken)) = expiry(keys, rest(args, at))? {
            when = found;
            at += taken;
        } else {
            only = match arg(args, at)? {
                word if is(word, "FNX") => Some(false),
                word if is(word, "FXX") => Some(true),
                _ => return Err(Fault::Syntax),
            };
            at += 1;
        }
    }
    let fields: Vec<_> = pairs(args, at + 2)?.collect();
    if fields.len() != count(args, at + 1)? {
        return Err(Fault::Syntax);
    }
    let hash = keys.read_hash(key)?;
    let there = |name: &[u8]| hash.is_some_and(|hash| hash.contains_key(name));
    if only.is_some_and(|wanted| fields.iter().any(|(name, _)| there(name) != wanted)) {
        return Ok(());
    }
    let hash = keys.make_hash(key)?;
    for (name, value) in fields {
        let expires_at = match when {
            Expiry::Keep => hash.get(name).and_then(|cell| cell.expires_at),
            Expiry::Clear => None,
            Expiry::At(moment) => Some(moment),
        };
        hash.insert(Blob::copied(name), Cell { value: Blob::copied(value), expires_at });
    }
    Ok(())
}

/// `HGETEX key [PERSIST|EX|PX|EXAT|PXAT] FIELDS n field …`
pub(super) fn get_expiring(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let Some((when, taken)) = expiry(keys, rest(args, 2))? else { return Ok(()) };
    let names = names(args, 2 + taken)?;
    let Some(hash) = keys.hash(arg(args, 1)?)? else { return Ok(()) };
    for name in names {
        let Some(cell) = hash.get_mut(*name) else { continue };
        match when {
            Expiry::Keep => {}
            Expiry::Clear => cell.expires_at = None,
            Expiry::At(moment) => cell.expires_at = Some(moment),
        }
    }
    Ok(())
}

/// `HGETDEL key FIELDS n field …`
pub(super) fn get_delete(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let names = names(args, 2)?;
    remove(keys, arg(args, 1)?, names)
}
