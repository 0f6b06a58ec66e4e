//! A prefix in a bucket. A runtime of two threads of its own does the sending, signing included; what
//! is in flight is bounded for all of its uploads together, and so is its memory.

use std::{
    fmt,
    future::poll_fn,
    io::{self, Read},
    sync::{Arc, OnceLock},
};

use futures_core::{future::BoxFuture, stream::BoxStream};
use object_store::{
    GetOptions, ObjectStore, ObjectStoreExt,
    aws::{AmazonS3ConfigKey, Checksum},
    multipart::MultipartStore,
    path::Path,
};
use tokio::{runtime::Runtime, sync::Semaphore};

use crate::{
    Access, Error, Upload,
    again::again,
    error::OrIo,
    refusal::{Asked, says},
    watched::Watched,
};

/// Parts of all files that are on their way at once: 40 MiB, and more than one stream of TCP.
const PARTS_IN_FLIGHT: usize = 8;

/// A prefix of an S3 bucket. Its objects have names relative to it, such as `data/part-1.json`.
///
/// Clones share its connections. All calls block.
#[derive(Clone)]
pub struct Bucket {
    url: String,
    prefix: Path,
    store: Arc<dyn ObjectStore>,
    pub(crate) asked: Asked,
    pub(crate) parts: Arc<dyn MultipartStore>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) runtime: Arc<Runtime>,
}

impl Bucket {
    /// The objects below `s3://BUCKET/PREFIX`. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`Error::Place`] for another URL, or without a region; [`Error::Io`] for settings of the
    /// environment that make no sense.
    pub fn open(url: &str, access: &Access) -> Result<Self, Error> {
        let place = |reason| Error::Place { place: url.to_owned(), reason };
        let (name, prefix) = split(url).ok_or_else(|| place("an S3 URL is s3://BUCKET/PREFIX"))?;
        let builder = access.builder();
        let given = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
        let region = given(AmazonS3ConfigKey::Region)
            .or_else(|| given(AmazonS3ConfigKey::DefaultRegion))
            .ok_or_else(|| place("no region is set: set AWS_REGION to the bucket's region"))?;
        let endpoint = given(AmazonS3ConfigKey::S3Endpoint);
        let checksum = given(AmazonS3ConfigKey::Checksum);

        let home = Arc::new(OnceLock::new());
        let mut builder = builder
            .with_bucket_name(name)
            .with_region(&region)
            .with_http_connector(Watched { home: Arc::clone(&home) });
        match endpoint {
            // Who writes http:// means it.
            Some(endpoint) => builder = builder.with_allow_http(endpoint.starts_with("http://")),
            None if region.starts_with("cn-") => {
                builder = builder.with_endpoint(format!("https://s3.{region}.amazonaws.com.cn"));
            }
            None => {}
        }
        if checksum.is_none() {
            // The signature needs this digest anyway; so S3 may as well check and keep it.
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        let store = builder.build().map_err(io::Error::other).or_io("connect to", url)?;
        let store = Arc::new(store);
        let asked = Asked { name: name.to_owned(), region, home };
        Self::new(url, prefix, asked, Arc::clone(&store) as _, store)
    }

    fn new(
        url: &str,
        prefix: &str,
        asked: Asked,
        store: Arc<dyn ObjectStore>,
        parts: Arc<dyn MultipartStore>,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("keystar-s3")
            .enable_all()
            .build()
            .or_io("connect to", url)?;
        Ok(Self {
            url: url.to_owned(),
            // Taken as it is: what is escaped here would be another prefix for others.
            prefix: Path::parse(prefix.trim_matches('/')).map_err(|_| Error::Place {
                place: url.to_owned(),
                reason: "the prefix has an empty part, or . or .., or an odd character",
            })?,
            asked,
            store,
            parts,
            slots: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)),
            runtime: Arc::new(runtime),
        })
    }

    /// The URL that it was opened by.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of an object.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        join(&self.url, name)
    }

    /// Begins an object; nothing is sent yet.
    #[must_use]
    pub fn create(&self, name: &str) -> Upload {
        Upload::new(self.clone(), self.at(name))
    }

    /// The bytes of an object, from this one on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; the reader has errors that are sorted in the same way.
    pub fn read(&self, name: &str, from: u64) -> Result<Box<dyn Read + Send>, Error> {
        let options = match from {
            0 => GetOptions::default(),
            from => GetOptions { range: Some((from..).into()), ..GetOptions::default() },
        };
        let at = self.at(name);
        let found = self.wait(Box::pin(self.store.get_opts(&at, options)));
        let object = found.or_io("read", self.place(name))?;
        Ok(Box::new(Reader {
            bucket: self.clone(),
            stream: object.into_stream(),
            chunk: io::Cursor::default(),
        }))
    }

    /// The objects below a folder (`""`: all of them) with their sizes in bytes, in no order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Error> {
        let prefix = self.at(folder);
        let mut stream = self.store.list(Some(&prefix));
        let mut files = Vec::new();
        let strip =
            if self.prefix.as_ref().is_empty() { 0 } else { self.prefix.as_ref().len() + 1 };
        loop {
            let next = self.runtime.block_on(poll_fn(|cx| stream.as_mut().poll_next(cx)));
            let Some(object) = next else { return Ok(files) };
            let failed = |error| self.asked.failure(error);
            let object = object.map_err(failed).or_io("list", self.place(folder))?;
            let name = object.location.as_ref().get(strip..).unwrap_or_default();
            files.push((name.to_owned(), object.size));
        }
    }

    /// Copies inside the bucket: nothing passes through this machine.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.at(from), self.at(to));
        let copied = self.wait(Box::pin(again(|| self.store.copy(&source, &target))));
        copied.or_io("write", self.place(to))
    }

    /// A copy, then a removal: repeated after a kill it ends the same.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.copy(from, to)?;
        self.remove(from)
    }

    /// Removes an object if it is there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let at = self.at(name);
        match self.runtime.block_on(again(|| self.store.delete(&at))) {
            Err(object_store::Error::NotFound { source, .. })
                if !says(source.as_ref(), "<Code>NoSuchBucket") =>
            {
                Ok(())
            }
            removed => {
                removed.map_err(|error| self.asked.failure(error)).or_io("remove", self.place(name))
            }
        }
    }

    fn at(&self, name: &str) -> Path {
        let path = join(self.prefix.as_ref(), name);
        // As it is, so that what a listing told is found again; escaped only if it must be.
        Path::parse(&path).unwrap_or_else(|_| Path::from(path))
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }

    pub(crate) fn wait<T>(&self, future: BoxFuture<'_, object_store::Result<T>>) -> io::Result<T> {
        self.runtime.block_on(future).map_err(|error| self.asked.failure(error))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("url", &self.url).finish_non_exhaustive()
    }
}

