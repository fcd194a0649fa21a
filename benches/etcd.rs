//! The members by gRPC, through their pods' port-forwards: the benchmark's own way, so that nobody has to be believed.

use std::io;

use etcd_client::{Channel, Client};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tonic::transport::{Endpoint, Uri};

use crate::meter::server;

/// The pods of a namespace.
pub(crate) async fn pods(namespace: &str) -> Api<Pod> {
    Api::namespaced(kube::Client::new(server().await, "default"), namespace)
}

/// The member in a pod. It connects at the first call, and again after it was cut.
pub(crate) async fn member(pods: &Api<Pod>, pod: &str) -> Client {
    let (pods, pod) = (pods.clone(), pod.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (pods, pod) = (pods.clone(), pod.clone());
        async move {
            let mut forwarder = pods.portforward(&pod, &[2379]).await.map_err(io::Error::other)?;
            let stream = forwarder.take_stream(2379).ok_or_else(|| io::Error::other("no stream"))?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let channel = Endpoint::from_static("http://etcd").connect_with_connector_lazy(connector);
    Client::from_channel(Channel::Tonic(channel), None).await.expect("it connects later")
}
