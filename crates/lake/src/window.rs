//! What a window changes: which rows go, and which of its own are newer than what the lake has.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Error;
use crate::manifest::LakeFile;
use crate::table::SYSTEM_COLUMNS;
use crate::task::{TaskReport, key_hash};

/// The keys that a window changes, 32 bytes each.
#[derive(Debug)]
pub(crate) struct Window {
    changes: HashMap<u128, i64>,
    /// Keys of which the lake has newer rows.
    outdone: HashSet<u128>,
    /// Rows that are gone.
    pub(crate) replaced: u64,
    /// Rows of the window that were not taken.
    pub(crate) outdated: u64,
}

impl Window {
    pub(crate) fn new(reports: &[TaskReport]) -> Result<Self, Error> {
        let mut changes: HashMap<u128, i64> = HashMap::new();
        for report in reports {
            for change in &report.changes {
                let newest = changes.entry(change.key).or_insert(i64::MIN);
                if *newest == change.written_at {
                    return Err(Error::Twice { line: change.line, micros: change.written_at });
                }
                *newest = change.written_at.max(*newest);
            }
        }
        Ok(Self { changes, outdone: HashSet::new(), replaced: 0, outdated: 0 })
    }

    /// Which rows of a file of the lake stay; `None` for all of them.
    pub(crate) fn look_at_old(
        &mut self,
        path: &Path,
        file: &LakeFile,
    ) -> Result<Option<Vec<bool>>, Error> {
        let (changes, outdone) = (&self.changes, &mut self.outdone);
        let keep = look(path, file, |key, written_at| match changes.get(&key) {
            None => true,
            Some(change) if *change >= written_at => false,
            Some(_) => {
                outdone.insert(key);
                true
            }
        })?;
        self.replaced += gone(keep.as_deref());
        Ok(keep)
    }

    /// Which rows of a file of the window are taken; `None` for all of them.
    pub(crate) fn look_at_new(
        &mut self,
        path: &Path,
        file: &LakeFile,
    ) -> Result<Option<Vec<bool>>, Error> {
        let (changes, outdone) = (&self.changes, &self.outdone);
        let keep = look(path, file, |key, written_at| {
            !outdone.contains(&key) && changes.get(&key).is_none_or(|newest| *newest <= written_at)
        })?;
        self.outdated += gone(keep.as_deref());
        Ok(keep)
    }
}

fn gone(keep: Option<&[bool]>) -> u64 {
    keep.map_or(0, |keep| keep.iter().filter(|keep| !**keep).count() as u64)
}

fn look(
    path: &Path,
    file: &LakeFile,
    mut keeps: impl FnMut(u128, i64) -> bool,
) -> Result<Option<Vec<bool>>, Error> {
    let input = File::open(path).map_err(Error::io(path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(input).map_err(Error::parquet(path))?;
    let mask = ProjectionMask::roots(reader.parquet_schema(), 0..SYSTEM_COLUMNS);
    let reader = reader.with_projection(mask).build().map_err(Error::parquet(path))?;
    let mut keep = Vec::with_capacity(usize::try_from(file.rows).unwrap_or(0).min(1 << 24));
    for batch in reader {
        let batch = batch.map_err(Error::parquet(path))?;
        let [pk, sk, written_at] = system_columns(&batch, path)?;
        let (pk, sk) = (pk.as_string_opt::<i32>(), sk.as_string_opt::<i32>());
        let written_at = written_at.as_primitive_opt::<TimestampMicrosecondType>();
        let (Some(pk), Some(sk), Some(written_at)) = (pk, sk, written_at) else {
            return Err(damaged(path));
        };
        for ((pk, sk), written_at) in pk.iter().zip(sk).zip(written_at) {
            let (Some(pk), Some(written_at)) = (pk, written_at) else { return Err(damaged(path)) };
            keep.push(keeps(key_hash(pk, sk), written_at));
        }
    }
    Ok(keep.contains(&false).then_some(keep))
}

type Column = arrow::array::ArrayRef;

fn system_columns<'b>(batch: &'b RecordBatch, path: &Path) -> Result<[&'b Column; 3], Error> {
    match batch.columns() {
        [pk, sk, written_at, ..] => Ok([pk, sk, written_at]),
        _ => Err(damaged(path)),
    }
}

pub(crate) fn damaged(path: &Path) -> Error {
    let message = "a file of the lake lacks the columns _pk, _sk and _written_at";
    Error::parquet(path)(parquet::errors::ParquetError::General(message.to_owned()))
}

/// The part of the rows from `start` on, as many as there are in a batch.
pub(crate) fn mask(keep: &[bool], start: usize, rows: usize) -> BooleanArray {
    let part = keep.get(start..start + rows).unwrap_or_default();
    BooleanArray::from(part.to_vec())
}
