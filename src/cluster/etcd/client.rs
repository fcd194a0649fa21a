//! The clients: one a member, made when first needed and kept while their pod lives.

use std::collections::HashMap;
use std::time::Instant;

use etcd_client::Client;
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Api;

use super::tunnel;
use crate::model::{Alarm, Pod};
use crate::runbook::{Trouble, TroubleKind};

/// The members' clients.
pub(in crate::cluster) struct Etcd {
    pods: Api<ApiPod>,
    /// By the pod's uid, so that a recreated pod gets a new one.
    clients: HashMap<String, Client>,
    /// The alarms as last read, and when.
    pub(super) alarms: Option<(Vec<Alarm>, Instant)>,
}

impl Etcd {
    pub(in crate::cluster) fn new(pods: Api<ApiPod>) -> Self {
        Self { pods, clients: HashMap::new(), alarms: None }
    }

    /// The client of a pod, where it has answered before.
    pub(super) fn known(&self, pod: &Pod) -> Option<Client> {
        self.clients.get(&pod.uid).cloned()
    }

    /// A new client for a port of a pod. It connects at its first call.
    pub(super) async fn dial(&self, pod: &str, port: u16) -> Result<Client, Trouble> {
        let channel = tunnel::channel(&self.pods, pod, port);
        Client::from_channel(etcd_client::Channel::Tonic(channel), None)
            .await
            .map_err(|error| Trouble::new(TroubleKind::Lost, format!("cannot reach etcd in {pod}: {error}")))
    }

    pub(super) fn keep(&mut self, pod: &Pod, client: Client) {
        self.clients.insert(pod.uid.clone(), client);
    }

    /// Forgets a client that did not answer, so that the next call opens a new tunnel.
    pub(super) fn forget(&mut self, pod: &Pod) {
        self.clients.remove(&pod.uid);
    }

    /// Forgets the clients of pods that are gone.
    pub(super) fn retain(&mut self, pods: &[Pod]) {
        self.clients.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
    }
}
