use std::{fmt, path::PathBuf, time::Duration};

/// A password. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How servers are logged in to, and how long they are waited for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Access {
    /// The ACL user, in place of the URL's.
    pub user: Option<String>,
    /// The password, of the user or of `requirepass`.
    pub password: Option<Secret>,
    /// The ACL user at Sentinels.
    pub sentinel_user: Option<String>,
    /// The password at Sentinels: theirs may differ from the servers'.
    pub sentinel_password: Option<Secret>,
    /// A file of certificates (PEM) that vouch for the servers', in place of the system's.
    pub ca: Option<PathBuf>,
    /// A file with the client's own certificate and its chain (PEM).
    pub certificate: Option<PathBuf>,
    /// A file with the client's private key (PEM).
    pub private_key: Option<PathBuf>,
    /// The name that the servers' certificates must have, and that is asked for (SNI), in place of
    /// the host's.
    pub server_name: Option<String>,
    /// Read from replicas, where there are any that are up, to spare the primaries.
    pub replicas: bool,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer, or for a server to take a request.
    pub read_timeout: Duration,
    /// How long a lost connection is tried again before it is an error.
    pub patience: Duration,
}

impl Default for Access {
    /// No password, the system's certificates, primaries; 10 seconds to connect, 60 for an answer,
    /// 5 minutes of trying again.
    fn default() -> Self {
        Self {
            user: None,
            password: None,
            sentinel_user: None,
            sentinel_password: None,
            ca: None,
            certificate: None,
            private_key: None,
            server_name: None,
            replicas: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            patience: Duration::from_secs(300),
        }
    }
}

impl Access {
    /// Logs in as this ACL user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<Option<String>>) -> Self {
        self.user = user.into();
        self
    }

    /// Logs in with this password.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<Option<Secret>>) -> Self {
        self.password = password.into();
        self
    }

    /// Logs in to Sentinels as this ACL user.
    #[must_use]
    pub fn with_sentinel_user(mut self, user: impl Into<Option<String>>) -> Self {
        self.sentinel_user = user.into();
        self
    }

    /// Logs in to Sentinels with this password.
    #[must_use]
    pub fn with_sentinel_password(mut self, password: impl Into<Option<Secret>>) -> Self {
        self.sentinel_password = password.into();
        self
    }

    /// Trusts the certificates of this file (PEM) instead of the system's.
    #[must_use]
    pub fn with_ca(mut self, ca: impl Into<Option<PathBuf>>) -> Self {
        self.ca = ca.into();
        self
    }

    /// Shows the server this certificate and proves it by its key (PEM files).
    #[must_use]
    pub fn with_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        private_key: impl Into<PathBuf>,
    ) -> Self {
        self.certificate = Some(certificate.into());
        self.private_key = Some(private_key.into());
        self
    }

    /// Expects this name in the servers' certificates.
    #[must_use]
    pub fn with_server_name(mut self, name: impl Into<Option<String>>) -> Self {
        self.server_name = name.into();
        self
    }

    /// Whether replicas are read where there are any.
    #[must_use]
    pub fn with_replicas(mut self, replicas: bool) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets how long to wait for a connection.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long to wait for an answer.
    #[must_use]
    pub fn with_read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Sets how long a lost connection is tried again.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}
