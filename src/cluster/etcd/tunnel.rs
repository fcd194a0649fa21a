//! A gRPC channel through a pod's port-forward, without a local port.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tonic::transport::{Channel, Endpoint, Uri};

/// How long opening a tunnel may take.
const OPEN: Duration = Duration::from_secs(3);

/// A channel to a port of a pod. It connects at the first call, and again after it was cut.
pub(super) fn channel(pods: &Api<Pod>, pod: &str, port: u16) -> Channel {
    let (pods, pod) = (pods.clone(), pod.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (pods, pod) = (pods.clone(), pod.clone());
        async move {
            let opened = tokio::time::timeout(OPEN, pods.portforward(&pod, &[port])).await;
            let mut forwarder = opened
                .map_err(|_| std::io::Error::other(format!("no tunnel to {pod} within {} s", OPEN.as_secs())))?
                .map_err(|error| std::io::Error::other(format!("no tunnel to {pod}: {}", reason(&error))))?;
            let stream = forwarder
                .take_stream(port)
                .ok_or_else(|| std::io::Error::other(format!("no tunnel to port {port} of {pod}")))?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    // The name is sent as authority only; the tunnel decides where it leads.
    Endpoint::from_static("http://etcd").connect_timeout(OPEN).connect_with_connector_lazy(connector)
}

/// kube's own text repeats the whole Status in debug form.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => crate::cluster::chain(other),
    }
}
