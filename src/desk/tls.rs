//! The pages' own TLS: a certificate and its key from files, TLS 1.3 and nothing older.

use crate::config::Tls;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::{self, ServerConfig, crypto::aws_lc_rs, version::TLS13};

/// Certificates in one file.
const CERTIFICATES_MAX: usize = 16;

/// Takes connections with TLS.
pub(super) type Acceptor = TlsAcceptor;

/// Why the certificate or its key does not do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or there is none of that in it.
    #[error("cannot read a {what} from {path}")]
    File {
        /// What is looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<pem::Error>,
    },
    /// Nothing is in the file.
    #[error("there is no certificate in {0}, or there are too many")]
    Certificates(PathBuf),
    /// They do not go together, or are of no kind that is known.
    #[error("the certificate {certificate} and the key {key} do not do")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

/// Reads certificate and key.
pub(super) fn acceptor(tls: &Tls) -> Result<Acceptor, TlsError> {
    let unread = |what, path: &PathBuf| {
        let path = path.clone();
        move |source| TlsError::File { what, path, source: Box::new(source) }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&tls.certificate_file)
        .and_then(|found| found.take(CERTIFICATES_MAX + 1).collect())
        .map_err(unread("certificate", &tls.certificate_file))?;
    if chain.is_empty() || chain.len() > CERTIFICATES_MAX {
        return Err(TlsError::Certificates(tls.certificate_file.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(unread("private key", &tls.key_file))?;
    let pair = |source| TlsError::Pair {
        certificate: tls.certificate_file.clone(),
        key: tls.key_file.clone(),
        source,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Acceptor::from(Arc::new(config)))
}
