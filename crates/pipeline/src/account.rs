//! As whom AWS is asked by a job: found out once, and only when one of its places is there.

use std::sync::{Arc, OnceLock};

use keystar_bucket::Access;
use keystar_transfer::{Aws, AwsOptions, Error};

/// What the user says about AWS, and what was found by it. Clones share that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    options: AwsOptions,
    found: Arc<OnceLock<Aws>>,
}

impl Account {
    pub(crate) fn new(options: AwsOptions) -> Self {
        Self { options, found: Arc::default() }
    }

    /// Looks for a region and for credentials, the first time.
    pub(crate) fn connect(&self) -> Result<Aws, Error> {
        if let Some(aws) = self.found.get() {
            return Ok(aws.clone());
        }
        let aws = Aws::connect(&self.options)?;
        Ok(self.found.get_or_init(|| aws).clone())
    }

    /// The same for a bucket; as nobody where the environment says that it needs no credentials,
    /// there are none, and nobody is named.
    pub(crate) fn bucket_access(&self) -> Result<Access, Error> {
        let AwsOptions { region, profile, s3_endpoint_url, assume_role, .. } = &self.options;
        let is_anybody = || profile.is_none() && assume_role.is_none();
        match self.connect() {
            Err(Error::NoCredentials { .. }) if is_anybody() && Access::default().is_unsigned() => {
                let mut access = Access::default();
                if let Some(region) = region {
                    access = access.with_region(region);
                }
                if let Some(url) = s3_endpoint_url {
                    access = access.with_endpoint(url);
                }
                Ok(access)
            }
            connected => connected?.bucket_access(),
        }
    }
}
