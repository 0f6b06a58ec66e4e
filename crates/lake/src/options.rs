/// How the lake's files are written.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LakeOptions {
    /// How pages are compressed.
    pub compression: Compression,
    /// About as large as a file becomes before the next is begun, in bytes. Default 192 MiB:
    /// engines read files of 128 to 256 MB best.
    pub file_bytes: u64,
    /// The most rows of a row group. Default 1,048,576.
    pub row_group_rows: usize,
    /// About as large, encoded, as a row group becomes, in bytes. Default 32 MiB.
    pub row_group_bytes: usize,
    /// About what one task may hold in memory, in bytes: rows that wait to be encoded, and row
    /// groups that wait to be written. Beyond, the largest row group is written as it is. Default
    /// 64 MiB.
    pub task_bytes: usize,
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            file_bytes: 192 << 20,
            row_group_rows: 1 << 20,
            row_group_bytes: 32 << 20,
            task_bytes: 64 << 20,
        }
    }
}

/// How the pages of Parquet files are compressed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// Zstandard, level 1: about as fast as Snappy and a third smaller.
    #[default]
    Zstd,
    /// Snappy, which every reader of Parquet knows.
    Snappy,
}
