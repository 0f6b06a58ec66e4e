//! Any bytes as an append-only file: it is read or refused, whatever the size of the batches.

#![no_main]

use futures_executor::block_on;
use keystar_extract::{AppendOnly, Batch, Entry, RdbOptions, Source};
use libfuzzer_sys::fuzz_target;

/// How many records there are, if the file can be read.
fn records(input: &[u8], options: RdbOptions) -> Option<usize> {
    let mut source = AppendOnly::from_bytes(input.to_vec(), options).with_max_memory_bytes(1 << 20);
    let mut batch = Batch::new();
    let mut count = 0;
    while block_on(source.fill(&mut batch)).ok()? {
        let ends = |entry: &Entry<'_>| !matches!(entry, Entry::Part { part, .. } if !part.last);
        count += batch.entries().filter(ends).count();
    }
    Some(count)
}

fuzz_target!(|input: &[u8]| {
    let all = records(input, RdbOptions::default());
    // Smaller batches hold the same records.
    assert_eq!(records(input, RdbOptions::default().with_batch_bytes(1)), all);
});
