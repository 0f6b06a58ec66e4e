//! Dumps in an object store: `s3://BUCKET/KEY`.
//!
//! The client is asynchronous and stays in here: the threads that read dumps block on one runtime,
//! and whichever of them waits drives the others' transfers, too.

use std::{
    fmt,
    future::poll_fn,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};

use futures_core::stream::BoxStream;
use object_store::{
    GetOptions, ObjectStore,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
};
use tokio::runtime::Runtime;

use crate::Error;

/// A bucket that can be listed and read.
#[derive(Clone)]
pub(crate) struct Bucket {
    name: String,
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
}

impl Bucket {
    /// The bucket of a URL, and the key in it. Region, endpoint and credentials come from the
    /// environment, as for every AWS tool.
    pub(crate) fn open(url: &str) -> Result<(Self, String), Error> {
        let (name, key) = url
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Error::Places {
                place: url.to_owned(),
                reason: "an S3 URL is s3://BUCKET/PREFIX/ or s3://BUCKET/NAME.rdb",
            })?;
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(name);
        let given = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
        let region = given(AmazonS3ConfigKey::Region)
            .or_else(|| given(AmazonS3ConfigKey::DefaultRegion))
            .ok_or_else(|| Error::Places {
                place: url.to_owned(),
                reason: "no region is set: set AWS_REGION to the bucket's region",
            })?;
        match given(AmazonS3ConfigKey::Endpoint) {
            // Who writes http:// means it.
            Some(endpoint) => builder = builder.with_allow_http(endpoint.starts_with("http://")),
            None if region.starts_with("cn-") => {
                builder = builder.with_endpoint(format!("https://s3.{region}.amazonaws.com.cn"));
            }
            None => {}
        }
        let store = builder.with_region(region).build();
        let store = store.map_err(|error| open_error(url, io::Error::other(error)))?;
        Ok((Self::new(name, Arc::new(store))?, key.to_owned()))
    }

    fn new(name: &str, store: Arc<dyn ObjectStore>) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| open_error(name, error))?;
        Ok(Self { name: name.to_owned(), store, runtime: Arc::new(runtime) })
    }

    pub(crate) fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// The keys below a folder, with their sizes.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let folder = Path::from(folder);
        let mut stream = self.store.list(Some(&folder));
        let mut found = Vec::new();
        loop {
            let next = self.runtime.block_on(poll_fn(|cx| stream.as_mut().poll_next(cx)));
            let Some(object) = next else { return Ok(found) };
            let failed = |error| open_error(&self.url(folder.as_ref()), io_error(error));
            let object = object.map_err(failed)?;
            found.push((object.location.as_ref().to_owned(), object.size));
        }
    }

    /// The bytes of an object, from this one on.
    pub(crate) fn read(&self, key: &str, from: u64) -> Result<Box<dyn Read + Send>, Error> {
        let options = match from {
            0 => GetOptions::default(),
            from => GetOptions { range: Some((from..).into()), ..GetOptions::default() },
        };
        // The key is one that was listed, with whatever needs escaping escaped.
        let at = Path::parse(key).unwrap_or_else(|_| Path::from(key));
        let object = self.runtime.block_on(self.store.get_opts(&at, options));
        let object = object.map_err(|error| open_error(&self.url(key), io_error(error)))?;
        Ok(Box::new(BucketReader {
            runtime: Arc::clone(&self.runtime),
            stream: object.into_stream(),
            chunk: io::Cursor::default(),
        }))
    }
}

fn open_error(place: &str, source: io::Error) -> Error {
    Error::Open { path: PathBuf::from(place), source }
}

struct BucketReader<B> {
    runtime: Arc<Runtime>,
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
            match self.runtime.block_on(poll_fn(|cx| stream.as_mut().poll_next(cx))) {
                Some(chunk) => self.chunk = io::Cursor::new(chunk.map_err(io_error)?),
                None => return Ok(0),
            }
        }
    }
}

/// Sorts the store's failures by what the user can do; the store retried by itself already.
fn io_error(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        object_store::Error::Generic { .. } => io::ErrorKind::NetworkDown,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectStoreExt, memory::InMemory};

    use super::*;

    #[test]
    fn objects_are_listed_and_read_from_any_byte_on() {
        let bucket = Bucket::new("b", Arc::new(InMemory::new())).unwrap();
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        for key in ["backups/x-0001.rdb", "backups/old/y.rdb", "other/z.rdb"] {
            let at = Path::from(key);
            bucket.runtime.block_on(bucket.store.put(&at, bytes.clone().into())).unwrap();
        }
        let mut listed = bucket.list("backups").unwrap();
        listed.sort();
        let expected =
            ["backups/old/y.rdb", "backups/x-0001.rdb"].map(|key| (key.to_owned(), 100_000));
        assert_eq!(listed, expected);
        for from in [0, 1, 99_999] {
            let mut read = Vec::new();
            bucket.read("other/z.rdb", from).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, bytes[from as usize..]);
        }
        let Err(Error::Open { source, .. }) = bucket.read("gone", 0).map(|_| ()) else { panic!() };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        assert_eq!(bucket.url("a/b"), "s3://b/a/b");
    }
}
