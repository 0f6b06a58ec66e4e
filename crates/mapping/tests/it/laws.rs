//! What holds for every record and every mapping.

use keystar_item::json;
use keystar_mapping::{RejectReason, same_record};
use keystar_rdb::Db;
use proptest::prelude::*;

use crate::data::{MAPPINGS, assert_fits, back, is_changed, map, map_in_pieces, record};

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// record → items → record is the record, unless a loss was reported.
    #[test]
    fn without_a_loss_the_record_comes_back(record in record()) {
        for (spec, mapping) in &*MAPPINGS {
            // The empty key is none in a table whose keys are bytes.
            if spec.contains("'B'") && record.key.is_empty() {
                continue;
            }
            let mapped = match map(mapping, &record) {
                None => continue,
                Some(Ok(mapped)) => mapped,
                Some(Err(reject)) => {
                    let expected = match reject.reason {
                        RejectReason::NameCollision => spec.contains("attributes"),
                        RejectReason::BinaryKey | RejectReason::BinaryName => {
                            spec.contains("reject")
                        }
                        _ => false,
                    };
                    prop_assert!(expected, "{spec}: {reject}");
                    continue;
                }
            };
            prop_assert!(!mapped.items.is_empty());
            assert_fits(mapping, &mapped.items);
            if is_changed(&mapped) {
                continue;
            }
            let mut back = back(mapping, &mapped.items)
                .map_err(|error| TestCaseError::fail(format!("{spec}: {error}\n{mapped:?}")))?;
            if spec.contains("folder") {
                prop_assert_eq!(back.db, Db(0));
                back.db = record.db;
            }
            prop_assert!(same_record(&record, &back), "{spec}\n{mapped:?}\n{back:?}");
            // Through text, as files hold it, too.
            for item in &mapped.items {
                let mut line = Vec::new();
                json::write_item(item, &mut line);
                let read = json::parse_item(line.trim_ascii_end()).unwrap();
                prop_assert_eq!(mapping.unmap(&read).unwrap(), mapping.unmap(item).unwrap());
            }
        }
    }

    /// Pieces become what the whole becomes.
    #[test]
    fn pieces_become_what_the_whole_becomes(
        record in record(),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        for (spec, mapping) in &*MAPPINGS {
            let Some(whole) = map(mapping, &record) else { continue };
            let pieces = map_in_pieces(mapping, &record, &cuts);
            match (whole, pieces) {
                (Ok(whole), Ok(pieces)) => {
                    prop_assert_eq!(&whole.items, &pieces.items, "{}", spec);
                    prop_assert_eq!(&whole.losses, &pieces.losses, "{}", spec);
                }
                (Err(whole), Err(pieces)) => prop_assert_eq!(whole.reason, pieces.reason),
                (whole, pieces) => prop_assert!(false, "{spec}\n{whole:?}\n{pieces:?}"),
            }
        }
    }
}
