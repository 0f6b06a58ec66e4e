//! LZF compression as liblzf does it with the settings that Redis compiles in (a hash table of 2^16 slots, "very
//! fast"), so that what we write is what Redis would have written, byte for byte.

const SLOTS: usize = 1 << 16;
const MAX_LITERALS: usize = 1 << 5;
const MAX_OFFSET: usize = 1 << 13;
const MAX_MATCH: usize = (1 << 8) + (1 << 3);

/// A compressor; keeps its hash table between calls, since clearing it costs more than compressing a short string.
#[derive(Debug)]
pub struct Compressor {
    /// Position of the last three bytes with this hash, plus `base`; older entries count as empty.
    table: Vec<u32>,
    base: u32,
    out: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { table: vec![0; SLOTS], base: 1, out: Vec::new() }
    }
}

impl Compressor {
    /// The compressed bytes, or `None` when they would take more than `max_bytes`.
    pub fn compress(&mut self, input: &[u8], max_bytes: usize) -> Option<&[u8]> {
        if input.len() < 4 || max_bytes == 0 {
            return None;
        }
        let span = u32::try_from(input.len()).ok()?;
        if self.base.checked_add(span).is_none() {
            self.table.fill(0);
            self.base = 1;
        }
        let fits = compress(input, max_bytes, &mut self.table, self.base, &mut self.out);
        self.base = self.base.saturating_add(span);
        fits.then_some(self.out.as_slice())
    }
}

/// `out` holds the bytes written so far with one placeholder for the length of the run of literals under way;
/// `literals` is that length. The checks against `max` are where and what liblzf checks.
fn compress(input: &[u8], max: usize, table: &mut [u32], base: u32, out: &mut Vec<u8>) -> bool {
    out.clear();
    out.push(0);
    let mut literals = 0;
    let end = input.len();
    let mut at = 0;
    while at + 2 < end {
        let slot = &mut table[hash(&input[at..])];
        let earlier = slot.checked_sub(base).map(|position| position as usize);
        *slot = base + at as u32;

        let found = earlier.filter(|&earlier| {
            // Position 0 never matches: liblzf takes an offset of 0 for an empty slot.
            earlier > 0
                && at - earlier - 1 < MAX_OFFSET
                && input[earlier..earlier + 3] == input[at..at + 3]
        });
        let Some(earlier) = found else {
            if out.len() >= max {
                return false;
            }
            literals += 1;
            out.push(input[at]);
            at += 1;
            if literals == MAX_LITERALS {
                close_run(out, &mut literals);
                out.push(0);
            }
            continue;
        };

        if out.len() - usize::from(literals == 0) + 3 + 1 >= max {
            return false;
        }
        if literals == 0 {
            out.pop();
        } else {
            close_run(out, &mut literals);
        }
        let offset = at - earlier - 1;
        let length = match_length(input, earlier, at);
        let code = length - 2;
        if code < 7 {
            out.push((offset >> 8) as u8 + ((code as u8) << 5));
        } else {
            out.push((offset >> 8) as u8 + (7 << 5));
            out.push((code - 7) as u8);
        }
        out.push(offset as u8);
        out.push(0);

        at += length;
        if at + 2 >= end {
            break;
        }
        // "Very fast" enters only the last two positions of the match into the table.
        for position in [at - 2, at - 1] {
            table[hash(&input[position..])] = base + position as u32;
        }
    }

    if out.len() + 3 > max {
        return false;
    }
    for &byte in &input[at..] {
        literals += 1;
        out.push(byte);
        if literals == MAX_LITERALS {
            close_run(out, &mut literals);
            out.push(0);
        }
    }
    if literals == 0 {
        out.pop();
    } else {
        close_run(out, &mut literals);
    }
    true
}

fn close_run(out: &mut [u8], literals: &mut usize) {
    let header = out.len() - *literals - 1;
    out[header] = (*literals - 1) as u8;
    *literals = 0;
}

fn hash(bytes: &[u8]) -> usize {
    let value = u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]);
    ((value >> 8).wrapping_sub(value.wrapping_mul(5)) as usize) & (SLOTS - 1)
}

/// How many bytes match; at least 3. liblzf's unrolled first 16 comparisons do not look at the bound, so that a match
/// near the end may be up to two bytes longer than the bound says; that is copied too.
fn match_length(input: &[u8], earlier: usize, at: usize) -> usize {
    let bound = (input.len() - at - 2).min(MAX_MATCH);
    let mut length = 2;
    if bound > 16 {
        for _ in 0..16 {
            length += 1;
            if input[earlier + length] != input[at + length] {
                return length;
            }
        }
    }
    loop {
        length += 1;
        if length >= bound || input[earlier + length] != input[at + length] {
            return length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn decompress(mut packed: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let [control, rest @ ..] = packed {
            let control = usize::from(*control);
            if control < 32 {
                out.extend_from_slice(&rest[..=control]);
                packed = &rest[control + 1..];
                continue;
            }
            let (length, rest) = match control >> 5 {
                7 => (usize::from(rest[0]) + 9, &rest[1..]),
                short => (short + 2, rest),
            };
            let from = out.len() - 1 - ((control & 31) << 8 | usize::from(rest[0]));
            for index in from..from + length {
                out.push(out[index]);
            }
            packed = &rest[1..];
        }
        out
    }

    #[test]
    fn what_is_compressed_can_be_read_back() {
        let mut random = Random::new(1);
        let mut compressor = Compressor::default();
        let mut shrunk = 0;
        for round in 0..20_000 {
            let letters = 1 + random.below(1 + round % 60);
            let length = random.below(600) as usize;
            let input: Vec<u8> = (0..length).map(|_| random.below(letters) as u8).collect();
            if let Some(packed) = compressor.compress(&input, input.len().saturating_sub(4)) {
                assert!(packed.len() <= input.len() - 4);
                assert_eq!(decompress(packed), input);
                shrunk += 1;
            }
        }
        assert!(shrunk > 5_000, "only {shrunk} of 20000 shrank");
    }

    #[test]
    fn a_known_string_gives_the_bytes_that_redis_writes() {
        // DUMP of "aaaa…" (100 times) on Redis 7.0, without its type byte, lengths and trailer.
        let mut compressor = Compressor::default();
        let packed = compressor.compress(&[b'a'; 100], 96).unwrap();
        assert_eq!(packed, [0x01, b'a', b'a', 0xe0, 0x57, 0x00, 0x01, b'a', b'a']);
    }
}
