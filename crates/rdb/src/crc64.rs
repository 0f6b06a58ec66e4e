//! The checksum at the end of dumps: CRC-64/REDIS.

use crc_fast::{CrcAlgorithm, Digest};

/// A running checksum. Its whole state is one number, so that it can be saved and taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crc64(u64);

impl Crc64 {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    pub(crate) const fn from_state(state: u64) -> Self {
        Self(state)
    }

    /// The checksum of all bytes so far. Nothing is done at the end, so it is the state too.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, self.0);
        digest.update(bytes);
        self.0 = digest.get_state();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, as the polynomial says.
    fn slow(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0_u64, |crc, &byte| {
            (0..8).fold(crc ^ u64::from(byte), |crc, _| {
                let reflected = 0xad93_d235_94c9_35a9_u64.reverse_bits();
                if crc & 1 == 1 { crc >> 1 ^ reflected } else { crc >> 1 }
            })
        })
    }

    #[test]
    fn is_that_of_redis() {
        let mut crc = Crc64::new();
        crc.update(b"123456789");
        assert_eq!(crc.get(), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn cuts_do_not_matter() {
        let bytes: Vec<u8> = (0..3000_u32).map(|n| (n * n / 7) as u8).collect();
        let expected = slow(&bytes);
        for step in [1, 7, 64, 255, 256, 257, 1000, 3000] {
            let mut crc = Crc64::new();
            for piece in bytes.chunks(step) {
                crc = Crc64::from_state(crc.get());
                crc.update(piece);
            }
            assert_eq!(crc.get(), expected, "in steps of {step}");
        }
    }
}
