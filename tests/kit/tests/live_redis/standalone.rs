//! One server: every key once, as its RDB file has it.

use keystar_extract::ScanOptions;
use keystar_kit::generate::{Shape, write};
use keystar_kit::redis::{Connection, Redis as Server};

use crate::gathered::{saved, scan};

/// A server that holds what the generator makes, in which every type and encoding occurs.
pub(crate) fn filled(records: u64) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.rdb");
    write(Shape::Mixed { records }, 1, 10, std::fs::File::create(&file).unwrap()).unwrap();
    Server::load(&file).unwrap()
}

/// Keys in several databases, some of them with an expiry.
fn add_databases(connection: &mut Connection) {
    for db in ["1", "7"] {
        connection.command(&["SELECT", db]).unwrap();
        for n in 0..500 {
            let key = format!("key:{n}");
            connection.command(&["SET", &key, &format!("{db}-{n}")]).unwrap();
            if n % 3 == 0 {
                let at = 4_102_444_800_000_u64 + n;
                connection.command(&["PEXPIREAT", &key, &at.to_string()]).unwrap();
            }
        }
    }
    connection.command(&["SELECT", "0"]).unwrap();
}

#[test]
fn every_key_of_a_scan_is_as_the_rdb_file_has_it() {
    let server = filled(3000);
    add_databases(&mut server.connect().unwrap());
    let expected = saved(&server);
    assert!(expected.records.len() > 3000, "{}", expected.records.len());
    for options in [ScanOptions::default(), ScanOptions::default().with_batch_bytes(1000)] {
        let found = scan(&server, options);
        found.assert_same(&expected);
        assert_eq!(found.repeats, 0);
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    }
}
