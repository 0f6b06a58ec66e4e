//! As whom a bucket is asked, and where.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_core::future::BoxFuture;
use object_store::{
    CredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential},
};
use tokio::sync::Mutex;

/// Credentials are renewed this long before they expire: a large part may take as long to send.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// As whom a bucket is asked, and where. What is not said here is looked for in the environment
/// (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_S3`, …).
///
/// Clones share the credentials that were found.
///
/// ```
/// let access = keystar_bucket::Access::default()
///     .with_region("eu-central-1")
///     .with_endpoint("http://127.0.0.1:9000");
/// assert!(!access.is_unsigned());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Access {
    region: Option<String>,
    endpoint: Option<String>,
    fallback_endpoint: Option<String>,
    credentials: Option<Arc<Kept>>,
}

impl Access {
    /// Sets the bucket's region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets where S3 is, whatever the environment says.
    #[must_use]
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Sets where S3 is if neither [`with_endpoint`](Self::with_endpoint) nor the environment says
    /// it.
    #[must_use]
    pub fn with_fallback_endpoint(mut self, url: impl Into<String>) -> Self {
        self.fallback_endpoint = Some(url.into());
        self
    }

    /// Sets who gives the credentials.
    #[must_use]
    pub fn with_credentials(mut self, credentials: impl Credentials + 'static) -> Self {
        self.credentials =
            Some(Arc::new(Kept { from: Box::new(credentials), keys: Mutex::default() }));
        self
    }

    /// Whether the environment says that requests go without a signature (`AWS_SKIP_SIGNATURE`), to
    /// a bucket that everybody may read: then no credentials are needed.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        let skip = AmazonS3Builder::from_env().get_config_value(&AmazonS3ConfigKey::SkipSignature);
        skip.is_some_and(|skip| matches!(&*skip.to_ascii_lowercase(), "true" | "1" | "on" | "yes"))
    }

    pub(crate) fn builder(&self) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::from_env();
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(credentials) = &self.credentials {
            builder = builder.with_credentials(Arc::clone(credentials) as _);
        }
        // The one for S3 alone goes before the one for all services.
        match endpoint_of(&builder, self.endpoint.as_deref(), self.fallback_endpoint.as_deref()) {
            Some(endpoint) => builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint),
            None => builder,
        }
    }
}

/// Where S3 is: what is given, or what the environment says for S3, or for all services, or else the
/// fallback.
fn endpoint_of(
    environment: &AmazonS3Builder,
    given: Option<&str>,
    fallback: Option<&str>,
) -> Option<String> {
    let known = |key| environment.get_config_value(&key).filter(|url| !url.is_empty());
    given
        .map(str::to_owned)
        .or_else(|| known(AmazonS3ConfigKey::S3Endpoint))
        .or_else(|| known(AmazonS3ConfigKey::Endpoint))
        .or_else(|| fallback.map(str::to_owned))
}

/// Who gives credentials: a profile, a role, a login.
pub trait Credentials: fmt::Debug + Send + Sync {
    /// Credentials that are good now. Asked for before the first request, and again when those
    /// that it gave are about to expire; never twice at the same time.
    ///
    /// # Errors
    ///
    /// There are none, in words for the user.
    fn keys(&self) -> BoxFuture<'_, Result<Keys, Box<dyn StdError + Send + Sync>>>;
}

/// What requests are signed with.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Keys {
    /// The access key's name.
    pub id: String,
    /// The access key's secret.
    pub secret: String,
    /// The token of a session.
    pub token: Option<String>,
    /// When they expire, if they do.
    pub expire: Option<SystemTime>,
}

impl Keys {
    /// Keys that do not expire.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: secret.into(), token: None, expire: None }
    }

    /// Sets the token of a session, and when it expires.
    #[must_use]
    pub fn with_session(mut self, token: Option<String>, expire: Option<SystemTime>) -> Self {
        (self.token, self.expire) = (token, expire);
        self
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Credentials with the keys that they gave, until those are about to expire.
#[derive(Debug)]
struct Kept {
    from: Box<dyn Credentials>,
    keys: Mutex<Option<(Signer, Option<SystemTime>)>>,
}

/// The store's form of keys; it tells nobody what they are.
struct Signer(Arc<AwsCredential>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.0.key_id).finish()
    }
}

