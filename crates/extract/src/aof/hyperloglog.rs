//! HyperLogLogs as the server keeps them in strings: 16384 registers, run by run or packed.
//!
//! The bytes become those of the server, but for its note of the last count, which is marked as
//! out of date instead.

use super::keyspace::{Args, Done, Fault, Keyspace, arg, rest};

const DAMAGED: Fault = Fault::Value("the HyperLogLog is damaged");
const HEADER: usize = 16;
const REGISTERS: usize = 1 << 14;
const PACKED: usize = HEADER + REGISTERS * 6 / 8;
/// The server's `hll-sparse-max-bytes`, unless it is configured otherwise.
const MOST_RUNS: usize = 3000;
/// The highest value that a run can have.
const MOST_IN_RUN: u8 = 32;

/// What a byte or two of the sparse form say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Zeros(usize),
    ManyZeros(usize),
    Values(u8, usize),
}

impl Run {
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        Some(match first >> 6 {
            0 => Self::Zeros(usize::from(first & 0x3f) + 1),
            1 => {
                let second = *bytes.get(1)?;
                Self::ManyZeros((usize::from(first & 0x3f) << 8 | usize::from(second)) + 1)
            }
            _ => Self::Values((first >> 2 & 0x1f) + 1, usize::from(first & 3) + 1),
        })
    }

    fn zeros(length: usize) -> Self {
        if length > 64 { Self::ManyZeros(length) } else { Self::Zeros(length) }
    }

    fn length(self) -> usize {
        match self {
            Self::Zeros(length) | Self::ManyZeros(length) | Self::Values(_, length) => length,
        }
    }

    fn value(self) -> u8 {
        match self {
            Self::Values(value, _) => value,
            _ => 0,
        }
    }

    fn bytes(self) -> usize {
        1 + usize::from(matches!(self, Self::ManyZeros(_)))
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Zeros(length) => out.push((length - 1) as u8),
            Self::ManyZeros(length) => {
                out.extend([0x40 | ((length - 1) >> 8) as u8, (length - 1) as u8])
            }
            Self::Values(value, length) => out.push(0x80 | (value - 1) << 2 | (length - 1) as u8),
        }
    }

    /// The same value over another length; `None` for none.
    fn with_length(self, length: usize) -> Option<Self> {
        (length > 0).then_some(match self {
            Self::Values(value, _) => Self::Values(value, length),
            _ => Self::zeros(length),
        })
    }
}

fn new() -> Vec<u8> {
    let mut text = b"HYLL\x01".to_vec();
    text.resize(HEADER, 0);
    Run::ManyZeros(REGISTERS).put(&mut text);
    text
}

fn is_packed(text: &[u8]) -> Result<bool, Fault> {
    const NONE: Fault = Fault::Value("the string is no HyperLogLog");
    match (text.strip_prefix(b"HYLL"), text.get(4)) {
        (Some(_), Some(0)) if text.len() == PACKED => Ok(true),
        (Some(_), Some(1)) if text.len() >= HEADER => Ok(false),
        _ => Err(NONE),
    }
}

/// The values of all registers.
fn registers(text: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut found = Vec::with_capacity(REGISTERS);
    let mut body = text.get(HEADER..).unwrap_or_default();
    if is_packed(text)? {
        for three in body.chunks_exact(3) {
            let [a, b, c] = *three else { continue };
            let word = u32::from_le_bytes([a, b, c, 0]);
            found.extend([0, 6, 12, 18].map(|shift| (word >> shift & 0x3f) as u8));
        }
        return Ok(found);
    }
    while let Some(run) = Run::read(body) {
        if found.len() + run.length() > REGISTERS {
            break;
        }
        found.resize(found.len() + run.length(), run.value());
        body = body.get(run.bytes()..).unwrap_or_default();
    }
    if found.len() == REGISTERS && body.is_empty() { Ok(found) } else { Err(DAMAGED) }
}

fn pack(text: &mut Vec<u8>) -> Done {
    if is_packed(text)? {
        return Ok(());
    }
    let registers = registers(text)?;
    text.truncate(HEADER);
    if let Some(encoding) = text.get_mut(4) {
        *encoding = 0;
    }
    for four in registers.as_chunks::<4>().0 {
        let word = four.iter().rev().fold(0_u32, |word, value| word << 6 | u32::from(*value));
        let [a, b, c, _] = word.to_le_bytes();
        text.extend([a, b, c]);
    }
    Ok(())
}

