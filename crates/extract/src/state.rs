//! What a position holds, as bytes: numbers and runs of bytes, one after the other.

pub(crate) fn put(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_le_bytes());
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes apart what [`put`] and [`put_bytes`] made.
pub(crate) struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(crate) fn index(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let (bytes, rest) = usize::try_from(self.number()?)
            .ok()
            .and_then(|count| self.0.split_at_checked(count))?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// A number that differs where the parts differ (FNV-1a): against mistakes, not against malice.
pub(crate) fn fingerprint<'a>(parts: impl Iterator<Item = (&'a [u8], u64)>) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (bytes, number) in parts {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in bytes.iter().chain(&length).chain(&number.to_le_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    hash
}
