//! The dumps of other projects and of real servers.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Where fixtures lie.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/rdb")
}

/// Where goldens lie.
pub(crate) fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/rdb")
}

/// A fixture's bytes, unpacked if its name ends in `.gz`.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
    unpacked
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(read(&root().join(name))).unwrap()
}

pub(crate) fn rdb(name: &str) -> Vec<u8> {
    read(&root().join(name))
}

/// The names of all dumps, as `librdb/empty.rdb`.
pub(crate) fn all() -> Vec<String> {
    let mut names = Vec::new();
    for dir in ["badboy-rdb-rs", "librdb", "redis", "servers"] {
        for entry in std::fs::read_dir(root().join(dir)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".rdb") {
                names.push(format!("{dir}/{name}"));
            }
        }
    }
    names.sort();
    // As many as the manifest lists: a lost fixture is not a passed test.
    assert_eq!(names.len(), 87, "{names:?}");
    names
}
