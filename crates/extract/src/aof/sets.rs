//! The commands of sets.

use std::collections::HashSet;

use keystar_rdb::Blob;

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, is, rest},
    value::Held,
};

/// `SADD key member …`
pub(super) fn add(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let set = keys.make_set(arg(args, 1)?)?;
    set.extend(rest(args, 2).iter().map(|member| Blob::copied(member)));
    Ok(())
}

/// `SREM key member …`
pub(super) fn remove(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let key = arg(args, 1)?;
    let Some(set) = keys.set(key)? else { return Ok(()) };
    for member in rest(args, 2) {
        set.remove(*member);
    }
    keys.remove_if_empty(key);
    Ok(())
}

/// `SMOVE from to member`
pub(super) fn move_member(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (from, to, member) = (arg(args, 1)?, arg(args, 2)?, arg(args, 3)?);
    if let Some(held) = keys.get(to).map(|keyed| &keyed.held)
        && !matches!(held, Held::Set(_))
    {
        return Err(Fault::Type(held.name()));
    }
    let Some(set) = keys.set(from)? else { return Ok(()) };
    if set.remove(member) {
        keys.make_set(to)?.insert(Blob::copied(member));
        keys.remove_if_empty(from);
    }
    Ok(())
}

/// `SINTERSTORE to from …`, `SUNIONSTORE`, `SDIFFSTORE`
pub(super) fn combine(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, to) = (arg(args, 0)?, arg(args, 1)?);
    let empty = HashSet::new();
    let mut sets = Vec::new();
    for key in rest(args, 2) {
        sets.push(keys.read_set(key)?.unwrap_or(&empty));
    }
    let (first, others) = sets.split_first().ok_or(Fault::Syntax)?;
    let members: HashSet<_> = if is(name, "SUNIONSTORE") {
        sets.iter().flat_map(|set| set.iter()).cloned().collect()
    } else {
        let common = is(name, "SINTERSTORE");
        let kept = first.iter().filter(|member| {
            if common {
                others.iter().all(|set| set.contains(*member))
            } else {
                !others.iter().any(|set| set.contains(*member))
            }
        });
        kept.cloned().collect()
    };
    let held = Held::Set(members);
    keys.grown += held.cost();
    keys.replace(to, held);
    Ok(())
}
