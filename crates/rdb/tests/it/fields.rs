//! Fields told without decoding are those that decoding tells.

use keystar_rdb::{Context, Frame, Value};

/// Walks over the fields of a frame and decodes it: if the walk ends well, both tell the same.
/// Whether it did.
pub(crate) fn assert_as_decoded(frame: &Frame<'_>, context: &Context) -> bool {
    let mut pairs = Vec::new();
    let shown = frame.for_each_field(|name, value| {
        pairs.push((name.to_vec(), value.to_vec()));
        Some(())
    });
    if shown.is_none() {
        return false;
    }
    let record = frame.decode(context).unwrap();
    let Value::Hash(fields) = record.value else { panic!("no hash: {record:?}") };
    assert!(fields.iter().all(|field| field.expires_at.is_none()));
    let fields = fields.iter().map(|field| (field.name.to_vec(), field.value.to_vec()));
    assert_eq!(fields.collect::<Vec<_>>(), pairs);
    // It ends where it is told to.
    if let Some(last) = pairs.len().checked_sub(1) {
        let mut seen = 0;
        let stopped = frame.for_each_field(|_, _| {
            seen += 1;
            (seen <= last).then_some(())
        });
        assert_eq!((stopped, seen), (None, last + 1));
    }
    true
}
