//! A folder in an object store: `s3://BUCKET/PREFIX`.
//!
//! Parts of large objects are uploaded while the lanes go on compressing: a runtime of two threads
//! of its own does the sending, signing included. What a bucket has in flight is bounded for all of
//! its open files together, and so is its memory.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    io::{self, Read, Write},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_core::{future::BoxFuture, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum},
    client::{
        ClientOptions, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse,
        HttpService, ReqwestConnector,
    },
    multipart::{MultipartStore, PartId},
    path::Path,
};
use tokio::{
    runtime::Runtime,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

#[cfg(feature = "dynamodb")]
use {
    crate::Aws,
    aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider},
    object_store::{CredentialProvider, aws::AwsCredential},
    std::time::SystemTime,
    tokio::sync::Mutex,
};

use crate::{Error, error::OrIo, store::join};

/// The smallest part that S3 takes, because every open file holds one in memory.
const PART_BYTES: usize = 5 << 20;
/// Objects up to here need not have a whole part's memory.
const SMALL_BYTES: usize = 1 << 20;
/// Parts of all files that are on their way at once: 40 MiB, and more than one stream of TCP.
const PARTS_IN_FLIGHT: usize = 8;
/// Parts of one file that are on their way at once; one slow file leaves room for the others.
const PARTS_OF_A_FILE: usize = 4;
/// The store repeats a request by itself for some seconds, always with the same signature. This is
/// how long we wait before we let it begin anew, with credentials that may be newer: a bucket may be
/// out of reach for about four minutes before the run must be resumed.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(120),
];
/// How long giving up an upload may take: somebody waits for the program to end.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Bucket {
    url: String,
    name: String,
    prefix: Path,
    region: String,
    /// Where the bucket really is, once an answer has told that it is elsewhere.
    home: Arc<OnceLock<String>>,
    store: Arc<dyn ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    slots: Arc<Semaphore>,
    runtime: Arc<Runtime>,
}

/// An object in the making: parts of it are uploaded, but nobody sees it yet. A program that is
/// killed leaves the parts; a lifecycle rule of the bucket should remove them.
pub(crate) struct BucketUpload {
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

impl Bucket {
    /// Region, endpoint and credentials come from the environment, as for every AWS tool.
    pub(crate) fn open(url: &str) -> Result<Self, Error> {
        Self::build(url, AmazonS3Builder::from_env())
    }

    /// Region, endpoint and credentials are those that the SDK found.
    #[cfg(feature = "dynamodb")]
    pub(crate) fn open_as(url: &str, aws: &Aws) -> Result<Self, Error> {
        let provider = aws.config().credentials_provider().ok_or_else(|| Error::NoCredentials {
            source: "no source of credentials is configured".into(),
        })?;
        let mut builder = AmazonS3Builder::from_env()
            .with_region(aws.region())
            .with_credentials(Arc::new(SdkCredentials { provider, known: Mutex::default() }));
        let given = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        let configured = || given.or_else(|| aws.config().endpoint_url().map(str::to_owned));
        if let Some(endpoint) = aws.options().s3_endpoint_url.clone().or_else(configured) {
            builder = builder.with_endpoint(endpoint);
        }
        Self::build(url, builder)
    }

    fn build(url: &str, builder: AmazonS3Builder) -> Result<Self, Error> {
        let place = |reason| Error::Place { place: url.to_owned(), reason };
        let (name, prefix) = split(url).ok_or_else(|| place("an S3 URL is s3://BUCKET/PREFIX"))?;
        let given = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
        let region = given(AmazonS3ConfigKey::Region)
            .or_else(|| given(AmazonS3ConfigKey::DefaultRegion))
            .ok_or_else(|| place("no region is set: set AWS_REGION to the bucket's region"))?;
        let endpoint = given(AmazonS3ConfigKey::Endpoint);
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
        Ok(Self { region, home, ..Self::new(url, name, prefix, Arc::clone(&store) as _, store)? })
    }

