//! Files that are written again: with other types, without some rows, with values that waited, or
//! as part of a larger one.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::SchemaRef;
use keystar_star::LockedColumn;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cells::Cells;
use crate::evolution::{Target, Waiting};
use crate::manifest::LakeFile;
use crate::table::{SYSTEM_COLUMNS, schema};
use crate::window::mask;
use crate::writer::Writer;
use crate::{Error, LakeOptions};

/// A file that may have to be written again.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) file: LakeFile,
    /// Whether it is of this load.
    pub(crate) is_new: bool,
    /// Which rows stay; `None` for all.
    keep: Option<Vec<bool>>,
    /// The number of its first row among the task's.
    start: u64,
    /// Values that wait for a column in the task's rows.
    waiting: Option<PathBuf>,
    /// Whether it becomes part of a larger file.
    pub(crate) merges: bool,
}

impl Source {
    pub(crate) fn old(folder: &Path, file: &LakeFile, keep: Option<Vec<bool>>) -> Self {
        Self {
            path: folder.join(&file.name),
            file: file.clone(),
            is_new: false,
            keep,
            start: 0,
            waiting: None,
            merges: false,
        }
    }

    pub(crate) fn new(
        folder: &Path,
        file: &LakeFile,
        keep: Option<Vec<bool>>,
        start: u64,
        waiting: Option<PathBuf>,
    ) -> Self {
        Self { is_new: true, start, waiting, ..Self::old(folder, file, keep) }
    }

    pub(crate) fn needs_rewrite(&self) -> bool {
        self.keep.is_some() || self.waiting.is_some() || self.merges
    }
}

/// Writes files again, one after the other, into as few as their sizes allow.
pub(crate) struct Rewrite<'r, P> {
    columns: &'r [LockedColumn],
    schema: SchemaRef,
    /// Which column a waiting value is for.
    place: P,
    writer: Writer,
    /// The waiting values of the task at hand.
    waiting: Option<(PathBuf, Waiting)>,
    lost: u64,
}

impl<'r, P: Fn(&Target) -> Option<usize>> Rewrite<'r, P> {
    pub(crate) fn new(
        folder: &Path,
        stem: &str,
        columns: &'r [LockedColumn],
        place: P,
        options: &LakeOptions,
    ) -> Self {
        let schema = schema(columns.iter().map(|column| (column.name.as_str(), &column.ty)));
        let writer = Writer::new(
            folder.to_owned(),
            stem.to_owned(),
            SchemaRef::clone(&schema),
            options.clone(),
        );
        Self { columns, schema, place, writer, waiting: None, lost: 0 }
    }

    pub(crate) fn add(&mut self, source: &Source) -> Result<(), Error> {
        if let Some(folder) = source.path.parent() {
            // An entity that the model no longer has has no folder to write to yet.
            let target = self.writer.folder();
            if folder != target {
                std::fs::create_dir_all(target).map_err(Error::io(target))?;
            }
        }
        match &source.waiting {
            Some(path) if self.waiting.as_ref().is_none_or(|(other, _)| other != path) => {
                self.waiting = Some((path.clone(), Waiting::open(path)?));
            }
            _ => {}
        }
        let path = &source.path;
        let input = File::open(path).map_err(Error::io(path))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(input)
            .and_then(|reader| reader.with_batch_size(8192).build())
            .map_err(Error::parquet(path))?;
        let mut at = 0;
        for batch in reader {
            let batch = batch.map_err(Error::parquet(path))?;
            let rows = batch.num_rows();
            let mut batch = self.complete(&batch, source, at)?;
            if let Some(keep) = &source.keep {
                batch = filter_record_batch(&batch, &mask(keep, at, rows))
                    .map_err(Error::parquet(path))?;
            }
            self.writer.write(&batch)?;
            at += rows;
        }
        Ok(())
    }

    /// The batch with all columns that there now are.
    fn complete(
        &mut self,
        batch: &RecordBatch,
        source: &Source,
        at: usize,
    ) -> Result<RecordBatch, Error> {
        let fault = Error::parquet::<arrow::error::ArrowError>(&source.path);
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (index, field) in self.schema.fields().iter().enumerate() {
            let array = match batch.columns().get(index) {
                Some(array) if array.data_type() == field.data_type() => ArrayRef::clone(array),
                Some(array) => {
                    cast_with_options(array, field.data_type(), &options).map_err(&fault)?
                }
                None => new_null_array(field.data_type(), batch.num_rows()),
            };
            arrays.push(array);
        }
        if let Some((_, waiting)) = self.waiting.as_mut().filter(|_| source.waiting.is_some()) {
            let start = source.start + at as u64;
            let end = start + batch.num_rows() as u64;
            let (columns, place) = (self.columns, &self.place);
            let make =
                |target: &Target| columns.get(place(target)?).map(|column| Cells::new(&column.ty));
            for (target, mut cells) in waiting.take(start, end, make, &mut self.lost)? {
                let array = cells.take().map_err(&fault)?;
                let Some(slot) =
                    place(&target).and_then(|column| arrays.get_mut(SYSTEM_COLUMNS + column))
                else {
                    continue;
                };
                let is_here: BooleanArray =
                    (0..array.len()).map(|row| Some(array.is_valid(row))).collect();
                *slot = zip(&is_here, &array, slot).map_err(&fault)?;
            }
        }
        RecordBatch::try_new(SchemaRef::clone(&self.schema), arrays).map_err(&fault)
    }

    /// The files, and how many waiting values found no place.
    pub(crate) fn finish(self) -> Result<(Vec<LakeFile>, u64), Error> {
        Ok((self.writer.finish()?, self.lost))
    }
}
