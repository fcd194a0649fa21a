//! gRPC channels to members: through a pod's port-forward without a local port, or straight to an address.

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use super::tls::shake_hands;

/// How long opening a stream may take, TLS included.
pub(super) const OPEN: Duration = Duration::from_secs(3);

/// Where a member is found.
#[derive(Clone)]
pub(super) enum Place {
    /// Behind the port-forward of its pod.
    Port {
        /// The API of the namespace's pods.
        pods: Box<Api<Pod>>,
        /// The port.
        port: u16,
    },
    /// At a host and port.
    Address(String),
}

/// What TLS needs, and the hosts of which the certificate has to name one.
pub(super) type Secured = Option<(TlsConnector, Vec<String>)>;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A channel to the member in a pod. It connects at the first call, and again after it was cut.
pub(super) fn channel(place: &Place, pod: &str, secured: Secured) -> Channel {
    let (place, pod) = (place.clone(), pod.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (place, pod, secured) = (place.clone(), pod.clone(), secured.clone());
        async move { stream(&place, &pod, secured.as_ref()).await.map(TokioIo::new) }
    });
    // The name is sent as authority only; the connector decides where it leads.
    Endpoint::from_static("http://etcd").connect_timeout(OPEN).connect_with_connector_lazy(connector)
}

/// A stream to the member in a pod, with TLS where that is needed.
///
/// # Errors
/// What stands in the way, in a sentence.
pub(super) async fn stream(
    place: &Place,
    pod: &str,
    secured: Option<&(TlsConnector, Vec<String>)>,
) -> io::Result<Box<dyn Stream>> {
    let stream = async {
        match secured {
            None => open(place, pod).await,
            Some((connector, hosts)) => {
                let stream = shake_hands(connector, hosts, pod, || open(place, pod)).await?;
                Ok(Box::new(stream) as Box<dyn Stream>)
            }
        }
    };
    let stream = tokio::time::timeout(OPEN, stream).await;
    stream.map_err(|_| io::Error::other(format!("no way to {pod} within {} s", OPEN.as_secs())))?
}

async fn open(place: &Place, pod: &str) -> io::Result<Box<dyn Stream>> {
    match place {
        Place::Port { pods, port } => {
            let mut forwarder = pods
                .portforward(pod, &[*port])
                .await
                .map_err(|error| io::Error::other(format!("no tunnel to {pod}: {}", reason(&error))))?;
            let stream = forwarder.take_stream(*port);
            let stream = stream.ok_or_else(|| io::Error::other(format!("no tunnel to port {port} of {pod}")))?;
            Ok(Box::new(stream))
        }
        Place::Address(address) => {
            let stream = TcpStream::connect(address).await;
            let stream = stream.map_err(|error| io::Error::other(format!("no way to {pod} at {address}: {error}")))?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

/// kube's own text repeats the whole Status in debug form.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => crate::cluster::chain(other),
    }
}
