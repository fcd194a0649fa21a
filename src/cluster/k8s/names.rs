//! Names that exist, for whoever is typing one: contexts, namespaces, StatefulSets that run etcd, pods of one.

use std::path::Path;

use k8s_openapi::api::apps::v1::StatefulSet as ApiStatefulSet;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::config::Kubeconfig;

use super::connection::{Connected, Connection, FIRST_CALL};
use super::convert;
use super::errors::call;
use crate::cluster::chain;
use crate::runbook::{Trouble, TroubleKind};

/// Which names are asked for. Without a namespace, the context's own is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Of the kubeconfig's contexts. No call is made for them.
    Contexts,
    /// Of all namespaces.
    Namespaces,
    /// Of the StatefulSets that run etcd.
    Etcds {
        /// Where they are.
        namespace: Option<String>,
    },
    /// Of the pods that a StatefulSet asks for, whether they are there or not.
    Pods {
        /// Where it is.
        namespace: Option<String>,
        /// Its name.
        statefulset: String,
    },
}

impl Names {
    /// Finds them, in the order in which they are shown.
    ///
    /// # Errors
    /// When there is no usable kubeconfig, or what they are read from cannot be read.
    pub async fn list(&self, connection: &Connection) -> Result<Vec<String>, Trouble> {
        let mut names = match self {
            Self::Contexts => return contexts(connection.kubeconfig.as_deref()),
            Self::Namespaces => namespaces(&connection.open().await?).await?,
            Self::Etcds { namespace } => {
                let connected = connection.open().await?;
                let namespace = namespace.as_ref().unwrap_or(&connected.namespace);
                let found = connected.etcds(Some(namespace), None).await?;
                found.into_iter().map(|(_, name)| name).collect()
            }
            Self::Pods { namespace, statefulset } => {
                return pods(&connection.open().await?, namespace.as_deref(), statefulset).await;
            }
        };
        names.sort();
        Ok(names)
    }
}

fn contexts(kubeconfig: Option<&Path>) -> Result<Vec<String>, Trouble> {
    let kubeconfig = kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from).map_err(|error| {
        Trouble::new(TroubleKind::Refused, format!("cannot use the kubeconfig: {}", chain(&error)))
            .advise("name another with --kubeconfig, or set KUBECONFIG")
    })?;
    let mut names: Vec<String> = kubeconfig.contexts.into_iter().map(|context| context.name).collect();
    names.sort();
    Ok(names)
}

async fn namespaces(connected: &Connected) -> Result<Vec<String>, Trouble> {
    let api: Api<Namespace> = Api::all(connected.client.clone());
    let what = format!("list the namespaces at {}", connected.server);
    // Their names alone: there may be thousands.
    let list = call(&what, FIRST_CALL, api.list_metadata(&ListParams::default())).await?;
    Ok(list.items.into_iter().filter_map(|object| object.metadata.name).collect())
}

async fn pods(connected: &Connected, namespace: Option<&str>, name: &str) -> Result<Vec<String>, Trouble> {
    let namespace = namespace.unwrap_or(&connected.namespace);
    let resource = ApiResource::erase::<ApiStatefulSet>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(connected.client.clone(), namespace, &resource);
    let what = format!("read StatefulSet {namespace}/{name} at {}", connected.server);
    let set = convert::statefulset(call(&what, FIRST_CALL, api.get(name)).await?)?;
    Ok(set.ordinals(set.replicas).map(|ordinal| set.pod_name(ordinal)).collect())
}
