//! Every StatefulSet that runs etcd, in one namespace or in all: found by a list, and each read once.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::etcd::{Etcd, Reach};
use super::k8s::{Connected, Connection, Kubernetes};
use crate::model::Observation;
use crate::runbook::{Depth, Trouble};

/// How many are read at the same time. Each asks all its members at once.
const AT_ONCE: usize = 8;

/// Where StatefulSets are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// In all namespaces.
    All,
    /// In this one, or in the context's own.
    Namespace(Option<String>),
}

/// What was found and read.
#[derive(Debug)]
pub struct Survey {
    /// The namespace that was looked in; none for all of them.
    pub namespace: Option<String>,
    /// By namespace and name: what was read of it, or why it could not be.
    pub statefulsets: BTreeMap<(String, String), Result<Observation, Trouble>>,
}

impl Survey {
    /// Finds the StatefulSets that run etcd and reads each once, all over one connection.
    ///
    /// # Errors
    /// When there is no usable kubeconfig, the StatefulSets cannot be listed, or the namespace does not exist.
    pub async fn make(connection: &Connection, reach: &Reach, scope: Scope) -> Result<Self, Trouble> {
        let connected = connection.open().await?;
        let namespace = match scope {
            Scope::All => None,
            Scope::Namespace(named) => Some(named.unwrap_or_else(|| connected.namespace.clone())),
        };
        let found = connected.etcds(namespace.as_deref(), reach.container.as_deref()).await?;
        let reads = stream::iter(found).map(|(namespace, name)| {
            let connected = &connected;
            async move {
                let read = read(connected, reach, namespace.clone(), name.clone()).await;
                ((namespace, name), read)
            }
        });
        Ok(Self { namespace, statefulsets: reads.buffer_unordered(AT_ONCE).collect().await })
    }
}

async fn read(connected: &Connected, reach: &Reach, namespace: String, name: String) -> Result<Observation, Trouble> {
    let kubernetes = Kubernetes::of(connected.clone(), Some(namespace), name, reach.container.clone());
    let mut kubernetes = kubernetes.without_surroundings();
    // Boxed, because their calls run side by side and make futures too large to carry around.
    let mut observation = Box::pin(kubernetes.read()).await?;
    let mut etcd = Etcd::new(kubernetes.api(), reach.clone());
    Box::pin(etcd.read(&kubernetes, &mut observation, Depth::Whole)).await;
    Ok(observation)
}
