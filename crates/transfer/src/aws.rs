//! Where AWS is, and as whom we ask: the SDK's own chain of settings and credentials.
//!
//! The SDK is asynchronous. Its runtime lives in here, and whoever calls blocks: inside of another
//! runtime or outside of any.

use std::{fmt, future::Future, sync::Arc};

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use tokio::runtime::{Handle, Runtime};

#[cfg(feature = "s3")]
use {
    futures_core::future::BoxFuture,
    keystar_bucket::{Access, Credentials, Keys},
};

use crate::{DynamoDb, Error, error::OrIo};

/// As whom, and where: what is not said here, the SDK looks for in the environment
/// (`AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_DYNAMODB`, …), in
/// `~/.aws`, and from the machine's or container's role.
///
/// ```
/// let options = keystar_transfer::AwsOptions::default()
///     .with_region("eu-central-1")
///     .with_profile("migration");
/// assert_eq!(options.endpoint_url, None);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct AwsOptions {
    /// The region, such as `eu-central-1`.
    pub region: Option<String>,
    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
    /// Where DynamoDB is, if not where the region has it: `http://127.0.0.1:8000`.
    pub endpoint_url: Option<String>,
    /// Where S3 is, if not where the region has it.
    pub s3_endpoint_url: Option<String>,
    /// Where CloudWatch Logs is, if not where the region has it.
    pub logs_endpoint_url: Option<String>,
    /// The ARN of a role to take on, with the credentials that were found.
    pub assume_role: Option<String>,
}

impl AwsOptions {
    /// Sets the region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the profile.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Sets where DynamoDB is.
    #[must_use]
    pub fn with_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// Sets where S3 is.
    #[must_use]
    pub fn with_s3_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.s3_endpoint_url = Some(url.into());
        self
    }

    /// Sets where CloudWatch Logs is.
    #[must_use]
    pub fn with_logs_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.logs_endpoint_url = Some(url.into());
        self
    }

    /// Sets the role to take on.
    #[must_use]
    pub fn with_assume_role(mut self, arn: impl Into<String>) -> Self {
        self.assume_role = Some(arn.into());
        self
    }
}

/// A region and credentials that were found. Clones share them.
#[derive(Clone)]
pub struct Aws(Arc<Shared>);

struct Shared {
    config: SdkConfig,
    region: String,
    options: AwsOptions,
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Aws {
    /// Looks for a region and for credentials. Nothing is asked of a service, unless the
    /// credentials come from one (a role, single sign-on, the machine).
    ///
    /// # Errors
    ///
    /// [`Error::NoRegion`], [`Error::NoCredentials`].
    pub fn connect(options: &AwsOptions) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(1, usize::from).min(4))
            .thread_name("keystar-aws")
            .enable_all()
            .build()
            .or_io("connect to", "AWS")?;
        let found = wait(runtime.handle(), load(options.clone()));
        let (config, region) = match found {
            Ok(found) => found,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        Ok(Self(Arc::new(Shared {
            config,
            region,
            options: options.clone(),
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })))
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// Its tables.
    #[must_use]
    pub fn dynamodb(&self) -> DynamoDb {
        DynamoDb::new(self.clone())
    }

    /// The same region and credentials for a bucket. S3 is where the options say, or else the
    /// environment or the profile.
    ///
    /// # Errors
    ///
    /// [`Error::NoCredentials`] if no source of credentials is configured.
    #[cfg(feature = "s3")]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "s3", feature = "dynamodb"))))]
    pub fn bucket_access(&self) -> Result<Access, Error> {
        let provider = self.config().credentials_provider().ok_or_else(no_provider)?;
        let mut access =
            Access::default().with_region(self.region()).with_credentials(Provider(provider));
        if let Some(url) = self.config().endpoint_url() {
            access = access.with_fallback_endpoint(url);
        }
        if let Some(url) = &self.options().s3_endpoint_url {
            access = access.with_endpoint(url);
        }
        Ok(access)
    }

    /// What every client of a service is made from.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.0.config
    }

    pub(crate) fn options(&self) -> &AwsOptions {
        &self.0.options
    }

    /// Where tasks may be spawned.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.handle
    }

    /// Waits for a future that needs the SDK's runtime, in any thread.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        wait(self.runtime(), future)
    }
}

impl Aws {
    /// A future that needs the SDK's runtime, for an executor of any kind.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        // Only lost when the future panicked.
        self.runtime().spawn(future).await.unwrap_or(Err(Error::Poisoned))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Waiting for its threads would panic where this is dropped by another runtime's thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.0.region)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

/// Spawned rather than blocked on, because a thread of another runtime may not block on this one.
fn wait<T: Send + 'static>(
    runtime: &Handle,
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        // Nobody listens if the caller's thread is gone.
        let _ = sender.send(future.await);
    });
    // The sender is only lost when the future panicked.
    receiver.recv().unwrap_or(Err(Error::Poisoned))
}

async fn load(options: AwsOptions) -> Result<(SdkConfig, String), Error> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build());
    if let Some(region) = options.region {
        loader = loader.region(Region::new(region));
    }
    let named = options.profile.clone();
    if let Some(profile) = options.profile {
        loader = loader.profile_name(profile);
    }
    if let Ok(name) = AppName::new("keystar") {
        loader = loader.app_name(name);
    }
    let config = loader.load().await;
    let region = config.region().map(ToString::to_string).ok_or(Error::NoRegion)?;
    let config = match named {
        None => config,
        // The SDK's chain takes keys of the environment before the profile that somebody names.
        Some(profile) => {
            let settings = ProviderConfig::default().with_region(config.region().cloned());
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(&settings)
                .profile_name(profile)
                .build();
            config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(provider))
                .build()
        }
    };
    let config = match options.assume_role {
        None => config,
        Some(role) => {
            let base = config.credentials_provider().ok_or_else(no_provider)?;
            let provider = AssumeRoleProvider::builder(role)
                .session_name("keystar")
                .configure(&config)
                .build_from_provider(base)
                .await;
            config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(provider))
                .build()
        }
    };
    // Asked for once now: a wrong profile is better told before the first item than after it.
    config
        .credentials_provider()
        .ok_or_else(no_provider)?
        .provide_credentials()
        .await
        .map_err(|error| Error::NoCredentials { source: error.into() })?;
    Ok((config, region))
}

/// To reach a host takes one round trip; whoever is not there in this time is not there.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

fn no_provider() -> Error {
    Error::NoCredentials { source: "no source of credentials is configured".into() }
}

/// The SDK's credentials for a bucket: of a profile, a role, a login. The SDK itself keeps them only
/// for its own clients.
#[cfg(feature = "s3")]
#[derive(Debug)]
struct Provider(SharedCredentialsProvider);

#[cfg(feature = "s3")]
impl Credentials for Provider {
    fn keys(&self) -> BoxFuture<'_, Result<Keys, Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async move {
            let found = self.0.provide_credentials().await?;
            let token = found.session_token().map(str::to_owned);
            let keys = Keys::new(found.access_key_id(), found.secret_access_key());
            Ok(keys.with_session(token, found.expiry()))
        })
    }
}
