//! TLS as etcd's own flags and variables tell it: whether clients and peers need it, and where the certificates lie.

use serde::{Deserialize, Serialize};

use super::template::within;
use super::{Container, Template, VolumeKind};

/// What one of etcd's two listeners, for clients or for peers, says about TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The authority that certificates are checked against.
    pub ca: Option<CertFile>,
    /// The member's own certificate.
    pub cert: Option<CertFile>,
    /// Its key.
    pub key: Option<CertFile>,
    /// Whether whoever connects has to show a certificate.
    pub asks_for_cert: bool,
}

/// A file that a container reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertFile {
    /// Its path in the container.
    pub path: String,
    /// What it comes from.
    pub source: CertSource,
}

/// Where a file's content can be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CertSource {
    /// A key of a Secret.
    Secret {
        /// The Secret.
        name: String,
        /// The key.
        key: String,
    },
    /// A key of a ConfigMap.
    ConfigMap {
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
    },
    /// Nowhere from outside; the text says what it is on.
    Elsewhere(String),
}

impl std::fmt::Display for CertSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { name, key } => write!(f, "key {key} of Secret {name}"),
            Self::ConfigMap { name, key } => write!(f, "key {key} of ConfigMap {name}"),
            Self::Elsewhere(place) => f.write_str(place),
        }
    }
}

/// The names of the flags that one listener has (`etcd --help`, Security).
struct Flags {
    ca: &'static str,
    cert: &'static str,
    key: &'static str,
    asks: &'static str,
    urls: [&'static str; 2],
}

const CLIENT: Flags = Flags {
    ca: "trusted-ca-file",
    cert: "cert-file",
    key: "key-file",
    asks: "client-cert-auth",
    urls: ["advertise-client-urls", "listen-client-urls"],
};

const PEER: Flags = Flags {
    ca: "peer-trusted-ca-file",
    cert: "peer-cert-file",
    key: "peer-key-file",
    asks: "peer-client-cert-auth",
    urls: ["initial-advertise-peer-urls", "listen-peer-urls"],
};

/// Where cert-manager and its like put the authority beside a certificate.
const CA_BESIDE: &str = "ca.crt";

impl Template {
    /// What clients of etcd need; none where they need no TLS.
    pub fn client_tls(&self, container: &Container) -> Option<Tls> {
        self.tls(container, &CLIENT)
    }

    /// What etcd's peers need; none where they need no TLS.
    pub fn peer_tls(&self, container: &Container) -> Option<Tls> {
        self.tls(container, &PEER)
    }

    fn tls(&self, container: &Container, flags: &Flags) -> Option<Tls> {
        let said = |flag| said(container, flag);
        let file = |flag| said(flag).filter(|path| path.starts_with('/')).map(|path| self.file(container, path));
        let cert = file(flags.cert);
        let https = flags.urls.into_iter().filter_map(said).any(|urls| urls.contains("https://"));
        if !https && cert.is_none() {
            return None;
        }
        let beside = || {
            let Some(CertFile { path, source: CertSource::Secret { name, .. } }) = &cert else { return None };
            let path = format!("{}/{CA_BESIDE}", path.rsplit_once('/')?.0);
            let source = CertSource::Secret { name: name.clone(), key: CA_BESIDE.to_owned() };
            Some(CertFile { path, source })
        };
        let asks = said(flags.asks).is_some_and(|value| value != "false");
        let key = file(flags.key);
        Some(Tls { ca: file(flags.ca).or_else(beside), cert, key, asks_for_cert: asks || bare(container, flags.asks) })
    }

