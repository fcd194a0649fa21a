//! The members by gRPC: the benchmark's own way, so that nobody has to be believed. At the pod's address where this machine
//! reaches it, as a client in the cluster would; else through the pod's port-forward, which may stay open for a while after
//! the member behind it has gone.

use std::io;
use std::time::Duration;

use etcd_client::{Channel, Client};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::transport::{Endpoint, Uri};

use crate::meter::server;

const PORT: u16 = 2379;

/// Within this a pod answers, if only to refuse, where there is a way to it.
const REACH: Duration = Duration::from_millis(200);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection to a pod, whichever way it goes.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The pods of a namespace.
pub(crate) async fn pods(namespace: &str) -> Api<Pod> {
    Api::namespaced(kube::Client::new(server().await, "default"), namespace)
}

/// The member in a pod. It connects at the first call, and again after it was cut.
pub(crate) async fn member(pods: &Api<Pod>, pod: &str) -> Client {
    let (pods, pod) = (pods.clone(), pod.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (pods, pod) = (pods.clone(), pod.clone());
        async move { timeout(CONNECT, connect(&pods, &pod)).await?.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://etcd").connect_with_connector_lazy(connector);
    Client::from_channel(Channel::Tonic(channel), None).await.expect("it connects later")
}

async fn connect(pods: &Api<Pod>, pod: &str) -> io::Result<Box<dyn Stream>> {
    let status = pods.get(pod).await.map_err(io::Error::other)?.status.unwrap_or_default();
    let address = status.pod_ip.ok_or_else(|| io::Error::other("no address yet"))?;
    // What refuses is there. Only where nothing comes back is there no way.
    match timeout(REACH, TcpStream::connect((address.as_str(), PORT))).await {
        Ok(Ok(stream)) => {
            stream.set_nodelay(true)?;
            return Ok(Box::new(stream));
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(error),
        Ok(Err(_)) | Err(_) => {}
    }
    let mut forwarder = pods.portforward(pod, &[PORT]).await.map_err(io::Error::other)?;
    let stream = forwarder.take_stream(PORT).ok_or_else(|| io::Error::other("no stream"))?;
    Ok(Box::new(stream))
}
