//! The commands of strings, and of bits in strings.

use keystar_rdb::UnixMillis;

use super::{
    keyspace::{Args, Done, Fault, Keyspace, arg, count, int, integer, is, pairs, rest},
    value::{Held, Keyed},
};

/// The longest string that commands may make, as the server's own limit is by default.
const MOST_BYTES: usize = 512 << 20;

/// What `SET` and its like say of the expiry.
pub(super) enum Expiry {
    Keep,
    Clear,
    At(UnixMillis),
}

/// Reads `PXAT 17`, `KEEPTTL`, `PERSIST` and the like at the front of the arguments, and says how
/// many of them that took.
pub(super) fn expiry(keys: &Keyspace, args: Args<'_>) -> Result<Option<(Expiry, usize)>, Fault> {
    let Some(word) = args.first() else { return Ok(None) };
    let millis = |factor: i64| {
        int(args, 1)?.checked_mul(factor).ok_or(Fault::Value("the expiry is out of range"))
    };
    Ok(Some(if is(word, "KEEPTTL") {
        (Expiry::Keep, 1)
    } else if is(word, "PERSIST") {
        (Expiry::Clear, 1)
    } else if is(word, "PXAT") {
        (Expiry::At(UnixMillis(millis(1)?)), 2)
    } else if is(word, "EXAT") {
        (Expiry::At(UnixMillis(millis(1000)?)), 2)
    } else if is(word, "PX") {
        (Expiry::At(keys.after(millis(1)?)?), 2)
    } else if is(word, "EX") {
        (Expiry::At(keys.after(millis(1000)?)?), 2)
    } else {
        return Ok(None);
    }))
}

fn put(keys: &mut Keyspace, key: &[u8], value: &[u8], expiry: &Expiry) {
    let expires_at = match expiry {
        Expiry::Keep => keys.get(key).and_then(|keyed| keyed.expires_at),
        Expiry::Clear => None,
        Expiry::At(moment) => Some(*moment),
    };
    keys.insert(key, Keyed { expires_at, ..Keyed::new(Held::Text(value.to_vec())) });
}

/// `SET key value [NX|XX] [GET] [KEEPTTL|EX|PX|EXAT|PXAT]`
pub(super) fn set(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, value) = (arg(args, 1)?, arg(args, 2)?);
    let (mut when, mut at) = (Expiry::Clear, 3);
    while let Some(word) = args.get(at) {
        if let Some((found, taken)) = expiry(keys, rest(args, at))? {
            when = found;
            at += taken;
            continue;
        }
        let there = keys.get(key).is_some();
        if (is(word, "NX") && there) || (is(word, "XX") && !there) {
            return Ok(());
        }
        if !["NX", "XX", "GET"].iter().any(|known| is(word, known)) {
            return Err(Fault::Syntax);
        }
        at += 1;
    }
    put(keys, key, value, &when);
    Ok(())
}

/// `SETNX key value`
pub(super) fn set_new(keys: &mut Keyspace, args: Args<'_>) -> Done {
    if keys.get(arg(args, 1)?).is_none() {
        put(keys, arg(args, 1)?, arg(args, 2)?, &Expiry::Clear);
    }
    Ok(())
}

/// `GETSET key value`
pub(super) fn get_set(keys: &mut Keyspace, args: Args<'_>) -> Done {
    put(keys, arg(args, 1)?, arg(args, 2)?, &Expiry::Clear);
    Ok(())
}

/// `SETEX key seconds value`, `PSETEX key milliseconds value`
pub(super) fn set_expiring(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let factor = if is(arg(args, 0)?, "SETEX") { 1000 } else { 1 };
    let when = keys.after(int(args, 2)?.saturating_mul(factor))?;
    put(keys, arg(args, 1)?, arg(args, 3)?, &Expiry::At(when));
    Ok(())
}

/// `MSET key value …`, `MSETNX key value …`
pub(super) fn set_many(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let only_new = is(arg(args, 0)?, "MSETNX");
    if only_new && pairs(args, 1)?.any(|(key, _)| keys.get(key).is_some()) {
        return Ok(());
    }
    for (key, value) in pairs(args, 1)? {
        put(keys, key, value, &Expiry::Clear);
    }
    Ok(())
}

