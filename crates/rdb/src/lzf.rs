//! LZF decompression, whole and in pieces.

use crate::error::ErrorKind;

/// No LZF operation reaches further back than this.
const WINDOW: usize = 8192;
/// Three bytes of input give at most 264 bytes of output.
const MAX_EXPANSION: u64 = 88;

const BAD: ErrorKind = ErrorKind::Corrupt("LZF data");

/// The output of a compressed string, which must be `original` bytes long.
///
/// What is allocated is bounded by what the input can expand to, not by `original`.
pub(crate) fn decompress(input: &[u8], original: u64) -> Result<Vec<u8>, ErrorKind> {
    let original = check(input.len() as u64, original)?;
    let mut output = Vec::with_capacity(original);
    let mut at = 0;
    while at < input.len() {
        let Some(op) = Op::read(input, at) else { return Err(BAD) };
        if output.len() + op.produces() > original {
            return Err(BAD);
        }
        op.apply(input, at, &mut output)?;
        at += op.takes();
    }
    if output.len() == original { Ok(output) } else { Err(BAD) }
}

/// Whether the lengths of a compressed string can be true; the original one as `usize`.
fn check(compressed: u64, original: u64) -> Result<usize, ErrorKind> {
    if original > compressed.saturating_mul(MAX_EXPANSION) {
        return Err(ErrorKind::Corrupt("LZF length is more than its data can give"));
    }
    usize::try_from(original).map_err(|_| BAD)
}

/// One operation: copy bytes of the input, or of the output so far.
#[derive(Clone, Copy)]
enum Op {
    Literal { len: usize },
    Copy { header: usize, back: usize, len: usize },
}

impl Op {
    /// Reads the operation at `at`; `None` if it is not all there.
    #[inline]
    fn read(input: &[u8], at: usize) -> Option<Self> {
        let control = usize::from(*input.get(at)?);
        if control < 32 {
            let len = control + 1;
            return (input.len() - at > len).then_some(Self::Literal { len });
        }
        let high = (control & 31) << 8;
        let (header, len, low) = match control >> 5 {
            7 => (3, 7 + usize::from(*input.get(at + 1)?), *input.get(at + 2)?),
            len => (2, len, *input.get(at + 1)?),
        };
        Some(Self::Copy { header, back: (high | usize::from(low)) + 1, len: len + 2 })
    }

    const fn takes(self) -> usize {
        match self {
            Self::Literal { len } => 1 + len,
            Self::Copy { header, .. } => header,
        }
    }

    const fn produces(self) -> usize {
        match self {
            Self::Literal { len } | Self::Copy { len, .. } => len,
        }
    }

    #[inline]
    fn apply(self, input: &[u8], at: usize, output: &mut Vec<u8>) -> Result<(), ErrorKind> {
        match self {
            Self::Literal { len } => {
                output.extend_from_slice(input.get(at + 1..at + 1 + len).ok_or(BAD)?);
            }
            Self::Copy { back, len, .. } => {
                let start = output.len().checked_sub(back).ok_or(BAD)?;
                let mut left = len;
                // Where the two overlap, what was just written is copied again.
                while left > 0 {
                    let run = left.min(output.len() - start);
                    output.extend_from_within(start..start + run);
                    left -= run;
                }
            }
        }
        Ok(())
    }
}

/// Decompression in pieces of equal length, in the memory of one piece and a window.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The window of what was told already, then what is yet to tell.
    output: Vec<u8>,
    told: usize,
    compressed_left: u64,
    total: u64,
    produced: u64,
}