impl CredentialProvider for Kept {
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
            let mut known = self.keys.lock().await;
            if let Some((Signer(keys), until)) = &*known
                && until.is_none_or(|until| until > SystemTime::now() + RENEW_BEFORE)
            {
                return Ok(Arc::clone(keys));
            }
            let found = match (self.from.keys().await, &*known) {
                (Ok(found), _) => found,
                // It was too early: they hold for a while, and the next request asks again.
                (Err(_), Some((Signer(keys), until)))
                    if until.is_none_or(|until| until > SystemTime::now()) =>
                {
                    return Ok(Arc::clone(keys));
                }
                (Err(source), _) => {
                    let path = String::new();
                    return Err(object_store::Error::Unauthenticated { path, source });
                }
            };
            let keys = Arc::new(AwsCredential {
                key_id: found.id,
                secret_key: found.secret,
                token: found.token,
            });
            *known = Some((Signer(Arc::clone(&keys)), found.expire));
            Ok(keys)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Counting(AtomicU32, Duration);

    impl Credentials for Counting {
        fn keys(&self) -> BoxFuture<'_, Result<Keys, Box<dyn StdError + Send + Sync>>> {
            Box::pin(async move {
                let id = self.0.fetch_add(1, Ordering::SeqCst).to_string();
                let expire = Some(SystemTime::now() + self.1);
                Ok(Keys::new(id, "hidden").with_session(Some("token".to_owned()), expire))
            })
        }
    }

    #[test]
    fn keys_are_kept_until_they_are_about_to_expire() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        for (lives, expected) in [(3600, ["0", "0"]), (200, ["0", "1"])] {
            let from = Counting(AtomicU32::new(0), Duration::from_secs(lives));
            let access = Access::default().with_credentials(from);
            let kept = access.credentials.clone().unwrap();
            let given = [(); 2].map(|()| runtime.block_on(kept.get_credential()).unwrap());
            assert_eq!(given.map(|keys| keys.key_id.clone()), expected, "{lives} s");
            let shown = format!("{access:?} {:?}", Keys::new("id", "hidden"));
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }

    /// Gives keys once, and then none any more.
    #[derive(Debug)]
    struct Once(Counting);

    impl Credentials for Once {
        fn keys(&self) -> BoxFuture<'_, Result<Keys, Box<dyn StdError + Send + Sync>>> {
            match self.0.0.load(Ordering::SeqCst) {
                0 => self.0.keys(),
                _ => Box::pin(async { Err("nobody answers".into()) }),
            }
        }
    }

    #[test]
    fn keys_are_good_until_they_expire_though_there_are_no_new_ones() {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        for (lives, good) in [(200, true), (0, false)] {
            let from = Once(Counting(AtomicU32::new(0), Duration::from_secs(lives)));
            let kept = Access::default().with_credentials(from).credentials.unwrap();
            let id = || runtime.block_on(kept.get_credential()).map(|keys| keys.key_id.clone());
            assert_eq!(id().unwrap(), "0");
            match (id(), good) {
                (Ok(id), true) => assert_eq!(id, "0"),
                (Err(error), false) => assert!(error.to_string().contains("nobody answers")),
                (other, _) => panic!("{lives} s: {other:?}"),
            }
        }
    }

    #[test]
    fn endpoints_have_an_order() {
        let environment = |pairs: &[(AmazonS3ConfigKey, &str)]| {
            pairs
                .iter()
                .fold(AmazonS3Builder::new(), |builder, (key, url)| builder.with_config(*key, *url))
        };
        let (all, s3) = (AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint);
        let none = environment(&[]);
        let general = environment(&[(all, "http://all")]);
        let special = environment(&[(all, "http://all"), (s3, "http://s3")]);
        let empty = environment(&[(s3, "")]);
        for (environment, given, fallback, expected) in [
            (&none, None, None, None),
            (&none, None, Some("http://b"), Some("http://b")),
            (&empty, None, Some("http://b"), Some("http://b")),
            (&general, None, Some("http://b"), Some("http://all")),
            (&special, None, Some("http://b"), Some("http://s3")),
            (&special, Some("http://a"), Some("http://b"), Some("http://a")),
        ] {
            let found = endpoint_of(environment, given, fallback);
            assert_eq!(found.as_deref(), expected, "{given:?} {fallback:?}");
        }
        let built = Access::default().with_endpoint("http://a").builder();
        assert_eq!(built.get_config_value(&s3).as_deref(), Some("http://a"));
    }
}
