//! One golden for each dump: all that is told of it.
//!
//! `UPDATE_GOLDENS=1 cargo test -p keystar-rdb` writes them anew. Look at the difference before
//! you commit it: what servers and other decoders say of the same files is tested elsewhere.

use std::io::Write;

use keystar_rdb::{Level, Options};

use crate::{fixture, render};

/// Longer goldens are packed, to keep the repository small.
const LONG: usize = 32 << 10;

#[test]
fn every_dump_tells_its_golden() {
    let mut wrong = Vec::new();
    for name in fixture::all() {
        let told = render::whole(&fixture::rdb(&name), Options::new(Level::Records));
        let told = render::lines(&told);
        let plain = fixture::goldens().join(name.replace(".rdb", ".jsonl"));
        let packed = fixture::goldens().join(name.replace(".rdb", ".jsonl.gz"));
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::create_dir_all(plain.parent().unwrap()).unwrap();
            let _ = std::fs::remove_file(&plain);
            let _ = std::fs::remove_file(&packed);
            if told.len() < LONG {
                std::fs::write(&plain, &told).unwrap();
            } else {
                let file = std::fs::File::create(&packed).unwrap();
                let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::best());
                file.write_all(told.as_bytes()).unwrap();
            }
        }
        let golden = fixture::read(if told.len() < LONG { &plain } else { &packed });
        if golden != told.as_bytes() {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "these differ from their goldens: {wrong:#?}");
}
