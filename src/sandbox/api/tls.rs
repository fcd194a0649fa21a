//! The door: TLS on loopback, and the kubeconfig that opens it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A listener whose connections have shaken hands already.
pub(super) struct Door {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, Caller)>,
}

/// One connection, to be cut where a fault asks for it.
#[derive(Debug, Clone)]
pub(super) struct Caller(Arc<std::net::TcpStream>);

impl Caller {
    /// Ends the connection without a word.
    pub(super) fn cut(&self) {
        // One that is gone already is as good as cut.
        drop(self.0.shutdown(std::net::Shutdown::Both));
    }
}

impl Door {
    /// Opens a port on loopback and makes the kubeconfig for it.
    ///
    /// # Errors
    /// When the port cannot be opened or the certificates cannot be made.
    pub(super) async fn open(token: &str) -> anyhow::Result<(Self, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (config, authority) = certificates()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (shaken, ready) = mpsc::channel(16);
        tokio::spawn(accept(listener, acceptor, shaken));
        Ok((Self { address, ready }, kubeconfig(address, &authority, token)))
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shaken: mpsc::Sender<(TlsStream<TcpStream>, Caller)>) {
    while !shaken.is_closed() {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, shaken) = (acceptor.clone(), shaken.clone());
        tokio::spawn(async move {
            let connection = async {
                stream.set_nodelay(true)?;
                // A second handle, so that a fault can cut the connection from outside.
                let stream = stream.into_std()?;
                let caller = Caller(Arc::new(stream.try_clone()?));
                let stream = acceptor.accept(TcpStream::from_std(stream)?).await?;
                Ok::<_, io::Error>((stream, caller))
            };
            match timeout(HANDSHAKE, connection).await {
                Ok(Ok(connection)) => drop(shaken.send(connection).await),
                Ok(Err(error)) => tracing::debug!(%error, "a client did not come in"),
                Err(_) => tracing::debug!("a client did not shake hands"),
            }
        });
    }
}

impl Listener for Door {
    type Io = Knock;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some((stream, caller)) => (Knock { stream, caller }, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// A connection that came in.
pub(super) struct Knock {
    stream: TlsStream<TcpStream>,
    caller: Caller,
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(incoming: IncomingStream<'_, Door>) -> Self {
        incoming.io().caller.clone()
    }
}

impl tokio::io::AsyncRead for Knock {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Knock {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A certificate for loopback, and the authority that vouches for it, which nobody else trusts.
fn certificates() -> anyhow::Result<(ServerConfig, String)> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "etcd-scale sandbox");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut server = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    server.distinguished_name.push(DnType::CommonName, "etcd-scale sandbox API server");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;

    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, authority.pem()))
}

/// What kubectl, and everything else that reads a kubeconfig, needs to come in. JSON is YAML too.
fn kubeconfig(address: SocketAddr, authority: &str, token: &str) -> String {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {
            "server": format!("https://{address}"), "certificate-authority-data": authority,
        }}],
        "users": [{"name": "sandbox", "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox", "namespace": "default"}}],
    });
    format!("{config:#}\n")
}
