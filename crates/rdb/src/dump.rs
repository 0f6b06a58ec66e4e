//! `DUMP` payloads: one value by itself, as `RESTORE` takes it.

use crate::blob::Blob;
use crate::context::Context;
use crate::crc64::Crc64;
use crate::cursor::{Cursor, Limits};
use crate::decode;
use crate::encoding::{Encoding, Family, Layout};
use crate::error::{Error, ErrorKind};
use crate::frame::{Frame, Head};
use crate::module::ModuleId;
use crate::record::{Db, Kind, Record, Value};

/// The version and the checksum at the end of a payload.
const FOOTER: usize = 10;
/// What stands before the metadata of a key.
const KEY_META: u8 = 243;

impl<'a> Frame<'a> {
    /// Decodes the value.
    ///
    /// The context is that of the parser that told the frame, taken after it did; the record may
    /// borrow from it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] and the like if the value contradicts its format. The error tells
    /// the key and where in the input the value begins.
    #[inline]
    pub fn decode(&self, context: &'a Context) -> Result<Record<'a>, Error> {
        let mut cursor = Cursor::new(self.payload, Limits::DEFAULT);
        let value = decode::value(self.head.encoding.layout, &mut cursor, context);
        let value = match value {
            Ok(value) if cursor.left() == 0 => value,
            Ok(_) => return Err(self.error(ErrorKind::Corrupt("bytes after the value"))),
            Err(kind) => return Err(self.error(kind)),
        };
        Ok(Record {
            db: self.head.db,
            key: self.head.key.clone(),
            value,
            expires_at: self.head.expires_at,
            usage: self.head.usage,
        })
    }

    /// The frame of a key whose `DUMP` payload this is, and the family and RDB version that its
    /// footer names: those of the [`Context`] to decode it with.
    ///
    /// Nothing is decoded and the checksum is not looked at: it is for payloads that come straight
    /// from a server.
    ///
    /// ```
    /// use keystar_rdb::{Blob, Context, Db, Frame, Value};
    ///
    /// let payload = b"\x00\x05hello\x09\x00\0\0\0\0\0\0\0\0";
    /// let key = Blob::from(&b"greeting"[..]);
    /// let (frame, family, version) = Frame::from_dump(Db(0), key, payload)?;
    /// let context = Context::new(family, version);
    /// assert_eq!(frame.decode(&context)?.value, Value::String("hello".into()));
    /// # Ok::<(), keystar_rdb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Truncated`] if the payload is too short to be one,
    /// [`ErrorKind::UnknownType`] for a type that this crate does not know.
    pub fn from_dump(
        db: Db,
        key: Blob<'a>,
        payload: &'a [u8],
    ) -> Result<(Self, Family, u16), Error> {
        let dump = match split(payload) {
            Ok(dump) => dump,
            Err(kind) => return Err(Error::new(kind, 0).in_record(db, &key).skippable_if(true)),
        };
        let mut head = Head::new(db, key, dump.encoding);
        head.meta = dump.meta.map(Blob::from);
        if dump.encoding.kind() == Kind::Module {
            let id = Cursor::new(dump.value, Limits::DEFAULT).len().ok();
            head.module = id.map(ModuleId);
        }
        let payload_offset = (payload.len() - FOOTER - dump.value.len()) as u64;
        Ok((Self::new(head, dump.value, payload_offset), dump.family, dump.version))
    }

    /// The frame as a `DUMP` payload, for `RESTORE` on a server that knows the version.
    ///
    /// A hash that refers to a template of the file gets the template's names written into it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownTemplate`] if the hash's template is not in the context, and
    /// [`ErrorKind::Corrupt`] if it cannot be read which one that is.
    pub fn to_dump(&self, context: &Context) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(self.payload.len() + 1 + FOOTER);
        if let Some(meta) = &self.head.meta {
            out.push(KEY_META);
            out.extend_from_slice(meta);
        }
        self.put_value(&mut out, context).map_err(|kind| self.error(kind))?;
        out.extend(context.version().to_le_bytes());
        let mut crc = Crc64::new();
        crc.update(&out);
        out.extend(crc.get().to_le_bytes());
        Ok(out)
    }

