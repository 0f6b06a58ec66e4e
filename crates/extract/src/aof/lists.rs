//! The commands of lists.

use std::collections::VecDeque;

use keystar_rdb::Blob;

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, count, int, is, place, range, rest},
    value::Held,
};

/// `LPUSH key item …`, `RPUSH`, `LPUSHX`, `RPUSHX`
pub(super) fn push(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, key) = (arg(args, 0)?, arg(args, 1)?);
    if name.len() > 5 && keys.list(key)?.is_none() {
        return Ok(());
    }
    let left = name.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'l'));
    let list = keys.make_list(key)?;
    for item in rest(args, 2) {
        let item = Blob::copied(item);
        if left { list.push_front(item) } else { list.push_back(item) }
    }
    Ok(())
}

/// `LPOP key [n]`, `RPOP key [n]`
pub(super) fn pop(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let key = arg(args, 1)?;
    let left = is(arg(args, 0)?, "LPOP");
    let most = if args.len() > 2 { count(args, 2)? } else { 1 };
    let Some(list) = keys.list(key)? else { return Ok(()) };
    for _ in 0..most.min(list.len()) {
        if left {
            list.pop_front()
        } else {
            list.pop_back()
        };
    }
    keys.remove_if_empty(key);
    Ok(())
}

fn shift(keys: &mut Keyspace, from: &[u8], to: &[u8], from_left: bool, to_left: bool) -> Done {
    if let Some(held) = keys.get(to).map(|keyed| &keyed.held)
        && !matches!(held, Held::List(_))
    {
        return Err(Fault::Type(held.name()));
    }
    let Some(list) = keys.list(from)? else { return Ok(()) };
    let item = if from_left { list.pop_front() } else { list.pop_back() };
    let Some(item) = item else { return Ok(()) };
    let list = keys.make_list(to)?;
    if to_left {
        list.push_front(item)
    } else {
        list.push_back(item)
    }
    keys.remove_if_empty(from);
    Ok(())
}

/// `RPOPLPUSH from to`
pub(super) fn pop_push(keys: &mut Keyspace, args: Args<'_>) -> Done {
    shift(keys, arg(args, 1)?, arg(args, 2)?, false, true)
}

/// `LMOVE from to LEFT|RIGHT LEFT|RIGHT`
pub(super) fn move_item(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let left = |at| match arg(args, at)? {
        word if is(word, "LEFT") => Ok(true),
        word if is(word, "RIGHT") => Ok(false),
        _ => Err(Fault::Syntax),
    };
    shift(keys, arg(args, 1)?, arg(args, 2)?, left(3)?, left(4)?)
}

/// `LINSERT key BEFORE|AFTER pivot item`
pub(super) fn insert(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (pivot, item) = (arg(args, 3)?, arg(args, 4)?);
    let after = usize::from(is(arg(args, 2)?, "AFTER"));
    let Some(list) = keys.list(arg(args, 1)?)? else { return Ok(()) };
    if let Some(at) = list.iter().position(|item| **item == *pivot) {
        list.insert(at + after, Blob::copied(item));
    }
    Ok(())
}

/// `LSET key index item`
pub(super) fn set(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (at, item) = (int(args, 2)?, arg(args, 3)?);
    let list = keys.list(arg(args, 1)?)?.ok_or(Fault::Value("there is no such list"))?;
    let at = usize::try_from(place(at, list.len())).ok();
    let slot = at.and_then(|at| list.get_mut(at));
    *slot.ok_or(Fault::Value("the list is shorter"))? = Blob::copied(item);
    Ok(())
}

/// `LREM key n item`: the first n, the last -n, or all
pub(super) fn remove(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, most, item) = (arg(args, 1)?, int(args, 2)?, arg(args, 3)?);
    let Some(list) = keys.list(key)? else { return Ok(()) };
    let mut left = if most == 0 { u64::MAX } else { most.unsigned_abs() };
    let mut keep = |other: &Blob<'_>| {
        let gone = left > 0 && **other == *item;
        left -= u64::from(gone);
        !gone
    };
    if most < 0 {
        let mut kept: VecDeque<_> = VecDeque::new();
        while let Some(item) = list.pop_back() {
            if keep(&item) {
                kept.push_front(item);
            }
        }
        *list = kept;
    } else {
        list.retain(keep);
    }
    keys.remove_if_empty(key);
    Ok(())
}

/// `LTRIM key from to`
pub(super) fn trim(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let key = arg(args, 1)?;
    let Some(list) = keys.list(key)? else { return Ok(()) };
    let range = range(int(args, 2)?, int(args, 3)?, list.len());
    list.truncate(range.end);
    list.drain(..range.start.min(range.end));
    keys.remove_if_empty(key);
    Ok(())
}
