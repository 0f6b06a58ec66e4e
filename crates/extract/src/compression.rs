//! The envelope around a dump: found by its first bytes, never by the file's name.

use std::io::{self, BufRead, Chain, Cursor, Read};

/// How a dump is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// A bare dump.
    None,
    /// RFC 1952, one member or many.
    Gzip,
    /// RFC 8878 frames.
    Zstd,
    /// LZ4 frames.
    Lz4,
}

impl Compression {
    /// The name that messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }
}

/// The longest prefix that a decision needs: Valkey's 7-byte `VCS` envelope.
pub(crate) const PEEK_BYTES: usize = 7;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// Valkey 9.2's envelope: `VCS`, version 1, codec, reserved, stream kind.
const VCS: &[u8] = b"VCS\x01";
const VCS_LZ4: u8 = 1;
const VCS_ZSTD: u8 = 2;

/// Whether the bytes are those of a bare dump, as far as they reach.
pub(crate) fn is_bare(head: &[u8]) -> bool {
    recognise(head) == (Compression::None, 0)
}

type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// Reads the first bytes and unwraps what they announce.
pub(crate) fn unwrap<R: BufRead + Send + 'static>(
    mut reader: R,
) -> io::Result<(Compression, Box<dyn Read + Send>)> {
    let mut head = Vec::with_capacity(PEEK_BYTES);
    reader.by_ref().take(PEEK_BYTES as u64).read_to_end(&mut head)?;
    let (compression, envelope_bytes) = recognise(&head);
    let body = head.split_off(envelope_bytes.min(head.len()));
    let reader: Peeked<R> = Cursor::new(body).chain(reader);
    let reader: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(reader)?),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(reader)),
    };
    Ok((compression, reader))
}

/// The compression, and how many bytes of envelope stand before it.
fn recognise(head: &[u8]) -> (Compression, usize) {
    if head.starts_with(GZIP) {
        (Compression::Gzip, 0)
    } else if head.starts_with(ZSTD) {
        (Compression::Zstd, 0)
    } else if head.starts_with(LZ4) {
        (Compression::Lz4, 0)
    } else if head.starts_with(VCS) {
        match head.get(VCS.len()) {
            Some(&VCS_LZ4) => (Compression::Lz4, PEEK_BYTES),
            Some(&VCS_ZSTD) => (Compression::Zstd, PEEK_BYTES),
            _ => (Compression::None, 0),
        }
    } else {
        (Compression::None, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Write};

    const DUMP: &[u8] = b"REDIS0011 and so on, long enough to be worth compressing, compressing";

    fn unwrapped(bytes: Vec<u8>) -> (Compression, Vec<u8>) {
        let (compression, mut reader) = unwrap(BufReader::new(Cursor::new(bytes))).unwrap();
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        (compression, out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_envelope_is_found_by_its_magic() {
        assert_eq!(unwrapped(DUMP.to_vec()), (Compression::None, DUMP.to_vec()));
        assert_eq!(unwrapped(gzip(DUMP)), (Compression::Gzip, DUMP.to_vec()));
        assert_eq!(unwrapped(lz4(DUMP)), (Compression::Lz4, DUMP.to_vec()));
        let zstd = zstd::encode_all(DUMP, 1).unwrap();
        assert_eq!(unwrapped(zstd.clone()), (Compression::Zstd, DUMP.to_vec()));
        let vcs = |codec: u8, body: &[u8]| [b"VCS\x01".as_slice(), &[codec, 0, 1], body].concat();
        assert_eq!(unwrapped(vcs(1, &lz4(DUMP))), (Compression::Lz4, DUMP.to_vec()));
        assert_eq!(unwrapped(vcs(2, &zstd)), (Compression::Zstd, DUMP.to_vec()));
    }

    #[test]
    fn many_gzip_members_are_one_dump() {
        let (first, second) = DUMP.split_at(20);
        let both = [gzip(first), gzip(second)].concat();
        assert_eq!(unwrapped(both), (Compression::Gzip, DUMP.to_vec()));
    }

    #[test]
    fn short_and_unknown_files_pass_through_for_the_parser_to_name() {
        for bytes in [&b""[..], b"R", b"VCS\x01\x09\x00\x01rest", b"<!DOCTYPE html>"] {
            assert_eq!(unwrapped(bytes.to_vec()), (Compression::None, bytes.to_vec()));
        }
    }
}