    /// Where the content of a file in a container comes from.
    fn file(&self, container: &Container, path: String) -> CertFile {
        let holding = container.mounts.iter().filter(|mount| within(&path, &mount.path));
        let Some(mount) = holding.max_by_key(|mount| mount.path.trim_end_matches('/').len()) else {
            return CertFile { source: CertSource::Elsewhere("the image".to_owned()), path };
        };
        let inner = path[mount.path.trim_end_matches('/').len()..].trim_start_matches('/');
        let inner = match (&mount.sub_path, inner) {
            (None, inner) => inner.to_owned(),
            (Some(sub), "") => sub.clone(),
            (Some(sub), inner) => format!("{}/{inner}", sub.trim_end_matches('/')),
        };
        let key_at = |items: &[(String, String)]| {
            if items.is_empty() {
                return Some(inner.clone());
            }
            items.iter().find(|(_, at)| *at == inner).map(|(key, _)| key.clone())
        };
        let kind = self.volumes.get(&mount.volume);
        let source = match kind {
            Some(VolumeKind::Secret { name, items }) => {
                key_at(items).map(|key| CertSource::Secret { name: name.clone(), key })
            }
            Some(VolumeKind::ConfigMap { name, items }) => {
                key_at(items).map(|key| CertSource::ConfigMap { name: name.clone(), key })
            }
            _ => None,
        };
        let place = || kind.map_or_else(|| format!("volume {}", mount.volume), ToString::to_string);
        CertFile { source: source.unwrap_or_else(|| CertSource::Elsewhere(place())), path }
    }
}

/// What a flag, or the variable of the same name, says. Flags win.
fn said(container: &Container, flag: &str) -> Option<String> {
    let variable = format!("ETCD_{}", flag.replace('-', "_").to_uppercase());
    container.flag(flag).or_else(|| container.literal(&variable).map(str::to_owned))
}

/// Whether a switch stands alone, so that the word after it is no value of its own.
fn bare(container: &Container, flag: &str) -> bool {
    container.command_line().flat_map(super::template::shell_words).any(|(_, word)| word == format!("--{flag}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Mount;

    fn template(args: &str, items: Vec<(String, String)>) -> (Template, Container) {
        let mount = |volume: &str, path: &str| Mount { volume: volume.into(), path: path.into(), sub_path: None };
        let container = Container {
            args: vec![args.into()],
            mounts: vec![mount("certs", "/certs"), mount("scratch", "/certs/own")],
            ..Container::default()
        };
        let secret = VolumeKind::Secret { name: "etcd-tls".into(), items };
        let volumes = BTreeMap::from([("certs".into(), secret), ("scratch".into(), VolumeKind::EmptyDir)]);
        (Template { volumes, containers: vec![container.clone()], ..Template::default() }, container)
    }

    fn secret(key: &str) -> CertSource {
        CertSource::Secret { name: "etcd-tls".into(), key: key.into() }
    }

    #[test]
    fn without_https_there_is_none() {
        let (template, container) = template("etcd --advertise-client-urls http://a:2379", Vec::new());
        assert_eq!(template.client_tls(&container), None);
        assert_eq!(template.peer_tls(&container), None);
    }

    #[test]
    fn the_files_of_a_secret_are_found() {
        let flags = "etcd --advertise-client-urls=https://$HOSTNAME:2379 --cert-file=/certs/tls.crt \
                     --key-file /certs/tls.key --trusted-ca-file=/certs/ca.pem --client-cert-auth --name x";
        let (template, container) = template(flags, Vec::new());
        let tls = template.client_tls(&container).unwrap();
        assert!(tls.asks_for_cert);
        assert_eq!(tls.ca.unwrap().source, secret("ca.pem"));
        assert_eq!(tls.cert.unwrap().source, secret("tls.crt"));
        assert_eq!(tls.key.unwrap(), CertFile { path: "/certs/tls.key".into(), source: secret("tls.key") });
        assert_eq!(template.peer_tls(&container), None);
    }

    #[test]
    fn keys_appear_under_the_paths_they_are_given() {
        let items = vec![("server-cert".into(), "tls.crt".into())];
        let (template, container) = template("etcd --cert-file=/certs/tls.crt --key-file=/certs/own/key", items);
        let tls = template.client_tls(&container).unwrap();
        assert_eq!(tls.cert.unwrap().source, secret("server-cert"));
        assert_eq!(tls.key.unwrap().source, CertSource::Elsewhere("an emptyDir".into()));
        // The authority is looked for beside the certificate.
        assert_eq!(tls.ca.unwrap().source, secret("ca.crt"));
        assert!(!tls.asks_for_cert);
    }
}
