use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use keystar_star::{Lock, LockedColumn, Model, Name};

use crate::build::{LakeBuild, LoadInput};
use crate::manifest::{LakeManifest, SYSTEM};
use crate::table;
use crate::task::{UNKNOWN_ENTITY, unknown_column};
use crate::{Error, LakeOptions};

/// A folder of Parquet files, one folder `type=<entity>` for each entity, with one manifest that
/// says which files count.
///
/// What is read here is the state of the last commit, whatever has been begun since.
#[derive(Clone, Debug)]
pub struct Lake {
    folder: PathBuf,
    manifest: Option<LakeManifest>,
    lock: Lock,
}

/// An entity's rows in the lake.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LakeTable {
    /// The entity; its files are in `type=<entity>`.
    pub entity: Name,
    /// The columns after `_pk` (text), `_sk` (text, NULL without a sort key) and `_written_at`
    /// (timestamp), in the order that they have in the files. A file may lack the last ones: they
    /// are NULL there.
    pub columns: Vec<LockedColumn>,
    /// The files; none for an entity without rows.
    pub files: Vec<PathBuf>,
    /// The rows of all files.
    pub rows: u64,
}

impl LakeTable {
    /// The schema of its files, the system's columns first.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        table::schema(self.columns.iter().map(|column| (column.name.as_str(), &column.ty)))
    }
}

impl Lake {
    /// Opens the lake in a folder, which need not be there yet.
    ///
    /// # Errors
    ///
    /// When the manifest cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let manifest = LakeManifest::read(folder)?;
        let lock = match &manifest {
            Some(manifest) => {
                Lock::parse(&manifest.lock).map_err(|error| Error::Lock(error.to_string()))?
            }
            None => Lock::default(),
        };
        Ok(Self { folder: folder.to_owned(), manifest, lock })
    }

    /// The lake's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the last commit left; `None` before the first.
    #[must_use]
    pub fn manifest(&self) -> Option<&LakeManifest> {
        self.manifest.as_ref()
    }

    /// The columns of every entity's files.
    #[must_use]
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// The entities with their files, in the order in which they came into the lake.
    #[must_use]
    pub fn tables(&self) -> Vec<LakeTable> {
        let table = |entity: &Name| self.table(entity.clone(), self.lock.columns(entity).to_vec());
        self.lock.entities().map(table).collect()
    }

    /// The items of no entity, `_unknown`: `item` is their DynamoDB JSON.
    #[must_use]
    pub fn unknown(&self) -> LakeTable {
        self.table(Name::fold(UNKNOWN_ENTITY), vec![unknown_column()])
    }

    fn table(&self, entity: Name, columns: Vec<LockedColumn>) -> LakeTable {
        let found = self.manifest.as_ref().and_then(|all| all.entities.get(entity.as_str()));
        let folder = entity_folder(&self.folder, entity.as_str());
        let files = found.into_iter().flat_map(|found| &found.files);
        LakeTable {
            files: files.map(|file| folder.join(&file.name)).collect(),
            rows: found.map_or(0, |found| found.rows),
            entity,
            columns,
        }
    }

    /// The folder of an export's reject files, which is there only if something was set aside.
    #[must_use]
    pub fn rejects(&self, export_id: &str) -> PathBuf {
        self.folder.join(SYSTEM).join("rejects").join(plain_name(export_id))
    }

    /// Begins to load an export. Nothing that is read from the lake changes before
    /// [`LakeBuild::commit`]; what an earlier build left behind is cleaned up.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] while another build is under way, [`Error::Lock`] if the model does not go
    /// with the lake's columns, [`Error::NothingToChange`] and [`Error::AlreadyApplied`] for
    /// windows, and when the folder cannot be written.
    pub fn begin(
        &self,
        model: &Model,
        input: LoadInput,
        options: LakeOptions,
    ) -> Result<LakeBuild, Error> {
        LakeBuild::begin(&self.folder, model, input, options)
    }
}

pub(crate) fn entity_folder(lake: &Path, entity: &str) -> PathBuf {
    lake.join(format!("type={entity}"))
}

/// A name for files: the id itself where that is safe, else one made of it.
pub(crate) fn plain_name(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.bytes().all(is_plain) {
        return id.to_owned();
    }
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(id.as_bytes()))
}
