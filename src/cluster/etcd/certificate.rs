//! What a certificate says: whom it names and how long it lasts.

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::model::Certificate;

/// Reads the first certificate of a PEM text. `host` is what it has to name, where it has to name anything.
///
/// # Errors
/// When it is none.
pub(super) fn read(pem: &[u8], host: Option<&str>, now: jiff::Timestamp) -> Result<Certificate, String> {
    let der = CertificateDer::from_pem_slice(pem).map_err(|_| "it is no certificate in PEM".to_owned())?;
    let (_, certificate) =
        X509Certificate::from_der(&der).map_err(|_| "it is a certificate that cannot be read".to_owned())?;
    let expires = certificate.validity().not_after.timestamp();
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    let covers = host.is_none_or(|host| {
        let parsed = ParsedCertificate::try_from(&der);
        let name = ServerName::try_from(host);
        matches!((parsed, name), (Ok(parsed), Ok(name)) if verify_server_name(&parsed, &name).is_ok())
    });
    Ok(Certificate {
        names: names.collect(),
        covers,
        expires: jiff::Timestamp::from_second(expires).map(|at| at.to_string()).unwrap_or_default(),
        days_left: (expires - now.as_second()).div_euclid(24 * 60 * 60),
    })
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok().map(|address| address.to_string())
}
