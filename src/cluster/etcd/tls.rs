//! TLS to a member: whose certificates are believed, what is shown in return, and what a failed handshake means.

use std::future::Future;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::runbook::{Trouble, TroubleKind};

/// What is needed to talk to the members, as PEM.
#[derive(Clone, Default)]
pub(super) struct Certificates {
    /// The authorities to believe, and where they were found.
    pub(super) ca: (Vec<u8>, String),
    /// The certificate to show and its key, and where they were found.
    pub(super) own: Option<(Vec<u8>, Vec<u8>, String)>,
}

impl Certificates {
    /// What makes TLS of a stream.
    ///
    /// # Errors
    /// When a text is no certificate or key, or certificate and key are not each other's.
    pub(super) fn connector(&self) -> Result<TlsConnector, Trouble> {
        let (ca, place) = &self.ca;
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(ca) {
            let authority = authority.map_err(|_| unusable(place, "is no certificate in PEM"))?;
            roots.add(authority).map_err(|_| unusable(place, "is a certificate that cannot be used"))?;
        }
        if roots.is_empty() {
            return Err(unusable(place, "has no certificate in it"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Trouble::new(TroubleKind::Internal, format!("TLS cannot be prepared: {error}")))?
            .with_root_certificates(roots);
        let mut config = match &self.own {
            None => config.with_no_client_auth(),
            Some((cert, key, place)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
                let chain = chain.ok().filter(|chain| !chain.is_empty());
                let chain = chain.ok_or_else(|| unusable(place, "is no certificate in PEM"))?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unusable(place, "has no key in PEM"))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| unusable(place, "is a certificate and a key that do not belong together"))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn unusable(place: &str, what: &str) -> Trouble {
    Trouble::new(TroubleKind::Refused, format!("{place} {what}"))
        .advise("name the right files with --cacert, --cert and --key")
}

/// Shakes hands over streams that `open` makes, until the member's certificate names one of `hosts`.
///
/// # Errors
/// Whatever is wrong with the certificate or the stream, in a sentence.
pub(super) async fn shake_hands<S, F>(
    connector: &TlsConnector,
    hosts: &[String],
    pod: &str,
    open: impl Fn() -> F,
) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = io::Result<S>>,
{
    for host in hosts {
        let Ok(name) = ServerName::try_from(host.clone()) else { continue };
        match connector.connect(name, open().await?).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                if let Some(sentence) = what_is_wrong(&error, pod) {
                    return Err(io::Error::other(sentence));
                }
                tracing::debug!(pod, host, "the certificate does not name this host");
            }
        }
    }
    Err(io::Error::other(format!("the certificate of {pod} is not valid for {}", hosts.join(" or "))))
}

/// What a failed handshake means; none where only the name does not fit.
fn what_is_wrong(error: &io::Error, pod: &str) -> Option<String> {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let said = match cause {
        Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => return None,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the certificate of {pod} has expired")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("the certificate of {pod} is not valid yet")
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("the certificate of {pod} is not signed by the authority that was given")
            }
            other => format!("the certificate of {pod} cannot be accepted: {other}"),
        },
        Some(rustls::Error::AlertReceived(alert)) => format!("{pod} refuses the client's certificate: {alert:?}"),
        Some(rustls::Error::InvalidMessage(_)) => format!("{pod} does not answer with TLS"),
        _ => format!("no TLS with {pod}: {error}"),
    };
    Some(said)
}