/// `GETEX key [PERSIST|EX|PX|EXAT|PXAT]`
pub(super) fn get_expiring(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let Some((when, _)) = expiry(keys, rest(args, 2))? else { return Ok(()) };
    if let Some(keyed) = keys.get_mut(arg(args, 1)?) {
        match when {
            Expiry::Keep => {}
            Expiry::Clear => keyed.expires_at = None,
            Expiry::At(moment) => keyed.expires_at = Some(moment),
        }
    }
    Ok(())
}

/// `APPEND key value`
pub(super) fn append(keys: &mut Keyspace, args: Args<'_>) -> Done {
    keys.make_text(arg(args, 1)?)?.extend_from_slice(arg(args, 2)?);
    Ok(())
}

/// Makes the string at least that long; says by how many bytes.
fn lengthen(text: &mut Vec<u8>, bytes: usize, most: usize) -> Result<usize, Fault> {
    let more = bytes.saturating_sub(text.len());
    if bytes > most.min(MOST_BYTES) {
        return Err(Fault::Value("the string would be longer than 512 MiB, or than the memory"));
    }
    text.resize(text.len() + more, 0);
    Ok(more)
}

/// `SETRANGE key offset value`
pub(super) fn set_range(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, offset, value) = (arg(args, 1)?, count(args, 2)?, arg(args, 3)?);
    if value.is_empty() {
        return Ok(());
    }
    let most = keys.longest;
    let text = keys.make_text(key)?;
    let more = lengthen(text, offset.saturating_add(value.len()), most)?;
    for (to, from) in text.iter_mut().skip(offset).zip(value) {
        *to = *from;
    }
    keys.grown += more;
    Ok(())
}

/// `INCR key`, `DECR key`, `INCRBY key n`, `DECRBY key n`
pub(super) fn increase(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let name = arg(args, 0)?;
    let by = if args.len() > 2 { int(args, 2)? } else { 1 };
    let key = arg(args, 1)?;
    let number = match keys.text(key)? {
        Some(text) => integer(text).ok_or(Fault::Value("the value is no integer"))?,
        None => 0,
    };
    let by = if is(name, "DECR") || is(name, "DECRBY") { by.checked_neg() } else { Some(by) };
    let number = by.and_then(|by| number.checked_add(by));
    let number = number.ok_or(Fault::Value("the value would be out of range"))?;
    *keys.make_text(key)? = number.to_string().into_bytes();
    Ok(())
}

/// `SETBIT key offset 0|1`
pub(super) fn set_bit(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (key, offset, bit) = (arg(args, 1)?, count(args, 2)?, count(args, 3)?);
    let most = keys.longest;
    let text = keys.make_text(key)?;
    let more = lengthen(text, offset / 8 + 1, most)?;
    write_bits(text, offset, 1, bit as u64);
    keys.grown += more;
    Ok(())
}

fn read_bits(text: &[u8], offset: usize, bits: usize) -> u64 {
    (offset..offset + bits).fold(0, |word, at| {
        let byte = text.get(at / 8).copied().unwrap_or_default();
        word << 1 | u64::from(byte >> (7 - at % 8) & 1)
    })
}

fn write_bits(text: &mut [u8], offset: usize, bits: usize, word: u64) {
    for (nth, at) in (offset..offset + bits).enumerate() {
        let Some(byte) = text.get_mut(at / 8) else { return };
        let mask = 1 << (7 - at % 8);
        if word >> (bits - 1 - nth) & 1 == 1 { *byte |= mask } else { *byte &= !mask }
    }
}

