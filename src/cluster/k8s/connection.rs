//! The connection to the API server: kubeconfig, impersonation, time-outs, and small packets sent at once.

use std::path::PathBuf;
use std::time::Duration;

use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use crate::runbook::{Trouble, TroubleKind};

/// How long the first call may take: long enough for a slow login, short enough to say that nobody is there.
pub(super) const FIRST_CALL: Duration = Duration::from_secs(4);

/// How to reach the API server; kubectl's own options.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// `--kubeconfig`; else `KUBECONFIG`, `~/.kube/config`, or the pod's own service account.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--as`.
    pub impersonate: Option<String>,
    /// `--as-group`.
    pub impersonate_groups: Vec<String>,
    /// `--request-timeout`: how long one call may take.
    pub request_timeout: Duration,
}

/// An open connection, which its clones share.
#[derive(Clone)]
pub(in crate::cluster) struct Connected {
    pub(super) client: Client,
    /// The context's own.
    pub(in crate::cluster) namespace: String,
    pub(super) server: String,
    pub(super) request_timeout: Duration,
}

impl Connection {
    pub(in crate::cluster) async fn open(&self) -> Result<Connected, Trouble> {
        let mut config = self.config().await?;
        // kube would repeat a refused call up to 15 times, whatever it was: reads are asked again by `errors::ask`, within
        // the limit of one call, and changes by the loop, which shows it.
        config.default_retry = false;
        config.connect_timeout = Some(FIRST_CALL);
        if self.impersonate.is_some() {
            config.auth_info.impersonate.clone_from(&self.impersonate);
            config.auth_info.impersonate_groups = Some(self.impersonate_groups.clone());
        }
        let namespace = config.default_namespace.clone();
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = client(config).map_err(|error| {
            Trouble::new(
                TroubleKind::Refused,
                format!("cannot prepare a connection to {server}: {}", crate::cluster::chain(&error)),
            )
            .advise("check the certificates and the user in the kubeconfig")
        })?;
        Ok(Connected { client, namespace, server, request_timeout: self.request_timeout })
    }

    async fn config(&self) -> Result<Config, Trouble> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let refused = |what: &str, error: &dyn std::error::Error| {
            Trouble::new(TroubleKind::Refused, format!("{what}: {}", crate::cluster::chain(error)))
                .advise("name a cluster with --kubeconfig and --context, or set KUBECONFIG")
        };
        if let Some(path) = &self.kubeconfig {
            let file = Kubeconfig::read_from(path)
                .map_err(|error| refused(&format!("cannot use kubeconfig {}", path.display()), &error))?;
            return Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| refused(&format!("cannot use kubeconfig {}", path.display()), &error));
        }
        match Config::from_kubeconfig(&options).await {
            Ok(config) => Ok(config),
            Err(error) if self.context.is_some() => Err(refused("cannot use the kubeconfig", &error)),
            // Inside a pod there is no kubeconfig; the service account is the way in.
            Err(error) => Config::incluster().map_err(|_| refused("found no cluster to talk to", &error)),
        }
    }
}

/// kube's own client leaves `TCP_NODELAY` off, which costs 44 ms a call through a port-forward; so the stack is built
/// here, from kube's own layers. Behind a proxy kube's own stack serves.
fn client(config: Config) -> kube::Result<Client> {
    if config.proxy_url.is_some() {
        return Ok(ClientBuilder::try_from(config)?.build());
    }
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(config.connect_timeout);
    http.set_keepalive(Some(Duration::from_secs(30)));
    let https = config.rustls_https_connector_with_connector(http)?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(HttpClient::builder(TokioExecutor::new()).build::<_, Body>(https));
    Ok(Client::new(service, config.default_namespace))
}
