//! Any bytes as an RDB file: at each level, whole and in pieces, the same is told, and nothing
//! panics or allocates what the bytes do not back (run it with `-malloc_limit_mb=64`).

#![no_main]

use std::fmt::Write;

use keystar_rdb::{Event, Level, Options, Parser, ResumePoint, Step};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let limit = 1 << 20;
    for level in [
        Level::FRAMES,
        Level::Frames { max_bytes: 16 },
        Level::Elements,
        Level::Records,
        Level::Skip,
    ] {
        let options = Options::new(level)
            .with_verify_checksum(false)
            .with_max_string_bytes(limit)
            .with_max_packed_bytes(limit)
            .with_chunk_bytes(100);
        let whole = read(Parser::new(options.clone()), input, input.len().max(1));
        // The first byte says how the input is cut.
        let step = usize::from(input.first().copied().unwrap_or(1)).max(1);
        let pieces = read(Parser::new(options), input, step);
        assert_eq!(whole, pieces);
    }
});

/// All that is told, as text, and of frames and resume points what can be done with them.
fn read(mut parser: Parser, input: &[u8], step: usize) -> String {
    let mut told = String::new();
    let mut pieces = input.chunks(step);
    loop {
        let context = parser.context().clone();
        match parser.step() {
            Ok(Step::NeedInput) => match pieces.next() {
                Some(piece) => parser.feed(piece),
                None => parser.finish(),
            },
            Ok(Step::End) => return told,
            Ok(Step::Event(event)) => {
                let _ = writeln!(told, "{event:?}");
                if let Event::Frame(frame) = &event {
                    let decoded = frame.decode(&context);
                    let _ = writeln!(told, "{decoded:?}");
                    let _ = frame.to_dump(&context);
                }
                if let Some(point) = parser.resume_point() {
                    assert_eq!(ResumePoint::from_bytes(&point.to_bytes()), Ok(point));
                }
            }
            Err(error) => {
                let _ = writeln!(told, "{error}");
                if !error.skippable() {
                    return told;
                }
            }
        }
    }
}
