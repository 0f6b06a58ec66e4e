//! What a connection needs to be encrypted, read once.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use super::access::Access;
use crate::Error;

/// The configuration of every encrypted connection, and the name that certificates must have.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
}

impl Tls {
    pub(crate) fn new(access: &Access) -> Result<Self, Error> {
        let roots = match &access.ca {
            Some(path) => roots_of(path)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(Path::new("TLS"), error))?
            .with_root_certificates(roots);
        let config = match (&access.certificate, &access.private_key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
                builder
                    .with_client_auth_cert(chain, private)
                    .map_err(|error| unusable(certificate, error))?
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(path), None) => return Err(unusable(path, "its private key is not given")),
            (None, Some(path)) => return Err(unusable(path, "its certificate is not given")),
        };
        Ok(Self { config: Arc::new(config), server_name: access.server_name.clone() })
    }

    /// The client's side of a connection to this host.
    pub(crate) fn connection(&self, host: &str) -> io::Result<ClientConnection> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let mut found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.pop().map(|error| error.to_string());
        let reason = reason.unwrap_or_else(|| "there is none".to_owned());
        return Err(unusable(Path::new("the system's certificates"), reason));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| unusable(path, error))?;
    if read.is_empty() { Err(unusable(path, "no certificate in it")) } else { Ok(read) }
}

fn unusable(path: &Path, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Certificate { path: PathBuf::from(path), source: io::Error::other(reason) }
}
