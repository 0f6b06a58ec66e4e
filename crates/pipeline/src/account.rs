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

    /// The same for a bucket; `None` where the environment says that it needs no credentials, and
    /// there are none.
    pub(crate) fn connect_to_bucket(&self) -> Result<Option<Aws>, Error> {
        match self.connect() {
            Err(Error::NoCredentials { .. })
                if self.options == AwsOptions::default() && Access::default().is_unsigned() =>
            {
                Ok(None)
            }
            connected => connected.map(Some),
        }
    }
}
