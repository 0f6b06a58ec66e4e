//! The commands of sorted sets.

use std::collections::HashMap;

use keystar_rdb::Blob;

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, count, float, int, is, range, rest},
    value::{Held, Sorted},
};

/// `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member …`
pub(super) fn add(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let key = arg(args, 1)?;
    let (mut new, mut old, mut greater, mut less, mut adds) = (false, false, false, false, false);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        match word {
            word if is(word, "NX") => new = true,
            word if is(word, "XX") => old = true,
            word if is(word, "GT") => greater = true,
            word if is(word, "LT") => less = true,
            word if is(word, "INCR") => adds = true,
            word if is(word, "CH") => {}
            _ => break,
        }
        at += 1;
    }
    let (scored, odd) = rest(args, at).as_chunks::<2>();
    if scored.is_empty() || !odd.is_empty() {
        return Err(Fault::Syntax);
    }
    if old && keys.sorted(key)?.is_none() {
        return Ok(());
    }
    let sorted = keys.make_sorted(key)?;
    for [score, member] in scored {
        let mut score = float(score)?;
        match sorted.score(member) {
            Some(_) if new => continue,
            None if old => continue,
            Some(before) => {
                if adds {
                    score += before;
                }
                if (greater && score <= before) || (less && score >= before) {
                    continue;
                }
            }
            None => {}
        }
        if score.is_nan() {
            return Err(Fault::Value("the score would be no number"));
        }
        sorted.put(member, score);
    }
    keys.remove_if_empty(key);
    Ok(())
}

/// `ZINCRBY key n member`
pub(super) fn increase(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (by, member) = (float(arg(args, 2)?)?, arg(args, 3)?);
    let sorted = keys.make_sorted(arg(args, 1)?)?;
    let score = sorted.score(member).map_or(by, |score| score + by);
    if score.is_nan() {
        return Err(Fault::Value("the score would be no number"));
    }
    sorted.put(member, score);
    Ok(())
}

fn remove_all<'a>(
    keys: &mut Keyspace,
    key: &[u8],
    members: impl IntoIterator<Item = &'a [u8]>,
) -> Done {
    let Some(sorted) = keys.sorted(key)? else { return Ok(()) };
    for member in members {
        sorted.remove(member);
    }
    keys.remove_if_empty(key);
    Ok(())
}

/// `ZREM key member …`
pub(super) fn remove(keys: &mut Keyspace, args: Args<'_>) -> Done {
    remove_all(keys, arg(args, 1)?, rest(args, 2).iter().copied())
}

/// `ZPOPMIN key [n]`, `ZPOPMAX key [n]`
pub(super) fn pop(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let key = arg(args, 1)?;
    let most = if args.len() > 2 { count(args, 2)? } else { 1 };
    let Some(sorted) = keys.read_sorted(key)? else { return Ok(()) };
    let member = |(member, _): (&Blob<'static>, f64)| member.clone();
    let members: Vec<_> = if is(arg(args, 0)?, "ZPOPMAX") {
        sorted.iter().rev().take(most).map(member).collect()
    } else {
        sorted.iter().take(most).map(member).collect()
    };
    remove_all(keys, key, members.iter().map(|member| &**member))
}

/// How members are chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Text,
}

/// Whether a score lies between two bounds such as `(1.5` and `+inf`.
fn by_score(low: &[u8], high: &[u8]) -> Result<impl Fn(f64) -> bool, Fault> {
    let bound = |text: &[u8]| match text.split_first() {
        Some((b'(', text)) => Ok::<_, Fault>((float(text)?, false)),
        _ => Ok((float(text)?, true)),
    };
    let ((low, with_low), (high, with_high)) = (bound(low)?, bound(high)?);
    Ok(move |score: f64| {
        (score > low || (with_low && score == low))
            && (score < high || (with_high && score == high))
    })
}

/// Whether a member is not before the lower of two bounds such as `[a` and `+`, and whether it is
/// not behind the higher one.
fn by_text<'a>(
    low: &'a [u8],
    high: &'a [u8],
) -> Result<impl Fn(&[u8]) -> (bool, bool) + 'a, Fault> {
    type Bound<'a> = (Option<&'a [u8]>, bool, bool);
    // The text; whether it is within; whether this is above everything.
    let bound = |text: &'a [u8]| -> Result<Bound<'a>, Fault> {
        match text.split_first() {
            Some((b'-', [])) => Ok((None, true, false)),
            Some((b'+', [])) => Ok((None, true, true)),
            Some((b'(', text)) => Ok((Some(text), false, false)),
            Some((b'[', text)) => Ok((Some(text), true, false)),
            _ => Err(Fault::Syntax),
        }
    };
    let ((low, with_low, above), (high, with_high, endless)) = (bound(low)?, bound(high)?);
    Ok(move |member: &[u8]| {
        let after = low.map_or(!above, |low| member > low || (with_low && member == low));
        let before = high.map_or(endless, |high| member < high || (with_high && member == high));
        (after, before)
    })
}

