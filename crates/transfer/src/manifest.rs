use keystar_item::KeySchema;

use crate::{CsvOptions, Error, Format, ImportOptions, Receipt, store::Store};

/// The manifest's name in the output folder: outside of the import prefix, where any foreign file
/// would break the import.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The folder that is the import prefix: import files and nothing else.
pub(crate) const DATA: &str = "data";

/// What lies in an output folder: `manifest.json`.
///
/// | field | meaning |
/// |---|---|
/// | `version` | of this schema: 1 |
/// | `tool` | who wrote it, with version |
/// | `created` | when the run began, as the caller gave it |
/// | `format` | `dynamodb-json`, `ion` or `csv`: the import's `InputFormat` |
/// | `delimiter` | CSV only: between columns |
/// | `compression` | `none`, `gzip` or `zstd`: the import's `InputCompressionType` |
/// | `prefix` | the folder that holds the files: the import's `S3KeyPrefix` ends with it |
/// | `key` | the table's key |
/// | `spec_hash` | what the items were made by |
/// | `items`, `bytes`, `stored_bytes` | totals of the files |
/// | `files` | [`ImportFile`]s in the order of their names |
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Of this schema: 1.
    pub version: u32,
    /// Who wrote it, with version.
    pub tool: String,
    /// When the run began, as the caller gave it.
    pub created: String,
    /// The files' text form: `dynamodb-json`, `ion` or `csv`.
    pub format: String,
    /// CSV only: between columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// The folder that holds the files.
    pub prefix: String,
    /// The table's key.
    pub key: KeySchema,
    /// What the items were made by: the mapping's digest.
    pub spec_hash: String,
    /// Items in all files.
    pub items: u64,
    /// Bytes of all files before compression.
    pub bytes: u64,
    /// Bytes of all files as stored.
    pub stored_bytes: u64,
    /// The files.
    pub files: Vec<ImportFile>,
}

/// One import file of the output.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[non_exhaustive]
pub struct ImportFile {
    /// Relative to the output folder, such as `data/part-00000.json.gz`.
    pub key: String,
    /// Items in it.
    pub items: u64,
    /// Bytes before compression.
    pub bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// SHA-256 of the stored bytes, in hex.
    pub sha256: String,
}

impl Manifest {
    pub(crate) fn new(options: &ImportOptions, receipt: &Receipt) -> Self {
        Self {
            version: 1,
            tool: concat!("keystar-transfer ", env!("CARGO_PKG_VERSION")).to_owned(),
            created: options.created.clone(),
            format: options.format.as_str().to_owned(),
            delimiter: match &options.format {
                Format::Csv(csv) => Some(char::from(csv.delimiter)),
                _ => None,
            },
            compression: options.compression.as_str().to_owned(),
            prefix: format!("{DATA}/"),
            key: options.table.key.clone(),
            spec_hash: options.spec_hash.clone(),
            items: receipt.items,
            bytes: receipt.bytes,
            stored_bytes: receipt.stored_bytes,
            files: receipt.files.clone(),
        }
    }

    pub(crate) fn write(&self, store: &Store) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|source| Error::Json { place: store.place(MANIFEST), source })?;
        text.push(b'\n');
        store.put(MANIFEST, &text)
    }

    /// The manifest of the folder, if it has one.
    pub(crate) fn read(store: &Store) -> Result<Option<Self>, Error> {
        let Some(text) = store.get(MANIFEST)? else { return Ok(None) };
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { place: store.place(MANIFEST), source })?;
        if manifest.version != 1 {
            return Err(Error::Damaged {
                file: MANIFEST.to_owned(),
                reason: "it is of a later version than this program reads",
            });
        }
        Ok(Some(manifest))
    }

    /// The text form that the files have.
    pub(crate) fn format(&self) -> Result<Format, Error> {
        let mut format: Format = self.format.parse()?;
        if let (Format::Csv(csv), Some(delimiter)) = (&mut format, self.delimiter) {
            *csv = CsvOptions::default().with_delimiter(u8::try_from(delimiter).unwrap_or(b','));
        }
        Ok(format)
    }
}