    fn new(
        url: &str,
        name: &str,
        prefix: &str,
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
            name: name.to_owned(),
            // Taken as it is: what is escaped here would be another prefix for an import.
            prefix: Path::parse(prefix.trim_matches('/')).map_err(|_| Error::Place {
                place: url.to_owned(),
                reason: "the prefix has an empty part, or . or .., or an odd character",
            })?,
            region: String::new(),
            home: Arc::default(),
            store,
            parts,
            slots: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)),
            runtime: Arc::new(runtime),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn create(&self, name: &str) -> Result<BucketUpload, Error> {
        let bucket = self.clone();
        Ok(BucketUpload { bucket, at: self.at(name), part: Vec::new(), bytes: 0, begun: None })
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
            let object = object.map_err(|e| self.failure(e)).or_io("list", self.place(folder))?;
            let name = object.location.as_ref().get(strip..).unwrap_or_default();
            files.push((name.to_owned(), object.size));
        }
    }

    /// Copies inside the bucket: nothing passes through this machine.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.at(from), self.at(to));
        let copied = self.wait(Box::pin(again(|| self.store.copy(&source, &target))));
        copied.or_io("write", self.place(to))
    }

    /// A copy, then a removal: repeated after a kill it ends the same.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.copy(from, to)?;
        self.remove(from)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let at = self.at(name);
        match self.runtime.block_on(again(|| self.store.delete(&at))) {
            Err(object_store::Error::NotFound { source, .. })
                if !says(source.as_ref(), "<Code>NoSuchBucket") =>
            {
                Ok(())
            }
            removed => {
                removed.map_err(|error| self.failure(error)).or_io("remove", self.place(name))
            }
        }
    }

    fn at(&self, name: &str) -> Path {
        let path = join(self.prefix.as_ref(), name);
        // As it is, so that what a listing told is found again; escaped only if it must be.
        Path::parse(&path).unwrap_or_else(|_| Path::from(path))
    }

    fn place(&self, name: &str) -> String {
        join(&self.url, name)
    }

    fn wait<T>(&self, future: BoxFuture<'_, object_store::Result<T>>) -> io::Result<T> {
        self.runtime.block_on(future).map_err(|error| self.failure(error))
    }

    /// Sorts the store's failures by what the user can do; the store retried by itself already.
    fn failure(&self, error: object_store::Error) -> io::Error {
        use io::ErrorKind::{InvalidInput, NetworkDown, NotFound, Other, PermissionDenied};
        let (bucket, region) = (self.name.clone(), self.region.clone());
        let source = Said::of(&error);
        let status = |code: &str| says(&error, &format!("status code: {code}"));
        let code = element(&error, "Code").unwrap_or_default();
        let (kind, refusal) = match code.as_str() {
            "PermanentRedirect" | "AuthorizationHeaderMalformed" => {
                (InvalidInput, self.elsewhere(&error, source))
            }
            _ if says(&error, "Received redirect") || status("30") => {
                (InvalidInput, self.elsewhere(&error, source))
            }
            "NoSuchBucket" => (NotFound, Refusal::NoBucket { bucket, region, source }),
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "NotSignedUp" => {
                (PermissionDenied, Refusal::Credentials { source })
            }
            "ExpiredToken" => (PermissionDenied, Refusal::Expired { source }),
            _ if status("403") || status("401") => {
                (PermissionDenied, Refusal::Denied { bucket, source })
            }
            _ => {
                let kind = match error {
                    object_store::Error::NotFound { .. } => NotFound,
                    object_store::Error::Unauthenticated { .. } => PermissionDenied,
                    _ if is_passing(&error) => NetworkDown,
                    _ => Other,
                };
                return io::Error::new(kind, source);
            }
        };
        io::Error::new(kind, refusal)
    }

    fn elsewhere(&self, error: &object_store::Error, source: Said) -> Refusal {
        let (bucket, region) = (self.name.clone(), self.region.clone());
        match self.home.get().cloned().or_else(|| element(error, "Region")) {
            Some(home) => Refusal::Elsewhere { bucket, home, region, source },
            None => Refusal::Somewhere { bucket, region, source },
        }
    }
}

/// What S3 said itself: its code and its words, if it gave any.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Said {
    fn of(error: &object_store::Error) -> Self {
        let told = |name| element(error, name);
        Self(match (told("Code"), told("Message")) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code,
            _ => whole(error),
        })
    }
}

/// An error with those causes that it does not name itself; the store's errors name most of theirs.
fn whole(error: &object_store::Error) -> String {
    let first = std::error::Error::source(error);
    let causes = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| match text.contains(&cause) {
        true => text,
        false => format!("{text}: {cause}"),
    })
}