/// The members between two texts. They are meant for sets whose scores are all the same; in others
/// the server finds what its search comes upon, and so do we: from the first member that is not
/// too low to the next one that is too high, or the same from the other end.
fn lexical(
    sorted: &Sorted,
    low: &[u8],
    high: &[u8],
    reversed: bool,
) -> Result<Vec<(Blob<'static>, f64)>, Fault> {
    let sides = by_text(low, high)?;
    let owned = |(member, score): (&Blob<'static>, f64)| (member.clone(), score);
    let reaches = sorted.iter().next_back().is_some_and(|(member, _)| sides(member).0)
        && sorted.iter().next().is_some_and(|(member, _)| sides(member).1);
    Ok(if !reaches {
        Vec::new()
    } else if reversed {
        let found = sorted.iter().rev().skip_while(|(member, _)| !sides(member).1);
        found.take_while(|(member, _)| sides(member).0).map(owned).collect()
    } else {
        let found = sorted.iter().skip_while(|(member, _)| !sides(member).0);
        found.take_while(|(member, _)| sides(member).1).map(owned).collect()
    })
}

/// The members that a range names, from the lowest.
fn within(
    sorted: &Sorted,
    by: By,
    low: &[u8],
    high: &[u8],
) -> Result<Vec<(Blob<'static>, f64)>, Fault> {
    let owned = |(member, score): (&Blob<'static>, f64)| (member.clone(), score);
    Ok(match by {
        By::Rank => {
            let bounds = [low, high];
            let range = range(int(&bounds, 0)?, int(&bounds, 1)?, sorted.len());
            sorted.iter().skip(range.start).take(range.len()).map(owned).collect()
        }
        By::Score => {
            let wanted = by_score(low, high)?;
            sorted.iter().filter(|(_, score)| wanted(*score)).map(owned).collect()
        }
        By::Text => lexical(sorted, low, high, false)?,
    })
}

/// `ZREMRANGEBYRANK key from to`, `ZREMRANGEBYSCORE`, `ZREMRANGEBYLEX`
pub(super) fn remove_range(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, key) = (arg(args, 0)?, arg(args, 1)?);
    let by = if is(name, "ZREMRANGEBYRANK") {
        By::Rank
    } else if is(name, "ZREMRANGEBYSCORE") {
        By::Score
    } else {
        By::Text
    };
    let Some(sorted) = keys.read_sorted(key)? else { return Ok(()) };
    let members = within(sorted, by, arg(args, 2)?, arg(args, 3)?)?;
    remove_all(keys, key, members.iter().map(|(member, _)| &**member))
}

/// `ZRANGESTORE to from low high [BYSCORE|BYLEX] [REV] [LIMIT offset n]`
pub(super) fn store_range(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (mut low, mut high) = (arg(args, 3)?, arg(args, 4)?);
    let (mut by, mut reversed, mut limit, mut at) = (By::Rank, false, None, 5);
    while let Some(word) = args.get(at) {
        if is(word, "BYSCORE") {
            by = By::Score;
        } else if is(word, "BYLEX") {
            by = By::Text;
        } else if is(word, "REV") {
            reversed = true;
        } else if is(word, "LIMIT") {
            limit = Some((int(args, at + 1)?, int(args, at + 2)?));
            at += 2;
        } else {
            return Err(Fault::Syntax);
        }
        at += 1;
    }
    let mut members = match keys.read_sorted(arg(args, 2)?)? {
        None => Vec::new(),
        Some(sorted) if by == By::Rank && reversed => {
            // Ranks count from the other end.
            let bounds = [low, high];
            let range = range(int(&bounds, 0)?, int(&bounds, 1)?, sorted.len());
            let owned = |(member, score): (&Blob<'static>, f64)| (member.clone(), score);
            sorted.iter().rev().skip(range.start).take(range.len()).map(owned).collect()
        }
        Some(sorted) => {
            if reversed {
                std::mem::swap(&mut low, &mut high);
            }
            if by == By::Text {
                lexical(sorted, low, high, reversed)?
            } else {
                let mut members = within(sorted, by, low, high)?;
                if reversed {
                    members.reverse();
                }
                members
            }
        }
    };
    if let Some((offset, most)) = limit {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(members.len());
        members.drain(..offset);
        members.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
    let mut sorted = Sorted::default();
    for (member, score) in members {
        sorted.put(&member, score);
    }
    store(keys, arg(args, 1)?, sorted);
    Ok(())
}

pub(super) fn store(keys: &mut Keyspace, to: &[u8], sorted: Sorted) {
    let held = Held::Sorted(sorted);
    keys.grown += held.cost();
    keys.replace(to, held);
}

/// `ZUNIONSTORE to n key … [WEIGHTS w …] [AGGREGATE SUM|MIN|MAX]`, `ZINTERSTORE`, `ZDIFFSTORE`
pub(super) fn combine(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (name, to, count) = (arg(args, 0)?, arg(args, 1)?, count(args, 2)?);
    let names =
        rest(args, 3).get(..count).filter(|names| !names.is_empty()).ok_or(Fault::Syntax)?;
    let (mut weights, mut how, mut at) = (vec![1.0; count], "SUM", 3 + count);
    while let Some(word) = args.get(at) {
        if is(word, "WEIGHTS") {
            for (nth, weight) in weights.iter_mut().enumerate() {
                *weight = float(arg(args, at + 1 + nth)?)?;
            }
            at += 1 + count;
        } else if is(word, "AGGREGATE") {
            let word = arg(args, at + 1)?;
            let known = ["SUM", "MIN", "MAX", "COUNT"].into_iter().find(|known| is(word, known));
            how = known.ok_or(Fault::Syntax)?;
            at += 2;
        } else {
            return Err(Fault::Syntax);
        }
    }
    let mut inputs: Vec<(Vec<(Blob<'static>, f64)>, f64)> = Vec::with_capacity(count);
    for (key, weight) in names.iter().zip(weights) {
        let members = match keys.get(key).map(|keyed| &keyed.held) {
            None => Vec::new(),
            Some(Held::Sorted(sorted)) => {
                sorted.iter().map(|(member, score)| (member.clone(), score)).collect()
            }
            // A set is a sorted set of scores 1.
            Some(Held::Set(members)) => {
                members.iter().map(|member| (member.clone(), 1.0)).collect()
            }
            Some(other) => return Err(Fault::Type(other.name())),
        };
        inputs.push((members, weight));
    }
    let differs = is(name, "ZDIFFSTORE");
    let intersects = is(name, "ZINTERSTORE");
    if !differs {
        // The server adds up in this order, and sums of fractions depend on it.
        inputs.sort_by_key(|(members, _)| members.len());
    }
    let mut found: HashMap<Blob<'static>, (f64, usize)> = HashMap::new();
    for (nth, (members, weight)) in inputs.iter().enumerate() {
        for (member, score) in members {
            if differs {
                if nth == 0 {
                    found.insert(member.clone(), (*score, 1));
                } else {
                    found.remove(member);
                }
                continue;
            }
            if intersects && nth > 0 && !found.contains_key(member) {
                continue;
            }
            let score = if how == "COUNT" { *weight } else { weight * score };
            let score = if score.is_nan() { 0.0 } else { score };
            match found.get_mut(member) {
                None => {
                    found.insert(member.clone(), (score, 1));
                }
                Some((sum, times)) => {
                    *times += 1;
                    *sum = match how {
                        "MIN" => {
                            if score < *sum {
                                score
                            } else {
                                *sum
                            }
                        }
                        "MAX" => {
                            if score > *sum {
                                score
                            } else {
                                *sum
                            }
                        }
                        _ => *sum + score,
                    };
                    if sum.is_nan() {
                        *sum = 0.0;
                    }
                }
            }
        }
    }
    let mut sorted = Sorted::default();
    for (member, (score, times)) in found {
        if !intersects || times == inputs.len() {
            sorted.put(&member, score);
        }
    }
    store(keys, to, sorted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::value::Score, *};

    #[test]
    fn bounds_are_read_as_the_server_reads_them() {
        let scores = by_score(b"(1", b"+inf").unwrap();
        assert!(!scores(1.0) && scores(1.5) && scores(f64::INFINITY));
        let within = |low: &'static [u8], high: &'static [u8], member: &[u8]| {
            by_text(low, high).map(|sides| sides(member) == (true, true)).unwrap()
        };
        assert!(!within(b"[b", b"(d", b"a") && within(b"[b", b"(d", b"b"));
        assert!(within(b"[b", b"(d", b"cz") && !within(b"[b", b"(d", b"d"));
        assert!(
            within(b"-", b"+", b"") && within(b"-", b"+", b"\xff") && !within(b"+", b"-", b"a")
        );
        // Of scores that differ, as the server does it.
        let mut sorted = Sorted::default();
        for (nth, member) in [b"b", b"z", b"c", b"a"].into_iter().enumerate() {
            sorted.put(member, nth as f64);
        }
        let names = |low: &[u8], high: &[u8], reversed| -> Vec<u8> {
            let found = lexical(&sorted, low, high, reversed).unwrap();
            found.iter().map(|(member, _)| member[0]).collect()
        };
        assert_eq!(names(b"[a", b"[d", false), b"b");
        assert_eq!(names(b"[a", b"[d", true), b"aczb", "nothing is too low from the other end");
        assert_eq!(names(b"[b", b"[d", false), b"", "the last member is too low");
        assert!(by_text(b"a", b"+").is_err());
        assert!(Score(0.0) == Score(-0.0) && Score(0.0) < Score(1.0));
    }
}