/// `BITFIELD key [GET type offset] [SET type offset value] [INCRBY type offset n] [OVERFLOW how]`
pub(super) fn bit_field(keys: &mut Keyspace, args: Args<'_>) -> Done {
    #[derive(Clone, Copy)]
    enum Overflow {
        Wrap,
        Saturate,
        Fail,
    }
    let mut writes = Vec::new();
    let (mut at, mut overflow) = (2, Overflow::Wrap);
    while let Some(word) = args.get(at) {
        if is(word, "OVERFLOW") {
            let how = arg(args, at + 1)?;
            overflow = if is(how, "WRAP") {
                Overflow::Wrap
            } else if is(how, "SAT") {
                Overflow::Saturate
            } else if is(how, "FAIL") {
                Overflow::Fail
            } else {
                return Err(Fault::Syntax);
            };
            at += 2;
            continue;
        }
        let (signed, bits) = match arg(args, at + 1)?.split_first() {
            Some((b'i' | b'I', digits)) => (true, digits),
            Some((b'u' | b'U', digits)) => (false, digits),
            _ => return Err(Fault::Syntax),
        };
        let bits = integer(bits).and_then(|bits| usize::try_from(bits).ok());
        let bits = bits.filter(|bits| (1..=64).contains(bits)).ok_or(Fault::Syntax)?;
        let place = arg(args, at + 2)?;
        let (place, unit) = place.strip_prefix(b"#").map_or((place, 1), |place| (place, bits));
        let place = integer(place).and_then(|place| usize::try_from(place).ok());
        let place = place.and_then(|place| place.checked_mul(unit)).ok_or(Fault::Syntax)?;
        if place / 8 >= MOST_BYTES {
            return Err(Fault::Syntax);
        }
        if is(word, "GET") {
            at += 3;
            continue;
        }
        let sets = is(word, "SET");
        if !sets && !is(word, "INCRBY") {
            return Err(Fault::Syntax);
        }
        writes.push((sets, signed, bits, place, int(args, at + 3)?, overflow));
        at += 4;
    }
    let Some(bytes) = writes.iter().map(|(_, _, bits, place, ..)| (place + bits).div_ceil(8)).max()
    else {
        return Ok(());
    };
    let most = keys.longest;
    let text = keys.make_text(arg(args, 1)?)?;
    let more = lengthen(text, bytes, most)?;
    for (sets, signed, bits, place, number, overflow) in writes {
        let modulus = 1_i128 << bits;
        let fold = |number: i128| match number.rem_euclid(modulus) {
            number if signed && number >= modulus / 2 => number - modulus,
            number => number,
        };
        let wanted = match (sets, signed) {
            (true, true) => i128::from(number),
            // The server takes the number's bits for an unsigned one.
            (true, false) => i128::from(number as u64),
            (false, _) => fold(i128::from(read_bits(text, place, bits))) + i128::from(number),
        };
        let (low, high) = if signed { (-modulus / 2, modulus / 2 - 1) } else { (0, modulus - 1) };
        let number = match overflow {
            _ if (low..=high).contains(&wanted) => wanted,
            Overflow::Wrap => fold(wanted),
            Overflow::Saturate => wanted.clamp(low, high),
            Overflow::Fail => continue,
        };
        write_bits(text, place, bits, number as u64);
    }
    keys.grown += more;
    Ok(())
}

/// `BITOP AND|OR|XOR|NOT|DIFF|DIFF1|ANDOR|ONE to from …`
pub(super) fn bit_operation(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let (what, to) = (arg(args, 1)?, arg(args, 2)?);
    let mut texts = Vec::new();
    for key in rest(args, 3) {
        texts.push(keys.read_text(key)?.map(Vec::as_slice).unwrap_or_default());
    }
    let (first, others) = texts.split_first().ok_or(Fault::Syntax)?;
    let length = texts.iter().map(|text| text.len()).max().unwrap_or_default();
    let at = |text: &[u8], at: usize| text.get(at).copied().unwrap_or_default();
    let any = |place: usize| others.iter().fold(0, |byte, text| byte | at(text, place));
    let combine: &dyn Fn(usize) -> u8 = if is(what, "AND") {
        &|place| texts.iter().fold(u8::MAX, |byte, text| byte & at(text, place))
    } else if is(what, "OR") {
        &|place| at(first, place) | any(place)
    } else if is(what, "XOR") {
        &|place| texts.iter().fold(0, |byte, text| byte ^ at(text, place))
    } else if is(what, "NOT") {
        &|place| !at(first, place)
    } else if is(what, "DIFF") {
        &|place| at(first, place) & !any(place)
    } else if is(what, "DIFF1") {
        &|place| !at(first, place) & any(place)
    } else if is(what, "ANDOR") {
        &|place| at(first, place) & any(place)
    } else if is(what, "ONE") {
        &|place| {
            let bytes = texts.iter().map(|text| at(text, place));
            let (one, more) =
                bytes.fold((0, 0), |(one, more), byte| (one | byte, more | one & byte));
            one & !more
        }
    } else {
        return Err(Fault::Syntax);
    };
    let text: Vec<u8> = (0..length).map(combine).collect();
    keys.grown += length;
    if length == 0 {
        keys.remove(to);
    } else {
        keys.replace(to, Held::Text(text));
    }
    Ok(())
}