/// What S3 refused, in words that say what to do.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(
        "the bucket {bucket} is in the region {home}, but {region} was asked: set the region to \
         {home}"
    )]
    Elsewhere { bucket: String, home: String, region: String, source: Said },
    #[error(
        "the bucket {bucket} is not in the region {region}: find out where it is (aws s3api \
         get-bucket-location) and set that region"
    )]
    Somewhere { bucket: String, region: String, source: Said },
    #[error(
        "there is no bucket {bucket}: make it, in the region of the table ({region}), or correct the \
         name"
    )]
    NoBucket { bucket: String, region: String, source: Said },
    #[error("S3 does not know these credentials: check the profile and the keys")]
    Credentials { source: Said },
    #[error("the credentials have expired: renew them, then resume")]
    Expired { source: Said },
    #[error(
        "access denied: the role or user needs s3:ListBucket on {bucket}, and s3:GetObject, \
         s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on {bucket}/*; an encrypted \
         bucket also needs kms:GenerateDataKey and kms:Decrypt on its key"
    )]
    Denied { bucket: String, source: Said },
}

impl BucketUpload {
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

    pub(crate) fn complete(mut self) -> io::Result<()> {
        let bucket = self.bucket.clone();
        if self.begun.is_none() {
            let payload = PutPayload::from(std::mem::take(&mut self.part));
            let put = again(|| bucket.store.put(&self.at, payload.clone()));
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
                let found = bucket.runtime.block_on(bucket.store.head(&self.at));
                if !found.is_ok_and(|object| object.size == self.bytes) {
                    return Err(bucket.failure(object_store::Error::NotFound { path, source }));
                }
            }
            Err(error) => return Err(bucket.failure(error)),
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
        let part = landed.map_err(io::Error::other)?.map_err(|error| bucket.failure(error))?;
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

/// Tries again what failed for reasons that pass.
async fn again<T, F: Future<Output = object_store::Result<T>>>(
    attempt: impl Fn() -> F,
) -> object_store::Result<T> {
    for pause in PAUSES {
        match attempt().await {
            Err(error) if is_passing(&error) => tokio::time::sleep(pause).await,
            result => return result,
        }
    }
    attempt().await
}

/// Whether the same request may succeed later: nobody answered, the server failed, or the signature
/// was too old.
fn is_passing(error: &object_store::Error) -> bool {
    let object_store::Error::Generic { source, .. } = error else { return false };
    let source: &(dyn std::error::Error + 'static) = source.as_ref();
    let answered = says(source, "non-2xx") || says(source, "Received redirect");
    let late = ["<Code>ExpiredToken", "<Code>RequestTimeout", "code: 5", "code: 429"];
    !answered || late.iter().any(|word| says(source, word))
}

impl Write for BucketUpload {
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

impl Drop for BucketUpload {
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
                Some(chunk) => {
                    let chunk = chunk.map_err(|error| self.bucket.failure(error))?;
                    self.chunk = io::Cursor::new(chunk);
                }
                None => return Ok(0),
            }
        }
    }
}

fn bytes_of_none<B: Default>() -> io::Cursor<B> {
    io::Cursor::new(B::default())
}

/// `s3://BUCKET/PREFIX`: the bucket and the prefix.
pub(crate) fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!name.is_empty()).then_some((name, prefix))
}

/// The SDK's credentials for the store: of a profile, a role, a login. The SDK itself keeps them only
/// for its own clients.
#[cfg(feature = "dynamodb")]
#[derive(Debug)]
struct SdkCredentials {
    provider: SharedCredentialsProvider,
    known: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

/// Credentials are renewed this long before they expire: a large part may take as long to send.
#[cfg(feature = "dynamodb")]
const RENEW_BEFORE: Duration = Duration::from_secs(300);

#[cfg(feature = "dynamodb")]
impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    fn get_credential<'a, 'b>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            // Held while they are asked for: many parts begin at once, and one of them asks.
            let mut known = self.known.lock().await;
            if let Some((credential, until)) = &*known
                && until.is_none_or(|until| until > SystemTime::now() + RENEW_BEFORE)
            {
                return Ok(Arc::clone(credential));
            }
            let found = self.provider.provide_credentials().await.map_err(|error| {
                object_store::Error::Unauthenticated { path: String::new(), source: error.into() }
            })?;
            let credential = Arc::new(AwsCredential {
                key_id: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            });
            *known = Some((Arc::clone(&credential), found.expiry()));
            Ok(credential)
        })
    }
}