/// `s3://BUCKET/PREFIX`: the bucket and the prefix; `None` for any other text.
///
/// ```
/// assert_eq!(keystar_bucket::split("s3://b/x/y"), Some(("b", "x/y")));
/// assert_eq!(keystar_bucket::split("s3://b"), Some(("b", "")));
/// assert_eq!(keystar_bucket::split("file:///x"), None);
/// ```
#[must_use]
pub fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!name.is_empty()).then_some((name, prefix))
}

fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty() || folder.ends_with('/'), name.is_empty()) {
        (_, true) => folder.to_owned(),
        (true, _) => format!("{folder}{name}"),
        (false, _) => format!("{folder}/{name}"),
    }
}

struct Reader<B> {
    bucket: Bucket,
    stream: BoxStream<'static, object_store::Result<B>>,
    chunk: io::Cursor<B>,
}

impl<B: AsRef<[u8]>> Read for Reader<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let stream = &mut self.stream;
            let next = self.bucket.runtime.block_on(poll_fn(|cx| stream.as_mut().poll_next(cx)));
            match next {
                Some(chunk) => {
                    let chunk = chunk.map_err(|error| self.bucket.asked.failure(error))?;
                    self.chunk = io::Cursor::new(chunk);
                }
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use object_store::memory::InMemory;

    use super::*;

    fn bucket(url: &str) -> Result<Bucket, Error> {
        let memory = Arc::new(InMemory::new());
        let (name, prefix) = split(url).unwrap();
        let asked = Asked { name: name.to_owned(), region: String::new(), home: Arc::default() };
        Bucket::new(url, prefix, asked, Arc::clone(&memory) as _, memory)
    }

    fn whole(bucket: &Bucket, name: &str, from: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        bucket.read(name, from).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn listed(bucket: &Bucket, folder: &str) -> Vec<(String, u64)> {
        let mut found = bucket.list(folder).unwrap();
        found.sort();
        found
    }

    #[test]
    fn objects_are_files() {
        let bucket = bucket("s3://b/some/where").unwrap();
        let big: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
        for (name, bytes) in [("data/small", &big[..10]), ("data/big", &big)] {
            let mut upload = bucket.create(name);
            upload.write_all(bytes).unwrap();
            assert!(listed(&bucket, "data").iter().all(|(found, _)| found != name));
            upload.complete().unwrap();
            for from in [0, 1, bytes.len() - 1] {
                assert_eq!(whole(&bucket, name, from as u64), bytes[from..]);
            }
        }
        let all = [("data/big".to_owned(), 12_000_000), ("data/small".to_owned(), 10)];
        assert_eq!(listed(&bucket, ""), all);
        let mut dropped = bucket.create("data/dropped");
        dropped.write_all(&big).unwrap();
        drop(dropped);
        bucket.rename("data/big", "data/small").unwrap();
        assert_eq!(listed(&bucket, "data"), [("data/small".to_owned(), 12_000_000)]);
        let Err(Error::Io { action, place, source }) = bucket.read("data/big", 0).map(|_| ())
        else {
            panic!()
        };
        assert_eq!((action, source.kind()), ("read", io::ErrorKind::NotFound));
        assert_eq!(place, "s3://b/some/where/data/big");
        bucket.remove("data/small").unwrap();
        bucket.remove("data/small").unwrap();
        assert_eq!(listed(&bucket, ""), []);
    }

    #[test]
    fn prefixes_are_taken_as_they_are_or_refused() {
        for prefix in ["a%20b", "p q", "ä/é"] {
            let bucket = bucket(&format!("s3://b/{prefix}/")).unwrap();
            assert_eq!(bucket.at("data/x").as_ref(), format!("{prefix}/data/x"));
        }
        for place in ["s3://b//x//y", "s3://b/a\u{1}b", "s3://b/../x"] {
            assert!(matches!(bucket(place), Err(Error::Place { .. })), "{place}");
        }
    }
}
