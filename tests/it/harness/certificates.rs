//! Certificates of a test's own: an authority, and what it signs for the members.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::{Value, json};

use super::cluster::pod;
use super::manifest::SERVICE;

/// The Secret that the members have their certificates from.
pub(crate) const SECRET: &str = "etcd-tls";

/// Where they are in the containers.
pub(crate) const DIRECTORY: &str = "/certs";

/// What etcd talks TLS with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secured {
    /// Whether the members talk TLS to each other, and not only to clients.
    pub(crate) peers: bool,
    /// The pods that the certificate names; the first five where there are none.
    pub(crate) names: Vec<String>,
    /// Whether it has expired already.
    pub(crate) expired: bool,
}

/// An authority and a certificate of its making, as PEM.
pub(crate) struct Pem {
    pub(crate) ca: String,
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Pem {
    /// For members in a namespace.
    pub(crate) fn of(secured: &Secured, namespace: &str) -> Self {
        let domain = format!("{SERVICE}.{namespace}.svc");
        // Each by its name: etcd believes a peer whose certificate has a wildcard only where addresses lead to names.
        let all: Vec<_> = (0..5).map(pod).collect();
        let pods = if secured.names.is_empty() { &all } else { &secured.names };
        let mut names: Vec<_> = pods.iter().map(|name| format!("{name}.{domain}")).collect();
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, format!("authority of {namespace}"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "etcd");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(if secured.expired { 2021 } else { 2120 }, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &authority).expect("a certificate");
        Self { ca: authority.pem(), cert: cert.pem(), key: key.serialize_pem() }
    }

    /// The Secret.
    pub(super) fn secret(&self, namespace: &str) -> Value {
        let data = json!({"ca.crt": self.ca, "tls.crt": self.cert, "tls.key": self.key});
        let metadata = json!({"name": SECRET, "namespace": namespace});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
    }
}

impl Secured {
    /// etcd's flags.
    pub(super) fn flags(&self) -> String {
        let of = |prefix: &str| {
            format!(
                "--{prefix}cert-file={DIRECTORY}/tls.crt --{prefix}key-file={DIRECTORY}/tls.key \
                 --{prefix}trusted-ca-file={DIRECTORY}/ca.crt --{prefix}client-cert-auth"
            )
        };
        if self.peers { format!("{} {}", of(""), of("peer-")) } else { of("") }
    }
}
