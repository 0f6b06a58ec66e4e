//! Objects on their way up. Parts of large ones are sent while more is written.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use object_store::{
    ObjectStoreExt, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle};

use crate::{Bucket, again::again, refusal::says};

/// The smallest part that S3 takes, because every open file holds one in memory.
const PART_BYTES: usize = 5 << 20;
/// Objects up to here need not have a whole part's memory.
const SMALL_BYTES: usize = 1 << 20;
/// Parts of one file that are on their way at once; one slow file leaves room for the others.
const PARTS_OF_A_FILE: usize = 4;
/// How long giving up an upload may take: somebody waits for the program to end.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);

/// An object in the making: parts of it are uploaded, but nobody sees it yet. Dropped before
/// [`complete`](Self::complete) it leaves nothing. A program that is killed leaves the parts; a
/// lifecycle rule of the bucket should remove them.
pub struct Upload {
    bucket: Bucket,
    at: Path,
    part: Vec<u8>,
    bytes: u64,
    /// From the first full part on: a small object is put whole.
    begun: Option<Multipart>,
}

struct Multipart {
    id: String,
    sent: Vec<PartId>,
    flying: VecDeque<JoinHandle<object_store::Result<PartId>>>,
}

impl Upload {
    /// Sends the part that is full. Waits while as many are under way as may be.
    fn send_part(&mut self) -> io::Result<()> {
        let bucket = self.bucket.clone();
        let begun = match &mut self.begun {
            Some(begun) => begun,
            None => {
                let id =
                    bucket.wait(Box::pin(again(|| bucket.parts.create_multipart(&self.at))))?;
                let (sent, flying) = (Vec::new(), VecDeque::new());
                self.begun.insert(Multipart { id, sent, flying })
            }
        };
        if begun.flying.len() >= PARTS_OF_A_FILE {
            begun.land(&bucket)?;
        }
        let slots = Arc::clone(&bucket.slots);
        let slot = bucket.runtime.block_on(slots.acquire_owned()).map_err(io::Error::other)?;
        let number = begun.sent.len() + begun.flying.len();
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let (parts, at, id) = (Arc::clone(&bucket.parts), self.at.clone(), begun.id.clone());
        begun.flying.push_back(bucket.runtime.spawn(fly(parts, at, id, number, payload, slot)));
        Ok(())
    }

    pub(crate) fn new(bucket: Bucket, at: Path) -> Self {
        Self { bucket, at, part: Vec::new(), bytes: 0, begun: None }
    }

    /// Makes it an object, in place of one of that name.
    ///
    /// # Errors
    ///
    /// What S3 said, sorted as in [`Error::Io`](crate::Error::Io); nothing is left then.
    pub fn complete(mut self) -> io::Result<()> {
        let bucket = self.bucket.clone();
        if self.begun.is_none() {
            let payload = PutPayload::from(std::mem::take(&mut self.part));
            let put = again(|| bucket.store().put(&self.at, payload.clone()));
            return bucket.wait(Box::pin(put)).map(drop);
        }
        if !self.part.is_empty() {
            self.send_part()?;
        }
        let Some(begun) = &mut self.begun else { return Ok(()) };
        while !begun.flying.is_empty() {
            begun.land(&bucket)?;
        }
        let completed = bucket.runtime.block_on(again(|| {
            bucket.parts.complete_multipart(&self.at, &begun.id, begun.sent.clone())
        }));
        match completed {
            Ok(_) => {}
            // The answer to an earlier attempt was lost: there is no such upload any more, because
            // it has become the object.
            Err(object_store::Error::NotFound { path, source })
                if says(source.as_ref(), "<Code>NoSuchUpload") =>
            {
                let found = bucket.runtime.block_on(bucket.store().head(&self.at));
                if !found.is_ok_and(|object| object.size == self.bytes) {
                    return Err(bucket
                        .asked
                        .failure(object_store::Error::NotFound { path, source }));
                }
            }
            Err(error) => return Err(bucket.asked.failure(error)),
        }
        self.begun = None;
        Ok(())
    }
}

impl Multipart {
    /// Waits for the oldest part that is under way.
    fn land(&mut self, bucket: &Bucket) -> io::Result<()> {
        let Some(part) = self.flying.front_mut() else { return Ok(()) };
        let landed = bucket.runtime.block_on(part);
        self.flying.pop_front();
        let part =
            landed.map_err(io::Error::other)?.map_err(|error| bucket.asked.failure(error))?;
        self.sent.push(part);
        Ok(())
    }
}

async fn fly(
    parts: Arc<dyn MultipartStore>,
    at: Path,
    id: String,
    number: usize,
    payload: PutPayload,
    _slot: OwnedSemaphorePermit,
) -> object_store::Result<PartId> {
    again(|| parts.put_part(&at, &id, number, payload.clone())).await
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART_BYTES.saturating_sub(self.part.len()).min(bytes.len());
        if self.part.len() + room > SMALL_BYTES {
            // Doubling would end at eight mebibytes for five.
            self.part.reserve_exact(PART_BYTES.saturating_sub(self.part.len()));
        }
        self.part.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.bytes += room as u64;
        if self.part.len() >= PART_BYTES {
            self.send_part()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        for part in &begun.flying {
            part.abort();
        }
        let bucket = &self.bucket;
        bucket.runtime.block_on(async {
            let abort = async {
                // A part that lands after the upload is given up would stay.
                for part in begun.flying {
                    let _ = part.await;
                }
                bucket.parts.abort_multipart(&self.at, &begun.id).await
            };
            // What cannot be given up now is for the bucket's lifecycle rule.
            let _ = tokio::time::timeout(ABORT_PATIENCE, abort).await;
        });
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("at", &self.at).finish_non_exhaustive()
    }
}
