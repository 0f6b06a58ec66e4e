//! What DynamoDB writes beside an export's files.

use serde::Deserialize;

use crate::{
    Error, Format, UnixMicros,
    store::{Store, join},
};

use super::{ExportKind, ExportView, place::Listing, stored::md5};

pub(super) const SUMMARY: &str = "manifest-summary.json";

/// `manifest-summary.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) export_arn: Option<String>,
    pub(super) table_arn: Option<String>,
    pub(super) table_id: Option<String>,
    export_time: Option<String>,
    export_from_time: Option<String>,
    export_to_time: Option<String>,
    pub(super) s3_prefix: Option<String>,
    pub(super) manifest_files_s3_key: String,
    pub(super) item_count: u64,
    output_format: String,
    output_view: Option<String>,
    export_type: Option<String>,
}

/// A line of `manifest-files.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DataFile {
    pub(super) item_count: u64,
    pub(super) md5_checksum: Option<String>,
    pub(super) data_file_s3_key: String,
}

impl Summary {
    /// The summary, and a remark if it is not the one that DynamoDB wrote.
    pub(super) fn read(
        store: &Store,
        listing: &mut Listing<'_>,
        folder: &str,
    ) -> Result<(Self, Option<String>), Error> {
        let (path, text, mismatch) = checked(store, listing, folder, SUMMARY)?;
        let summary = serde_json::from_slice(&text)
            .map_err(|source| Error::Json { place: store.place(&path), source })?;
        // Somebody edits it when an export is handed on: account and bucket are named in it. What
        // it says of the data is checked against the list of files, which has its own checksum.
        let remark =
            mismatch.map(|mismatch| format!("{mismatch}: it was changed after the export"));
        Ok((summary, remark))
    }

    /// The files, by name.
    pub(super) fn files(
        &self,
        store: &Store,
        listing: &mut Listing<'_>,
        folder: &str,
    ) -> Result<Vec<DataFile>, Error> {
        let name = self.manifest_files_s3_key.rsplit('/').next().unwrap_or_default();
        let (path, text, mismatch) = checked(store, listing, folder, name)?;
        if let Some(mismatch) = mismatch {
            return Err(mismatch);
        }
        let place = store.place(&path);
        let mut files = Vec::new();
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let file: DataFile = serde_json::from_slice(line).map_err(|source| Error::Entry {
                file: place.clone(),
                line: number,
                source,
            })?;
            files.push(file);
        }
        files.sort_by(|a, b| a.data_file_s3_key.cmp(&b.data_file_s3_key));
        let twice = files.windows(2).find_map(|pair| match pair {
            [a, b] if a.data_file_s3_key == b.data_file_s3_key => Some(&a.data_file_s3_key),
            _ => None,
        });
        if let Some(file) = twice {
            let reason = "manifest-files.json names it twice";
            return Err(Error::Damaged { file: file.clone(), reason });
        }
        let sum = files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.item_count));
        if sum != Some(self.item_count) {
            let found = sum.unwrap_or(u64::MAX);
            return Err(Error::Count { file: place, expected: self.item_count, found });
        }
        Ok(files)
    }

    /// Manifests of full exports do not say that they are.
    pub(super) fn kind(&self, place: &str) -> Result<ExportKind, Error> {
        let time = |text: &Option<String>, reason| {
            let time = text.as_deref().and_then(|text| text.parse::<UnixMicros>().ok());
            time.ok_or_else(|| Error::Damaged { file: place.to_owned(), reason })
        };
        match self.export_type.as_deref() {
            None | Some("FULL_EXPORT") => Ok(ExportKind::Full {
                export_time: time(&self.export_time, "its exportTime is not a time")?,
            }),
            Some("INCREMENTAL_EXPORT") => Ok(ExportKind::Incremental {
                from: time(&self.export_from_time, "its exportFromTime is not a time")?,
                to: time(&self.export_to_time, "its exportToTime is not a time")?,
                view: match self.output_view.as_deref() {
                    Some("NEW_AND_OLD_IMAGES") => ExportView::NewAndOldImages,
                    _ => ExportView::NewImage,
                },
            }),
            Some(_) => Err(Error::Damaged {
                file: place.to_owned(),
                reason: "its exportType is neither FULL_EXPORT nor INCREMENTAL_EXPORT",
            }),
        }
    }

    pub(super) fn format(&self, place: &str) -> Result<Format, Error> {
        match self.output_format.as_str() {
            "DYNAMODB_JSON" => Ok(Format::DynamoDbJson),
            "ION" => Ok(Format::Ion),
            _ => Err(Error::Damaged {
                file: place.to_owned(),
                reason: "its outputFormat is neither DYNAMODB_JSON nor ION",
            }),
        }
    }
}

/// A small file with its path, and how it differs from its checksum if there is one.
fn checked(
    store: &Store,
    listing: &mut Listing<'_>,
    folder: &str,
    name: &str,
) -> Result<(String, Vec<u8>, Option<Error>), Error> {
    let path = join(folder, name);
    let Some(text) = store.get(&path)? else {
        return Err(Error::Missing {
            place: store.place(&path),
            source: std::io::ErrorKind::NotFound.into(),
        });
    };
    let stem = name.strip_suffix(".json").unwrap_or(name);
    // The guide says `.checksum`, DynamoDB writes `.md5`.
    for end in [".md5", ".checksum", ".json.md5", ".json.checksum"] {
        let beside = format!("{stem}{end}");
        if listing.size(folder, &beside)?.is_none() {
            continue;
        }
        let Some(checksum) = store.get(&join(folder, &beside))? else { continue };
        let found = md5(&text);
        let checksum = checksum.trim_ascii();
        if checksum != found.as_bytes() {
            let mismatch = Error::Checksum {
                file: store.place(&path),
                algorithm: "MD5",
                expected: String::from_utf8_lossy(checksum).into_owned(),
                found,
            };
            return Ok((path, text, Some(mismatch)));
        }
    }
    Ok((path, text, None))
}