    fn put_value(&self, out: &mut Vec<u8>, context: &Context) -> Result<(), ErrorKind> {
        const LISTPACK: u8 = 29;
        const ARRAY: u8 = 31;
        let mut cursor = Cursor::new(self.payload, Limits::DEFAULT);
        let (byte, rest) = match self.head.encoding.layout {
            // The id stays in the listpack.
            Layout::HashTemplateListpackRef => (LISTPACK, self.payload),
            Layout::HashTemplateArrayRef => {
                cursor.len()?;
                (ARRAY, self.payload.get(cursor.at()..).unwrap_or_default())
            }
            _ => {
                out.push(self.head.encoding.byte());
                out.extend_from_slice(self.payload);
                return Ok(());
            }
        };
        let id = decode::template_id(self.head.encoding.layout, self.payload)?;
        let names = context.template(id).ok_or(ErrorKind::UnknownTemplate(id))?;
        out.push(byte);
        // The form in which names are plain strings.
        put_len(out, 1);
        put_len(out, names.len() as u64);
        for name in names {
            put_len(out, name.len() as u64);
            out.extend_from_slice(name);
        }
        out.extend_from_slice(rest);
        Ok(())
    }

    #[cold]
    fn error(&self, kind: ErrorKind) -> Error {
        let Head { db, key, .. } = &self.head;
        Error::new(kind, self.payload_offset).in_record(*db, key).skippable_if(true)
    }
}

/// Writes a length in its shortest form.
pub(crate) fn put_len(out: &mut Vec<u8>, len: u64) {
    match (u16::try_from(len), u32::try_from(len)) {
        (Ok(len @ ..0x40), _) => out.push(len as u8),
        (Ok(len @ ..0x4000), _) => out.extend((len | 0x4000).to_be_bytes()),
        (_, Ok(len)) => {
            out.push(0x80);
            out.extend(len.to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend(len.to_be_bytes());
        }
    }
}

/// Decodes a `DUMP` payload: type, value, version, checksum.
///
/// It is as strict as `RESTORE` with deep sanitisation: wrong counts, duplicates and empty
/// collections are refused, too.
///
/// ```
/// let payload = b"\x00\x05hello\x09\x00\0\0\0\0\0\0\0\0";
/// assert_eq!(keystar_rdb::decode_dump(payload)?, keystar_rdb::Value::String("hello".into()));
/// # Ok::<(), keystar_rdb::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::ChecksumMismatch`] if the checksum is wrong (0 stands for none),
/// [`ErrorKind::Truncated`] if the payload is too short to be one, and what decoding finds.
pub fn decode_dump(payload: &[u8]) -> Result<Value<'_>, Error> {
    let (body, stored) = payload.split_last_chunk().ok_or(Error::new(ErrorKind::Truncated, 0))?;
    let stored = u64::from_le_bytes(*stored);
    let mut crc = Crc64::new();
    crc.update(body);
    let computed = crc.get();
    if stored != 0 && stored != computed {
        let kind = ErrorKind::ChecksumMismatch { stored, computed };
        return Err(Error::new(kind, body.len() as u64));
    }
    decode_dump_unverified(payload)
}

/// Decodes a `DUMP` payload like [`decode_dump`], but does not look at its checksum.
///
/// # Errors
///
/// What decoding finds.
pub fn decode_dump_unverified(payload: &[u8]) -> Result<Value<'_>, Error> {
    let fault = |kind| Error::new(kind, 0);
    let Dump { encoding, value, .. } = split(payload).map_err(fault)?;
    if matches!(encoding.layout, Layout::HashTemplateListpackRef | Layout::HashTemplateArrayRef) {
        return Err(fault(ErrorKind::Corrupt("reference to a hash template of a file")));
    }
    let mut cursor = Cursor::new(value, Limits { strict: true, ..Limits::DEFAULT });
    let value = decode::value(encoding.layout, &mut cursor, Context::none()).map_err(fault)?;
    if cursor.left() == 0 {
        Ok(value)
    } else {
        Err(fault(ErrorKind::Corrupt("bytes after the value")))
    }
}

