//! Writes RDB files: the primitives of the format, with Redis's own choice of encoding.

use std::io::{self, Write};

use crate::crc64::crc64;
use crate::listpack::integer;
use crate::lzf::Compressor;

/// Object types of the format, those that are written here.
pub mod kind {
    #![allow(missing_docs, reason = "the names are the format's own")]
    pub const STRING: u8 = 0;
    pub const SET: u8 = 2;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const SET_INTSET: u8 = 11;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_LISTPACKS_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_LISTPACKS_3: u8 = 21;
}

const FLUSH_BYTES: usize = 1 << 20;

/// An RDB file being written: a buffer of a fixed size, the checksum, and where they go.
#[derive(Debug)]
pub struct DumpWriter<W: Write> {
    out: W,
    buffer: Vec<u8>,
    crc: u64,
    written: u64,
    version: u16,
    compressor: Compressor,
    compressed: u64,
}

impl<W: Write> DumpWriter<W> {
    /// Begins a file: magic and the AUX fields that Redis writes.
    pub fn new(out: W, version: u16) -> io::Result<Self> {
        let mut new = Self {
            out,
            buffer: Vec::with_capacity(FLUSH_BYTES + (64 << 10)),
            crc: 0,
            written: 0,
            version,
            compressor: Compressor::default(),
            compressed: 0,
        };
        new.raw(format!("REDIS{version:04}").as_bytes());
        let server: &[u8] = if version <= 10 { b"7.0.15" } else { b"7.2.5" };
        new.aux(b"redis-ver", server);
        new.aux(b"redis-bits", b"64");
        // A fixed clock, so that the same seed gives the same bytes on every day.
        new.aux(b"ctime", b"1700000000");
        new.aux(b"used-mem", b"1048576");
        new.aux(b"aof-base", b"0");
        new.flush_if_full()?;
        Ok(new)
    }

    /// The RDB version in the magic.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Strings that were compressed so far.
    pub fn compressed(&self) -> u64 {
        self.compressed
    }

    fn aux(&mut self, name: &[u8], value: &[u8]) {
        self.raw(&[250]);
        self.string(name);
        self.string(value);
    }

    /// Begins a database, with the number of its keys and of those that expire.
    pub fn select(&mut self, db: u64, keys: u64, expires: u64) {
        self.raw(&[254]);
        self.length(db);
        self.raw(&[251]);
        self.length(keys);
        self.length(expires);
    }

    /// Begins a record: its expiry, type and key. Its value follows.
    pub fn key(&mut self, kind: u8, key: &[u8], expires_at_ms: Option<i64>) {
        if let Some(at) = expires_at_ms {
            self.raw(&[252]);
            self.raw(&at.to_le_bytes());
        }
        self.raw(&[kind]);
        self.string(key);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// A length in the shortest of its forms.
    pub fn length(&mut self, length: u64) {
        put_length(&mut self.buffer, length);
    }

    /// A string as Redis encodes it: short integers as such, the rest compressed when that is at least 4 bytes less.
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= 11
            && let Some(value) = integer(text)
            && let Ok(value) = i32::try_from(value)
        {
            let le = value.to_le_bytes();
            match value {
                -0x80..=0x7f => self.raw(&[0xc0, le[0]]),
                -0x8000..=0x7fff => self.raw(&[0xc1, le[0], le[1]]),
                _ => {
                    self.raw(&[0xc2]);
                    self.raw(&le);
                }
            }
            return;
        }
        if text.len() > 20 {
            let packed = self.compressor.compress(text, text.len() - 4);
            if let Some(packed) = packed {
                self.buffer.push(0xc3);
                put_length(&mut self.buffer, packed.len() as u64);
                put_length(&mut self.buffer, text.len() as u64);
                self.buffer.extend_from_slice(packed);
                self.compressed += 1;
                return;
            }
        }
        self.length(text.len() as u64);
        self.raw(text);
    }

    /// Hands the buffer on once it is full; called between elements, so that memory stays flat.
    pub fn flush_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= FLUSH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.crc = crc64(self.crc, &self.buffer);
        self.written += self.buffer.len() as u64;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file with its checksum; the number of bytes written.
    pub fn finish(mut self) -> io::Result<u64> {
        self.raw(&[255]);
        self.flush()?;
        let crc = self.crc.to_le_bytes();
        self.out.write_all(&crc)?;
        self.out.flush()?;
        Ok(self.written + 8)
    }
}

fn put_length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..64 => out.push(length as u8),
        64..16_384 => out.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]),
        16_384..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}