/// Looks at every answer, because only headers tell where a bucket is when it is elsewhere.
#[derive(Debug)]
struct Watched {
    home: Arc<OnceLock<String>>,
}

#[derive(Debug)]
struct WatchedClient {
    inner: HttpClient,
    home: Arc<OnceLock<String>>,
}

impl HttpConnector for Watched {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(WatchedClient { inner, home: Arc::clone(&self.home) }))
    }
}

impl HttpService for WatchedClient {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.inner.execute(request).await?;
            if answer.status().is_redirection() || answer.status().is_client_error() {
                let told = answer.headers().get("x-amz-bucket-region");
                if let Some(home) = told.and_then(|home| home.to_str().ok()) {
                    let _ = self.home.set(home.to_owned());
                }
            }
            Ok(answer)
        })
    }
}

/// `…<Region>eu-west-1</Region>…`, in the answer that an error carries.
fn element(error: &object_store::Error, name: &str) -> Option<String> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source()).find_map(
        |error| {
            let text = error.to_string();
            let (_, rest) = text.split_once(&begin)?;
            rest.split_once(&end).map(|(text, _)| text.to_owned())
        },
    )
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
        let memory = Arc::new(InMemory::new());
        let bucket =
            Bucket::new("s3://b/some/where", "b", "some/where", Arc::clone(&memory) as _, memory);
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

    #[test]
    fn refusals_are_sorted_by_what_to_do() {
        let memory = Arc::new(InMemory::new());
        let mut bucket =
            Bucket::new("s3://b/p", "b", "p", Arc::clone(&memory) as _, memory).unwrap();
        bucket.region = "eu-west-1".to_owned();
        let told = |status: u16, body: &str| {
            let source = format!("Server returned non-2xx status code: {status} Words: {body}");
            let error = object_store::Error::Generic { store: "S3", source: source.into() };
            let error = bucket.failure(error);
            (error.kind(), error.to_string())
        };
        let body = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        let malformed =
            body("AuthorizationHeaderMalformed").replace("</E", "<Region>x-1</Region></E");
        let (kind, text) = told(400, &malformed);
        assert_eq!(kind, io::ErrorKind::InvalidInput);
        assert!(text.starts_with("the bucket b is in the region x-1, but eu-west-1 was asked"));
        let (_, text) = told(301, &body("PermanentRedirect"));
        assert!(
            text.starts_with("the bucket b is not in the region eu-west-1: find out"),
            "{text}"
        );
        for (status, code, kind, begin) in [
            (404, "NoSuchBucket", io::ErrorKind::NotFound, "there is no bucket b: make it"),
            (403, "InvalidAccessKeyId", io::ErrorKind::PermissionDenied, "S3 does not know"),
            (400, "ExpiredToken", io::ErrorKind::PermissionDenied, "the credentials have expired"),
            (403, "AccessDenied", io::ErrorKind::PermissionDenied, "access denied: the role"),
            (503, "SlowDown", io::ErrorKind::NetworkDown, "SlowDown: m"),
            (400, "EntityTooLarge", io::ErrorKind::Other, "EntityTooLarge: m"),
        ] {
            let (found, text) = told(status, &body(code));
            assert_eq!(found, kind, "{code}");
            assert!(text.starts_with(begin), "{code}: {text}");
        }
        for prefix in ["a%20b", "p q", "ä/é"] {
            let memory = Arc::new(InMemory::new());
            let bucket = Bucket::new("", "b", prefix, Arc::clone(&memory) as _, memory).unwrap();
            assert_eq!(bucket.at("data/x").as_ref(), format!("{prefix}/data/x"));
        }
        for place in ["s3://b//x//y", "s3://b/a\u{1}b", "s3://b/../x"] {
            let (name, prefix) = split(place).unwrap();
            let memory = Arc::new(InMemory::new());
            let wrong = Bucket::new(place, name, prefix, Arc::clone(&memory) as _, memory);
            assert!(matches!(wrong, Err(Error::Place { .. })), "{place}");
        }
    }
}
