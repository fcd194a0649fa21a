//! Finding out how to get to etcd: by what is permitted and can be reached, and with which certificates.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::Etcd;
use super::etcdctl::CertificatePaths;
use super::tls::Certificates;
use crate::cluster::k8s::Kubernetes;
use crate::model::{CertFile, Known, Observation, Permission, Tls, Via, client_ports};
use crate::runbook::{Trouble, TroubleKind};

/// How long a pod may take to take a connection, when it is found out whether it can be reached at all.
const REACHABLE: Duration = Duration::from_secs(1);

/// How to get to etcd.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) via: Via,
    /// Where clients need TLS.
    pub(super) tls: Option<Secure>,
    /// The certificates as the container has them, for etcdctl.
    pub(super) paths: CertificatePaths,
}

/// TLS, as it is needed.
#[derive(Clone)]
pub(super) struct Secure {
    /// What makes TLS of a stream; etcdctl needs none.
    pub(super) connector: Option<TlsConnector>,
}

impl Etcd {
    /// Finds out how to get to etcd, once.
    ///
    /// # Errors
    /// When there is no way, or a certificate cannot be had. The next reading tries again.
    pub(super) async fn find_way(&mut self, kubernetes: &Kubernetes, observation: &Observation) -> Result<(), Trouble> {
        if self.way.is_some() {
            return Ok(());
        }
        let Some((_, container)) = observation.statefulset.template.etcd() else { return Ok(()) };
        let via = match self.reach.via {
            Some(via) => via,
            None => choose(kubernetes, observation).await?,
        };
        let tls = observation.statefulset.template.client_tls(container);
        let paths = self.paths(tls.as_ref());
        let wanted = tls.is_some() || self.reach.cacert.is_some();
        let secure = if !wanted {
            None
        } else if via == Via::Exec {
            Some(Secure { connector: None })
        } else {
            let certificates = self.certificates(kubernetes, tls.as_ref()).await?;
            Some(Secure { connector: Some(certificates.connector()?) })
        };
        self.way = Some(Way { via, tls: secure, paths });
        Ok(())
    }

    async fn certificates(&self, kubernetes: &Kubernetes, tls: Option<&Tls>) -> Result<Certificates, Trouble> {
        let ca = match (&self.reach.cacert, tls.and_then(|tls| tls.ca.as_ref())) {
            (Some(file), _) => (local(file)?, file.display().to_string()),
            (None, Some(file)) => (kubernetes.file(&file.source).await?, file.source.to_string()),
            (None, None) => {
                return Err(Trouble::new(
                    TroubleKind::Refused,
                    "etcd talks TLS to its clients, and the template does not say which authority to believe",
                )
                .advise("name it with --cacert"));
            }
        };
        let own = match (&self.reach.cert, &self.reach.key, tls) {
            (Some(cert), Some(key), _) => Some((local(cert)?, local(key)?, cert.display().to_string())),
            (_, _, Some(Tls { asks_for_cert: true, cert: Some(cert), key: Some(key), .. })) => {
                let (text, own) = (kubernetes.file(&cert.source).await?, kubernetes.file(&key.source).await?);
                Some((text, own, cert.source.to_string()))
            }
            _ => None,
        };
        Ok(Certificates { ca, own })
    }

    /// Where the container has what etcdctl needs. What the command line names is meant there where the template says
    /// nothing.
    fn paths(&self, tls: Option<&Tls>) -> CertificatePaths {
        let given = |file: &Option<std::path::PathBuf>| file.as_ref().map(|file| file.display().to_string());
        let path = |file: &Option<CertFile>| file.as_ref().map(|file| file.path.clone());
        let Some(tls) = tls else {
            let own = given(&self.reach.cert).zip(given(&self.reach.key));
            return CertificatePaths { ca: given(&self.reach.cacert), own };
        };
        let own = path(&tls.cert).zip(path(&tls.key)).filter(|_| tls.asks_for_cert);
        CertificatePaths { ca: path(&tls.ca).or_else(|| given(&self.reach.cacert)), own }
    }
}

fn local(file: &Path) -> Result<Vec<u8>, Trouble> {
    std::fs::read(file).map_err(|error| {
        Trouble::new(TroubleKind::Refused, format!("cannot read {}: {error}", file.display()))
            .advise("name the right files with --cacert, --cert and --key")
    })
}

/// The first way that is permitted and can be gone. Within the cluster the pods themselves come first.
async fn choose(kubernetes: &Kubernetes, observation: &Observation) -> Result<Via, Trouble> {
    let within = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    if within && reachable(observation).await {
        return Ok(Via::Direct);
    }
    let ask = |resource: &str| Permission {
        verb: "get".to_owned(),
        group: String::new(),
        resource: resource.to_owned(),
        namespaced: true,
    };
    let answers = kubernetes.permissions(&[ask("pods/portforward"), ask("pods/exec")]).await;
    let refused = |at: usize| matches!(answers.get(at), Some((_, Known::Known(false))));
    if !refused(0) {
        return Ok(Via::PortForward);
    }
    if !refused(1) {
        return Ok(Via::Exec);
    }
    if !within && reachable(observation).await {
        return Ok(Via::Direct);
    }
    Err(Trouble::new(
        TroubleKind::Refused,
        "there is no way to etcd: you may neither port-forward to its pods nor exec in them, and they cannot be reached \
         from here",
    )
    .advise("ask for the role in .github/rbac.yaml, or run within the cluster"))
}

/// Whether a running pod takes connections from here.
async fn reachable(observation: &Observation) -> bool {
    let Some((_, container)) = observation.statefulset.template.etcd() else { return false };
    let Some(port) = client_ports(container).first().copied() else { return false };
    let address = observation.pods.iter().find(|pod| pod.ready).and_then(|pod| pod.address.clone());
    let Some(address) = address.and_then(|address| address.parse::<std::net::IpAddr>().ok()) else { return false };
    matches!(tokio::time::timeout(REACHABLE, TcpStream::connect((address, port))).await, Ok(Ok(_)))
}
