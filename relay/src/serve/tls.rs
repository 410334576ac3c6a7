//! The relay's own TLS: certificates and keys from files, TLS 1.2 and later, and certificates of clients where they are asked for.

use crate::config::Tls;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig, crypto::aws_lc_rs};

/// Certificates in one file.
const CERTIFICATES_MAX: usize = 64;

/// Why a certificate or its key does not do.
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
    #[error("certificate and key do not do")]
    Pair(#[source] rustls::Error),
    /// Clients cannot be checked against the authorities.
    #[error("the authorities of clients do not do")]
    Authorities(#[source] VerifierBuilderError),
}

/// Reads what takes connections with TLS.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|source| TlsError::File {
        what: "private key",
        path: tls.key.clone(),
        source: Box::new(source),
    })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(TlsError::Pair)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(TlsError::Authorities)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(|found| found.take(CERTIFICATES_MAX + 1).collect())
        .map_err(|source| TlsError::File {
            what: "certificate",
            path: file.to_owned(),
            source: Box::new(source),
        })?;
    if chain.is_empty() || chain.len() > CERTIFICATES_MAX {
        return Err(TlsError::Certificates(file.to_owned()));
    }
    Ok(chain)
}