/// Raises a register to at least this value; whether that changed it.
fn raise(text: &mut Vec<u8>, register: usize, value: u8) -> Result<bool, Fault> {
    if is_packed(text)? {
        return Ok(raise_packed(text, register, value));
    }
    let (mut at, mut before, mut first) = (HEADER, HEADER, 0);
    let run = loop {
        let run = text.get(at..).and_then(Run::read).ok_or(DAMAGED)?;
        if register < first + run.length() {
            break run;
        }
        first += run.length();
        before = at;
        at += run.bytes();
        if first >= REGISTERS {
            return Err(DAMAGED);
        }
    };
    if run.value() >= value {
        return Ok(false);
    }
    let too_long = |more: usize| text.len() + more > MOST_RUNS;
    let mut runs = Vec::with_capacity(5);
    let parts = [
        run.with_length(register - first),
        Some(Run::Values(value, 1)),
        run.with_length(first + run.length() - 1 - register),
    ];
    for part in parts.into_iter().flatten() {
        part.put(&mut runs);
    }
    let more = runs.len().saturating_sub(run.bytes());
    if value > MOST_IN_RUN || (more > 0 && too_long(more)) {
        pack(text)?;
        return Ok(raise_packed(text, register, value));
    }
    text.splice(at..at + run.bytes(), runs);
    join(text, before);
    Ok(true)
}

/// Joins runs of one value, looking at as many from there on as the server does.
fn join(text: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = text.get(at..).and_then(Run::read) else { return };
        let Run::Values(value, length) = run else {
            at += run.bytes();
            continue;
        };
        match text.get(at + 1..).and_then(Run::read) {
            Some(Run::Values(other, more)) if other == value && length + more <= 4 => {
                let mut joined = Vec::with_capacity(1);
                Run::Values(value, length + more).put(&mut joined);
                text.splice(at..at + 2, joined);
            }
            _ => at += 1,
        }
    }
}

fn raise_packed(text: &mut [u8], register: usize, value: u8) -> bool {
    let bit = register * 6;
    let start = HEADER + bit / 8;
    let shift = bit % 8;
    let low = text.get(start).copied().unwrap_or_default();
    let high = text.get(start + 1).copied().unwrap_or_default();
    let word = u16::from_le_bytes([low, high]);
    if (word >> shift & 0x3f) as u8 >= value {
        return false;
    }
    let word = word & !(0x3f << shift) | u16::from(value) << shift;
    for (byte, new) in text.iter_mut().skip(start).zip(word.to_le_bytes()) {
        *byte = new;
    }
    true
}

fn out_of_date(text: &mut [u8]) {
    if let Some(byte) = text.get_mut(HEADER - 1) {
        *byte |= 0x80;
    }
}

/// The register of an element, and the value that it raises it to.
fn register(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let zeros = (hash >> 14 | 1 << 50).trailing_zeros() as u8;
    ((hash & (REGISTERS as u64 - 1)) as usize, zeros + 1)
}

/// MurmurHash64A with the server's seed.
fn murmur(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    const SEED: u64 = 0xadc8_3b19;
    let mix = |word: u64| {
        let word = word.wrapping_mul(FACTOR);
        (word ^ word >> 47).wrapping_mul(FACTOR)
    };
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mix(u64::from_le_bytes(*word))).wrapping_mul(FACTOR);
    }
    if !tail.is_empty() {
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(FACTOR);
    hash ^ hash >> 47
}

/// `PFADD key element …`
pub(super) fn add(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let key = arg(args, 1)?;
    let mut changed = false;
    if keys.read_text(key)?.is_none() {
        *keys.make_text(key)? = new();
        changed = true;
    }
    let text = keys.make_text(key)?;
    is_packed(text)?;
    for element in rest(args, 2) {
        let (register, value) = register(element);
        changed |= raise(text, register, value)?;
    }
    if changed {
        out_of_date(text);
    }
    Ok(())
}

/// `PFMERGE to from …`
pub(super) fn merge(keys: &mut Keyspace, args: Args<'_>) -> Done {
    let mut highest = vec![0_u8; REGISTERS];
    let mut packed = false;
    for key in rest(args, 1) {
        let Some(text) = keys.read_text(key)? else { continue };
        packed |= is_packed(text)?;
        for (highest, value) in highest.iter_mut().zip(registers(text)?) {
            *highest = value.max(*highest);
        }
    }
    let key = arg(args, 1)?;
    if keys.read_text(key)?.is_none() {
        *keys.make_text(key)? = new();
    }
    let text = keys.make_text(key)?;
    if packed {
        pack(text)?;
    }
    for (register, value) in highest.into_iter().enumerate().filter(|(_, value)| *value > 0) {
        raise(text, register, value)?;
    }
    out_of_date(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same_registers() {
        let (mut sparse, mut packed) = (new(), new());
        pack(&mut packed).unwrap();
        assert_eq!(packed.len(), PACKED);
        for n in 0..400_u32 {
            let (register, value) = register(&n.to_le_bytes());
            let changed = raise(&mut sparse, register, value).unwrap();
            assert_eq!(raise(&mut packed, register, value).unwrap(), changed);
            assert!(!raise(&mut sparse, register, value).unwrap());
        }
        assert!(!is_packed(&sparse).unwrap());
        assert_eq!(registers(&sparse).unwrap(), registers(&packed).unwrap());
        pack(&mut sparse).unwrap();
        assert_eq!(sparse, packed);
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [&b""[..], b"HYLL", b"HYLL\x00aaaaaaaaaaaaaaaaa", b"HYLL\x01aaaaaaaaaaa\xff"] {
            assert!(registers(text).is_err());
        }
    }
}
