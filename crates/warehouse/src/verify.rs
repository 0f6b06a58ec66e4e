use std::{fs::File, path::Path};

use datafusion::arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{
    Commit, CommitFile,
    commit::{hash_file, hex},
    digest::Digest,
    folder::Folder,
};

/// What [`Embedded::verify`](crate::Embedded::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Tables looked at.
    pub tables: u64,
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rows counted.
    pub rows: u64,
    /// What is not as the commit says; none if all is well.
    pub problems: Vec<Problem>,
}

/// A file that is not as the commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

pub(crate) fn verify(folder: &Folder, commit: &Commit) -> VerifyReport {
    let mut report = VerifyReport::default();
    for table in &commit.tables {
        let Some(name) = table.table_name() else { continue };
        report.tables += 1;
        let home = folder.table(&name);
        let rows: u64 = table.files.iter().map(|file| file.rows).sum();
        if rows != table.rows {
            report.problems.push(Problem {
                file: folder.commit().display().to_string(),
                reason: format!("{name} has {} rows, its files have {rows}", table.rows),
            });
        }
        for file in &table.files {
            report.files += 1;
            report.bytes += file.bytes;
            report.rows += file.rows;
            let path = home.join(&file.name);
            if let Err(reason) = compare(&path, file) {
                report.problems.push(Problem { file: path.display().to_string(), reason });
            }
        }
    }
    report
}

fn compare(path: &Path, file: &CommitFile) -> Result<(), String> {
    let (hash, bytes) = hash_file(path).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes != file.bytes {
        return Err(format!("has {bytes} bytes, the commit says {}", file.bytes));
    }
    if hash != file.xxh3 {
        return Err("has other bytes than were committed".to_owned());
    }
    let (rows, digest) = rows_of(path).map_err(|error| format!("cannot be read: {error}"))?;
    if rows != file.rows || digest != file.digest {
        return Err("has other rows than were committed".to_owned());
    }
    Ok(())
}

/// The rows as a reader sees them: bytes that are right may still have been written wrongly.
fn rows_of(path: &Path) -> Result<(u64, String), ArrowError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let mut digest = Digest::new(reader.schema())?;
    let mut rows = 0;
    for batch in reader.build()? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        digest.add(&batch)?;
    }
    Ok((rows, hex(digest.sum())))
}