impl Stream {
    pub(crate) fn new(compressed: u64, original: u64) -> Result<Self, ErrorKind> {
        check(compressed, original)?;
        Ok(Self {
            output: Vec::new(),
            told: 0,
            compressed_left: compressed,
            total: original,
            produced: 0,
        })
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Passes over input unread.
    pub(crate) fn pass(&mut self, bytes: usize) {
        self.compressed_left = self.compressed_left.saturating_sub(bytes as u64);
    }

    /// How much of the input is still compressed.
    pub(crate) const fn input_left(&self) -> u64 {
        self.compressed_left
    }

    /// Where the piece that is ready begins.
    pub(crate) fn offset(&self) -> u64 {
        self.produced - (self.output.len() - self.told) as u64
    }

    /// Takes operations from the input until a piece of `chunk` bytes (or the last, shorter one)
    /// is ready. Returns how much of the input was used, and whether a piece is ready.
    pub(crate) fn fill(&mut self, input: &[u8], chunk: usize) -> Result<(usize, bool), ErrorKind> {
        let input = match usize::try_from(self.compressed_left) {
            Ok(left) if left < input.len() => input.get(..left).ok_or(BAD)?,
            _ => input,
        };
        let whole = input.len() as u64 == self.compressed_left;
        let mut at = 0;
        while self.output.len() - self.told < chunk && at < input.len() {
            let Some(op) = Op::read(input, at) else {
                if whole {
                    return Err(BAD);
                }
                break;
            };
            if self.produced + op.produces() as u64 > self.total {
                return Err(BAD);
            }
            op.apply(input, at, &mut self.output)?;
            self.produced += op.produces() as u64;
            at += op.takes();
        }
        if at as u64 == self.compressed_left && self.produced != self.total {
            return Err(BAD);
        }
        self.compressed_left -= at as u64;
        let ready = self.output.len() - self.told;
        Ok((at, ready >= chunk || (self.compressed_left == 0 && ready > 0)))
    }

    /// The piece that is ready.
    pub(crate) fn piece(&self, chunk: usize) -> &[u8] {
        let ready = self.output.get(self.told..).unwrap_or_default();
        ready.get(..chunk).unwrap_or(ready)
    }

    /// Forgets the piece that was told, all but the window.
    pub(crate) fn consume(&mut self, chunk: usize) {
        self.told = (self.told + chunk).min(self.output.len());
        let keep = self.told.saturating_sub(WINDOW);
        self.output.drain(..keep);
        self.told -= keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_copies_repeat() {
        // "ab", then copy 10 bytes from 2 back.
        let input = [1, b'a', b'b', 7 << 5, 1, 1];
        assert_eq!(decompress(&input, 12), Ok(b"abababababab".to_vec()));
    }

    #[test]
    fn lies_are_refused() {
        let input = [1, b'a', b'b', 7 << 5, 1, 1];
        for original in [0, 11, 13, u64::MAX] {
            assert!(decompress(&input, original).is_err());
        }
        assert!(decompress(&[31, b'a'], 32).is_err());
        assert!(decompress(&[32, 0], 3).is_err());
        assert!(decompress(&[0xe0], 3).is_err());
    }

    #[test]
    fn pieces_are_equally_long_and_add_up() {
        let mut input = vec![1, b'a', b'b'];
        input.extend([7 << 5, 255, 1].repeat(500));
        let total = 2 + 264 * 500;
        let whole = decompress(&input, total).unwrap();
        for step in [1, 3, 1000] {
            let mut stream = Stream::new(input.len() as u64, total).unwrap();
            let (mut got, mut at, mut fed) = (Vec::new(), 0, 0);
            while got.len() < whole.len() {
                let (used, ready) = stream.fill(&input[at..fed], 10_000).unwrap();
                at += used;
                if ready {
                    assert_eq!(stream.offset(), got.len() as u64);
                    let piece = stream.piece(10_000);
                    assert!(piece.len() == 10_000 || got.len() + piece.len() == whole.len());
                    got.extend_from_slice(piece);
                    stream.consume(10_000);
                    assert!(stream.output.len() < 10_000 + WINDOW + 300);
                } else {
                    fed = (fed + step).min(input.len());
                }
            }
            assert_eq!(got, whole);
            assert_eq!(stream.input_left(), 0);
        }
    }
}
