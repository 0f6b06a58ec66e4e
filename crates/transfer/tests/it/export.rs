use keystar_transfer::{Block, Export};

pub(crate) const FIXTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/ddb-export");

/// Every record of an export, file after file.
pub(crate) fn lines(export: &Export) -> Vec<String> {
    let mut lines = Vec::new();
    let mut block = Block::new();
    for file in 0..export.files().len() {
        let mut blocks = export.read(file).unwrap();
        while blocks.next_block(&mut block).unwrap() {
            lines.extend(block.lines().map(|(_, line)| String::from_utf8(line.to_vec()).unwrap()));
        }
    }
    lines
}

#[test]
fn exports_are_found_in_the_order_in_which_they_apply() {
    let exports = Export::open_all(FIXTURE).unwrap();
    let found: Vec<_> = exports
        .iter()
        .map(|export| (export.info().to_string(), export.files().len(), lines(export).len()))
        .collect();
    let of = |text: &str, files, lines| (text.to_owned(), files, lines);
    assert_eq!(
        found,
        [
            of(
                "01772445612345-1f0c22a7: full, as of 2026-03-02T10:00:12.345Z, of table shop, \
                 7 records",
                4,
                7
            ),
            of(
                "01772446590000-8d41be03: incremental, from 2026-03-02T10:00:00Z \
                 to 2026-03-02T10:15:00Z, of table shop, 3 records",
                3,
                3
            ),
            of(
                "01772447490000-c27e95d1: incremental, from 2026-03-02T10:15:00Z \
                 to 2026-03-02T10:30:00Z, of table shop, 4 records",
                4,
                4
            ),
        ]
    );
}
