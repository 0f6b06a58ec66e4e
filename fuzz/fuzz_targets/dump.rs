//! Any bytes as a `DUMP` payload, with and without its checksum.

#![no_main]

use keystar_rdb::{
    Context, Db, Encoding, Family, Frame, Head, decode_dump, decode_dump_unverified,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = decode_dump(input);
    let strict = decode_dump_unverified(input);
    // What the strict decoder reads, the one for files reads as the same.
    if let (Ok(strict), Some((&byte, rest))) = (strict, input.split_first())
        && let Some((payload, [low, high, ..])) = rest.split_last_chunk::<10>()
    {
        let version = u16::from_le_bytes([*low, *high]);
        let family = if version >= 80 { Family::Valkey } else { Family::Redis };
        if let Ok(encoding) = Encoding::new(family, byte) {
            let head = Head::new(Db(0), "key".into(), encoding);
            let context = Context::new(family, version);
            let lenient = Frame::new(head, payload, 0).decode(&context);
            let (lenient, strict) = (lenient.map(|record| record.value), Ok(strict));
            // NaN, which an array may hold, is not equal to itself; its text is.
            if lenient != strict {
                assert_eq!(format!("{lenient:?}"), format!("{strict:?}"));
            }
        }
    }
});
