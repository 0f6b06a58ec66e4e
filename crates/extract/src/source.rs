use std::fmt::Debug;

use futures_core::future::BoxFuture;

use crate::{Batch, Error, Position};

/// Where Redis data comes from.
///
/// # Contract
///
/// - Batches come in the source's own order, and every key of the source is in exactly one batch
///   (a key whose value is too big to hold comes as parts, in order, in one batch or in several
///   that follow each other).
/// - The same source, filled from the same position, gives the same batches: a job that resumes
///   sees what it would have seen.
/// - An empty source gives no batch. After the end, `fill` keeps saying so.
/// - A `fill` that is dropped half-way or fails leaves the source unusable; begin again from the
///   last position.
pub trait Source: Debug + Send {
    /// Empties `batch` and fills it with what comes next; `false` at the end.
    ///
    /// # Errors
    ///
    /// [`Error`] says what broke and where. A record that is damaged by itself is not an error:
    /// it comes as an [`Entry::Failed`](crate::Entry::Failed).
    fn fill<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<bool, Error>>;

    /// Goes on from a position that a batch of the same source had; call it before any `fill`.
    ///
    /// # Errors
    ///
    /// [`Error::Position`] when the position is of another source.
    fn resume<'a>(&'a mut self, position: &'a Position) -> BoxFuture<'a, Result<(), Error>>;

    /// The source's size in bytes as it is stored, where that is known.
    fn total_bytes(&self) -> Option<u64>;

    /// How many keys the source holds, where it says so beforehand; they may come and go meanwhile.
    fn total_keys(&self) -> Option<u64> {
        None
    }
}
