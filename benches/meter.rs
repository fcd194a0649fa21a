//! Counts what passes between a command and the API server: a proxy on loopback that both sides of a comparison go
//! through, whatever they are made of. Requests are HTTP requests; a port-forward, an exec and a watch are one each. Bytes
//! are those of the connections, both ways, TLS included.

use std::ffi::OsStr;
use std::io;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HOST, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::Config;
use kube::client::ConfigExt as _;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt as _};

use crate::harness::RUNTIME;

/// The API server, for requests with a body of this kind.
pub(crate) type Server<B> = BoxCloneSyncService<Request<B>, Response<Incoming>, BoxError>;

/// A way to the API server that sends small packets at once, as kube's own client does not.
pub(crate) async fn server<B>() -> Server<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let config = Config::infer().await.expect("KUBECONFIG names a cluster");
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let https = config.rustls_https_connector_with_connector(http).expect("the kubeconfig's certificates");
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().expect("the kubeconfig's user"))
        .map_err(BoxError::from)
        .service(HttpClient::builder(TokioExecutor::new()).build::<_, B>(https));
    BoxCloneSyncService::new(service)
}

#[derive(Clone, Default)]
struct Counts {
    requests: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

/// The one proxy: kubectl keeps what it has found out about a server by the server's address, and has it already when
/// an operator uses it.
static METER: OnceLock<Meter> = OnceLock::new();

/// The proxy.
pub(crate) struct Meter {
    directory: TempDir,
    counts: Counts,
}

impl Meter {
    pub(crate) fn the() -> &'static Self {
        METER.get_or_init(|| {
            let meter = RUNTIME.block_on(Self::start());
            let asked = meter.command("kubectl").arg("api-resources").stdout(Stdio::null()).status();
            assert!(asked.expect("kubectl must be on the PATH").success(), "kubectl reaches the API server through it");
            meter
        })
    }

    /// Removes what it has on disk, at the end of all.
    pub(crate) fn clear() {
        if let Some(meter) = METER.get() {
            drop(std::fs::remove_dir_all(meter.directory.path()));
        }
    }

    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let names = vec!["127.0.0.1".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(names).and_then(|params| params.self_signed(&key));
        let certificate = certificate.expect("a certificate");
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret).expect("they fit");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Whoever goes through is the kubeconfig's user, so not everybody may.
        let token = uuid::Uuid::new_v4().to_string();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("ca.crt");
        std::fs::write(&file, certificate.pem()).expect("it can be written");
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "metered",
            "clusters": [{"name": "metered", "cluster": {
                "server": format!("https://{address}"), "certificate-authority": file,
            }}],
            "users": [{"name": "metered", "user": {"token": token}}],
            "contexts": [{"name": "metered", "context": {"cluster": "metered", "user": "metered"}}],
        });
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig.to_string()).expect("it can be written");
        let counts = Counts::default();
        let pass = Pass {
            server: server().await,
            counts: counts.clone(),
            secret: HeaderValue::from_str(&format!("Bearer {token}")).expect("a header"),
        };
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), pass));
        Self { directory, counts }
    }

    /// A command that goes through it, with a home of its own for what kubectl keeps.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let home = self.directory.path();
        let mut command = Command::new(program);
        command.env("KUBECONFIG", home.join("kubeconfig")).env("HOME", home);
        command
    }

    /// Requests and bytes so far.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.counts.requests.load(Ordering::Relaxed), self.counts.bytes.load(Ordering::Relaxed))
    }
}

/// What it takes to let a request through.
#[derive(Clone)]
struct Pass {
    server: Server<Incoming>,
    counts: Counts,
    secret: HeaderValue,
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, pass: Pass) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        drop(stream.set_nodelay(true));
        let (acceptor, pass) = (acceptor.clone(), pass.clone());
        tokio::spawn(async move {
            let counted = Counted { stream, counts: pass.counts.clone() };
            let Ok(stream) = acceptor.accept(counted).await else { return };
            let service = service_fn(move |request| forward(request, pass.clone()));
            // A connection that breaks off is its client's affair.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await);
        });
    }
}

async fn forward(mut request: Request<Incoming>, pass: Pass) -> Result<Response<Incoming>, BoxError> {
    if request.headers().get(AUTHORIZATION) != Some(&pass.secret) {
        return Err("this is no open door".into());
    }
    pass.counts.requests.fetch_add(1, Ordering::Relaxed);
    request.headers_mut().remove(AUTHORIZATION);
    request.headers_mut().remove(HOST);
    let here = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let mut response = pass.server.oneshot(request).await?;
    if let Some(here) = here
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        let there = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(here), Ok(there)) = tokio::join!(here, there) else { return };
            drop(copy_bidirectional(&mut TokioIo::new(here), &mut TokioIo::new(there)).await);
        });
    }
    Ok(response)
}

/// A connection whose bytes are counted.
struct Counted {
    stream: TcpStream,
    counts: Counts,
}

impl Counted {
    fn count(&self, bytes: usize) {
        self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.count(buffer.filled().len() - before);
        outcome
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, buffer);
        if let Poll::Ready(Ok(bytes)) = outcome {
            self.count(bytes);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
