//! What is in the lake: one file, whose change of name is the commit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// What is in a lake, as of its last commit: `_keystar/manifest.json`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LakeManifest {
    /// The form of this file.
    pub version: u32,
    /// How many commits there were, this one included.
    pub commit: u64,
    /// The run that made it.
    pub run_id: String,
    /// The exports that are in the lake: the last full one, and the windows after it, in order.
    pub applied: Vec<Applied>,
    /// The entities by name; `_unknown` for the items of none.
    pub entities: BTreeMap<String, EntityFiles>,
    /// The columns of every entity's files, as `model.lock` has them.
    pub lock: String,
}

/// An export that is in the lake.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Applied {
    /// The export's id.
    pub export_id: String,
    /// What it holds.
    pub kind: LoadKind,
}

/// What an export holds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
#[allow(clippy::exhaustive_enums, reason = "DynamoDB exports in these two ways")]
pub enum LoadKind {
    /// Every item of the table.
    Full {
        /// When all of them are taken to be written, in microseconds since 1970 UTC.
        written_at: i64,
    },
    /// What changed in a span of time.
    Incremental {
        /// From when on, in microseconds since 1970 UTC.
        from: i64,
        /// Until when; this moment itself is not in it.
        to: i64,
    },
}

/// The files of one entity.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EntityFiles {
    /// The rows of all files.
    pub rows: u64,
    /// The files, in the order in which they are read.
    pub files: Vec<LakeFile>,
    /// Columns that attributes outside of the model became, by
    /// [`Drift::Evolve`](keystar_star::Drift::Evolve).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evolved: Vec<EvolvedColumn>,
}

/// A Parquet file of the lake.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LakeFile {
    /// Its name in the entity's folder.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// A column of an attribute that the model does not know.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EvolvedColumn {
    /// The attribute.
    pub attribute: String,
    /// The column.
    pub column: String,
}

const VERSION: u32 = 1;

impl LakeManifest {
    pub(crate) fn new() -> Self {
        Self { version: VERSION, ..Self::default() }
    }

    /// The manifest of a lake; `None` if nothing was committed yet.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let fault = |message: String| Error::Manifest { path: path.clone(), message };
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(fault(format!("version {VERSION} is expected")));
        }
        let plain =
            |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
        for (entity, files) in &manifest.entities {
            if !plain(entity) || !files.files.iter().all(|file| plain(&file.name)) {
                return Err(fault("a name leads out of the lake".to_owned()));
            }
        }
        Ok(Some(manifest))
    }

    /// Takes the place of the manifest that is there: this is the commit.
    pub(crate) fn commit(&self, folder: &Path) -> Result<(), Error> {
        let fault = |error: serde_json::Error| Error::Manifest {
            path: path(folder),
            message: error.to_string(),
        };
        let mut text = serde_json::to_vec_pretty(self).map_err(fault)?;
        text.push(b'\n');
        replace(&path(folder), &text)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(SYSTEM).join("manifest.json")
}

/// The folder of what is not data, in the lake's.
pub(crate) const SYSTEM: &str = "_keystar";

/// Writes a file whole or not at all.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<(), Error> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().map_err(Error::io(&new))?;
    fs::rename(&new, path).map_err(Error::io(path))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}
