//! A folder in an object store: `s3://BUCKET/PREFIX`.
//!
//! The threads of the lanes block on one runtime; whichever of them waits drives the others' I/O,
//! too.

use std::{
    fmt,
    future::poll_fn,
    io::{self, Read, Write},
    sync::Arc,
};

use futures_core::{future::BoxFuture, stream::BoxStream};
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, aws::AmazonS3Builder, path::Path,
};
use tokio::runtime::Runtime;

use crate::{Error, error::OrIo, store::join};

/// The smallest part that S3 takes, because every open file holds one in memory.
const PART_BYTES: usize = 5 << 20;

#[derive(Clone)]
pub(crate) struct Bucket {
    url: String,
    prefix: Path,
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
}

/// An object in the making: parts of it are uploaded, but nobody sees it yet. A program that is
/// killed leaves the parts; a lifecycle rule of the bucket should remove them.
pub(crate) struct BucketUpload {
    bucket: Bucket,
    at: Path,
    part: Vec<u8>,
    /// From the first full part on: a small object is put whole.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Bucket {
    /// Region, endpoint and credentials come from the environment, as for every AWS tool.
    pub(crate) fn open(url: &str) -> Result<Self, Error> {
        let place = |reason| Error::Place { place: url.to_owned(), reason };
        let (bucket, prefix) = url
            .strip_prefix("s3://")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
            .ok_or_else(|| place("an S3 URL is s3://BUCKET/PREFIX"))?;
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .map_err(io::Error::other)
            .or_io("connect to", url)?;
        Self::new(url, prefix, Arc::new(store))
    }

    fn new(url: &str, prefix: &str, store: Arc<dyn ObjectStore>) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .or_io("connect to", url)?;
        Ok(Self {
            url: url.to_owned(),
            prefix: Path::from(prefix.trim_end_matches('/')),
            store,
            runtime: Arc::new(runtime),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn create(&self, name: &str) -> Result<BucketUpload, Error> {
        let bucket = self.clone();
        Ok(BucketUpload { bucket, at: self.at(name), part: Vec::new(), parts: None })
    }

    pub(crate) fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, Error> {
        let found = self.wait(Box::pin(self.store.get(&self.at(name))));
        let object = found.or_io("read", self.place(name))?;
        Ok(Box::new(BucketReader {
            bucket: self.clone(),
            stream: object.into_stream(),
            chunk: bytes_of_none(),
        }))
    }

    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let prefix = self.at(folder);
        let mut stream = self.store.list(Some(&prefix));
        let mut files = Vec::new();
        let strip =
            if self.prefix.as_ref().is_empty() { 0 } else { self.prefix.as_ref().len() + 1 };
        loop {
            let next = self.runtime.block_on(poll_fn(|cx| stream.as_mut().poll_next(cx)));
            let Some(object) = next else { return Ok(files) };
            let object = object.map_err(io_error).or_io("list", self.place(folder))?;
            let name = object.location.as_ref().get(strip..).unwrap_or_default();
            files.push((name.to_owned(), object.size));
        }
    }

    /// A copy, then a removal: repeated after a kill it ends the same.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.at(from), self.at(to));
        self.wait(Box::pin(self.store.copy(&source, &target))).or_io("write", self.place(to))?;
        self.remove(from)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        match self.wait(Box::pin(self.store.delete(&self.at(name)))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.or_io("remove", self.place(name)),
        }
    }

    fn at(&self, name: &str) -> Path {
        Path::from(join(self.prefix.as_ref(), name))
    }

    fn place(&self, name: &str) -> String {
        join(&self.url, name)
    }

    fn wait<T>(&self, future: BoxFuture<'_, object_store::Result<T>>) -> io::Result<T> {
        self.runtime.block_on(future).map_err(io_error)
    }
}

impl BucketUpload {
    fn send_part(&mut self) -> io::Result<()> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let begun = self.bucket.store.put_multipart(&self.at);
                self.parts.insert(self.bucket.wait(Box::pin(begun))?)
            }
        };
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        self.bucket.runtime.block_on(parts.put_part(payload)).map_err(io_error)
    }

    pub(crate) fn complete(mut self) -> io::Result<()> {
        if self.parts.is_none() {
            let payload = PutPayload::from(std::mem::take(&mut self.part));
            let put = self.bucket.store.put(&self.at, payload);
            return self.bucket.wait(Box::pin(put)).map(|_| ());
        }
        if !self.part.is_empty() {
            self.send_part()?;
        }
        let Some(mut parts) = self.parts.take() else { return Ok(()) };
        match self.bucket.runtime.block_on(parts.complete()) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.parts = Some(parts);
                Err(io_error(error))
            }
        }
    }
}

impl Write for BucketUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART_BYTES.saturating_sub(self.part.len()).min(bytes.len());
        self.part.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if self.part.len() >= PART_BYTES {
            self.send_part()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BucketUpload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // What cannot be given up now is for the bucket's lifecycle rule.
            let _ = self.bucket.runtime.block_on(parts.abort());
        }
    }
}

struct BucketReader<B> {
    bucket: Bucket,
    stream: BoxStream<'static, object_store::Result<B>>,
    chunk: io::Cursor<B>,
}

impl<B: AsRef<[u8]>> Read for BucketReader<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let stream = &mut self.stream;
            let next = self.bucket.runtime.block_on(poll_fn(|cx| stream.as_mut().poll_next(cx)));
            match next {
                Some(chunk) => self.chunk = io::Cursor::new(chunk.map_err(io_error)?),
                None => return Ok(0),
            }
        }
    }
}

fn bytes_of_none<B: Default>() -> io::Cursor<B> {
    io::Cursor::new(B::default())
}

/// Sorts the store's failures by what the user can do; the store retried by itself already.
fn io_error(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        // The store has no name of its own for this one.
        object_store::Error::Generic { source, .. } if says(source.as_ref(), "NoSuchBucket") => {
            io::ErrorKind::NotFound
        }
        object_store::Error::Generic { .. } => io::ErrorKind::NetworkDown,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

fn says(error: &(dyn std::error::Error + 'static), word: &str) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.to_string().contains(word))
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for BucketUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketUpload").field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::store::{STAGING, Store, Upload};

    #[test]
    fn objects_are_files() {
        let bucket = Bucket::new("s3://b/some/where", "some/where", Arc::new(InMemory::new()));
        let store = Store::Bucket(bucket.unwrap());
        let big: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
        for (name, bytes) in [("data/small", &big[..10]), ("data/big", &big)] {
            let mut upload = store.create(name).unwrap();
            upload.write_all(bytes).unwrap();
            assert!(store.list("data").unwrap().iter().all(|(found, _)| found != name));
            upload.complete().unwrap();
            assert_eq!(store.get(name).unwrap().as_deref(), Some(bytes));
        }
        let listed = [("data/big".to_owned(), 12_000_000), ("data/small".to_owned(), 10)];
        assert_eq!(store.list("").unwrap(), listed);
        let mut dropped = store.create("data/dropped").unwrap();
        dropped.write_all(&big).unwrap();
        drop::<Upload>(dropped);
        store.rename("data/big", "data/small").unwrap();
        assert_eq!(store.list("data").unwrap(), [("data/small".to_owned(), 12_000_000)]);
        assert!(matches!(store.read("data/big"), Err(Error::Missing { .. })));
        assert_eq!(store.get("data/big").unwrap(), None);
        store.remove("data/small").unwrap();
        store.remove("data/small").unwrap();
        assert_eq!(store.list(STAGING).unwrap(), []);
        assert_eq!(store.place("data/x"), "s3://b/some/where/data/x");
    }
}