/// The pieces of a payload.
struct Dump<'a> {
    family: Family,
    version: u16,
    encoding: Encoding,
    /// What modules attached to the key, as it lies there.
    meta: Option<&'a [u8]>,
    value: &'a [u8],
}

fn split(payload: &[u8]) -> Result<Dump<'_>, ErrorKind> {
    let (body, footer) = payload.split_last_chunk::<FOOTER>().ok_or(ErrorKind::Truncated)?;
    let [low, high, ..] = *footer;
    let version = u16::from_le_bytes([low, high]);
    // Valkey counts from 80 on, so that the two can be told apart.
    let family = if version >= 80 { Family::Valkey } else { Family::Redis };
    let mut cursor = Cursor::new(body, Limits::DEFAULT);
    let mut byte = cursor.u8()?;
    let mut meta = None;
    if byte == KEY_META && family == Family::Redis {
        let start = cursor.at();
        skip_meta(&mut cursor)?;
        meta = body.get(start..cursor.at());
        byte = cursor.u8()?;
    }
    let encoding = Encoding::new(family, byte)?;
    let value = body.get(cursor.at()..).unwrap_or_default();
    Ok(Dump { family, version, encoding, meta, value })
}

fn skip_meta(cursor: &mut Cursor<'_>) -> Result<(), ErrorKind> {
    for _ in 0..cursor.len()? {
        cursor.take(4)?;
        decode::module_tokens(cursor)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;

    #[test]
    fn frames_become_dumps() {
        let encoding = Encoding::new(Family::Redis, 4).unwrap();
        let head = Head::new(Db(0), "k".into(), encoding);
        let frame = Frame::new(head, b"\x01\x01f\x01v", 0);
        let dump = frame.to_dump(&Context::redis(11)).unwrap();
        let expected = Value::Hash(vec![Field::new("f".into(), "v".into())]);
        assert_eq!(decode_dump(&dump), Ok(expected));
        let (again, family, version) = Frame::from_dump(Db(0), "k".into(), &dump).unwrap();
        assert_eq!((again.head, again.payload), (frame.head, frame.payload));
        assert_eq!((again.payload_offset, family, version), (1, Family::Redis, 11));
        let mut bad = dump.clone();
        bad[3] ^= 1;
        let error = decode_dump(&bad).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ChecksumMismatch { .. }));
    }

    #[test]
    fn templates_are_written_out() {
        let mut context = Context::redis(15);
        context.define(300, vec![Box::from(&b"a"[..]), Box::from(&b"b"[..])].into());
        let expected = Value::Hash(vec![
            Field::new("a".into(), "x".into()),
            Field::new("b".into(), Blob::from_i64(5)),
        ]);
        let listpack = b"\x10\x0f\0\0\0\x03\0\xc1\x2c\x02\x81x\x02\x05\x01\xff";
        for (byte, payload) in [(32, &b"\x41\x2c\x01x\xc0\x05"[..]), (30, listpack)] {
            let encoding = Encoding::new(Family::Redis, byte).unwrap();
            let frame = Frame::new(Head::new(Db(0), "k".into(), encoding), payload, 0);
            let mut payload = payload.to_vec();
            if byte == 30 {
                // The length prefix above is that of the listpack.
                payload[0] = (payload.len() - 1) as u8;
                payload[1] = (payload.len() - 1) as u8;
            }
            let frame = Frame { payload: &payload, ..frame };
            assert_eq!(frame.decode(&context).unwrap().value, expected);
            assert_eq!(decode_dump(&frame.to_dump(&context).unwrap()), Ok(expected.clone()));
            let error = frame.to_dump(&Context::redis(15)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnknownTemplate(300));
        }
    }

    #[test]
    fn lengths_are_read_back() {
        for len in [0, 63, 64, 16383, 16384, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut out = Vec::new();
            put_len(&mut out, len);
            assert_eq!(Cursor::new(&out, Limits::DEFAULT).len(), Ok(len));
        }
    }

    #[test]
    fn short_payloads_are_refused() {
        for len in 0..11 {
            assert!(decode_dump(&vec![0; len]).is_err());
        }
    }
}
