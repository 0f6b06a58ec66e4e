use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use keystar_sql::{Schema, TableName};
use keystar_star::Name;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{Error, error::OrIo, folder::Folder};

/// The newest format of `commit.json` that is known.
const FORMAT: u32 = 1;

/// What a warehouse holds: the state after its last successful load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Commit {
    format: u32,
    /// How many loads have changed the warehouse: the first is 1.
    pub number: u64,
    /// The run that made the commit.
    pub run: String,
    /// What the run had loaded, in its own words.
    pub source: String,
    /// When the run loaded it: microseconds since 1970.
    pub loaded_at: i64,
    /// The tables, in the order of their names.
    pub tables: Vec<CommitTable>,
}

/// A table of a [`Commit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommitTable {
    /// The layer: `keys` or `dwh`.
    pub schema: String,
    /// The table's name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// A sum over the rows that does not depend on their order, 32 hexadecimal digits: two tables
    /// of the same columns with the same digest hold the same rows.
    pub digest: String,
    /// Its columns, in order.
    pub columns: Vec<CommitColumn>,
    /// Its files; at least one, so that the columns' types can always be read.
    pub files: Vec<CommitFile>,
}

/// A column of a [`CommitTable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommitColumn {
    /// Its name.
    pub name: String,
    /// Its type, in Arrow's words.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A file of a [`CommitTable`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommitFile {
    /// Its name in the table's folder.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// The XXH3 (128 bits) of its bytes, 32 hexadecimal digits.
    pub xxh3: String,
    /// Its share of the table's digest.
    pub digest: String,
}

impl Commit {
    pub(crate) fn new(number: u64, run: &str, source: &str, loaded_at: i64) -> Self {
        let (run, source) = (run.to_owned(), source.to_owned());
        Self { format: FORMAT, number, run, source, loaded_at, tables: Vec::new() }
    }

    /// The rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// The bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tables.iter().flat_map(|table| &table.files).map(|file| file.bytes).sum()
    }

    /// The table of that schema and name.
    #[must_use]
    pub fn table(&self, schema: &str, name: &str) -> Option<&CommitTable> {
        self.tables.iter().find(|table| table.schema == schema && table.name == name)
    }

    /// The last commit of a warehouse; `None` before the first.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, Error> {
        let path = folder.commit();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io("read", &path, source)),
        };
        let damaged = |reason: String| Error::Damaged { file: path.display().to_string(), reason };
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let format: Format =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if format.format > FORMAT {
            return Err(Error::Format {
                file: path.display().to_string(),
                found: format.format,
                known: FORMAT,
            });
        }
        let commit: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        for table in &commit.tables {
            let name = table.table_name();
            // A name that leads elsewhere would be read, and later removed, elsewhere.
            let odd = name.is_none() || table.files.iter().any(|file| !is_plain(&file.name));
            if odd || table.files.is_empty() {
                return Err(damaged(format!(
                    "the table {:?}.{:?} is none that a load writes",
                    table.schema, table.name
                )));
            }
        }
        Ok(Some(commit))
    }

    /// Makes this the warehouse's commit, durably and in one step.
    pub(crate) fn write(&self, folder: &Folder) -> Result<(), Error> {
        let path = folder.commit();
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(io::Error::from).or_io("write", &path)?;
        bytes.push(b'\n');
        folder.replace(&path, &bytes)
    }

    /// The paths of all files.
    pub(crate) fn paths(&self, folder: &Folder) -> HashSet<PathBuf> {
        self.tables
            .iter()
            .filter_map(|table| Some((table.table_name()?, table)))
            .flat_map(|(name, table)| {
                let home = folder.table(&name);
                table.files.iter().map(move |file| home.join(&file.name))
            })
            .collect()
    }
}

impl CommitTable {
    /// `None` if it is not a name; a commit that was read has none such.
    pub(crate) fn table_name(&self) -> Option<TableName> {
        let schema = Schema::ALL.into_iter().find(|schema| schema.as_str() == self.schema)?;
        Some(TableName::new(schema, Name::new(&self.name).ok()?))
    }
}

/// Whether a name is one of a file in the folder itself.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

/// The XXH3 of a file's bytes, and how many there are.
pub(crate) fn hash_file(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(hash.digest128()), bytes)),
            Ok(read) => {
                hash.update(buffer.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// 32 hexadecimal digits.
pub(crate) fn hex(number: u128) -> String {
    format!("{number:032x}")
}

/// The number of [`hex`].
pub(crate) fn unhex(text: &str) -> Option<u128> {
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Commit {
        let mut commit = Commit::new(3, "r", "s", 5);
        commit.tables.push(CommitTable {
            schema: "dwh".into(),
            name: "sales".into(),
            rows: 1,
            digest: hex(7),
            columns: Vec::new(),
            files: vec![CommitFile {
                name: "000003-001.parquet".into(),
                rows: 1,
                bytes: 2,
                xxh3: hex(9),
                digest: hex(7),
            }],
        });
        commit
    }

    #[test]
    fn a_commit_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path()).unwrap();
        assert_eq!(Commit::read(&folder).unwrap(), None);
        commit().write(&folder).unwrap();
        assert_eq!(Commit::read(&folder).unwrap(), Some(commit()));
        assert!(!dir.path().join("commit.json.part").exists());
    }

    #[test]
    fn a_commit_that_leads_elsewhere_or_comes_from_the_future_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path()).unwrap();
        let said = |commit: &Commit| {
            commit.write(&folder).unwrap();
            Commit::read(&folder).unwrap_err()
        };
        let mut odd = commit();
        odd.tables[0].files[0].name = "../../x.parquet".into();
        assert!(said(&odd).to_string().ends_with(
            "commit.json is damaged: the table \"dwh\".\"sales\" is none that a load writes"
        ));
        odd = commit();
        odd.tables[0].schema = "..".into();
        assert!(matches!(said(&odd), Error::Damaged { .. }));
        odd = commit();
        odd.format = 2;
        assert!(matches!(said(&odd), Error::Format { found: 2, known: 1, .. }));
        fs::write(folder.commit(), "{").unwrap();
        assert!(matches!(Commit::read(&folder), Err(Error::Damaged { .. })));
    }
}
