//! Reading: the StatefulSet and everything around it, in as few round trips as it takes.

use k8s_openapi::api::apps::v1::StatefulSet as ApiStatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::connection::{Connected, Connection, FIRST_CALL};
use super::errors::{ask, is_absent};
use super::{convert, lease};
use crate::model::{Known, Node, Observation, Pod, Service, StatefulSet, StorageClass, Via};
use crate::runbook::{Trouble, TroubleKind};

/// One StatefulSet in one Kubernetes cluster.
pub(in crate::cluster) struct Kubernetes {
    pub(super) client: Client,
    pub(in crate::cluster) namespace: String,
    pub(in crate::cluster) name: String,
    /// The container that the operator named as etcd's.
    container: Option<String>,
    pub(in crate::cluster) server: String,
    pub(super) limit: Duration,
    surroundings: Option<Surroundings>,
}

/// What belongs to no namespace and hardly changes, but may be long lists in a large cluster.
#[derive(Clone)]
struct Surroundings {
    nodes: Known<Vec<Node>>,
    storage_classes: Known<Vec<StorageClass>>,
    at: Instant,
}

/// How long the surroundings are kept.
const KEPT: Duration = Duration::from_secs(30);

impl Kubernetes {
    /// Opens a connection; `namespace` falls back to the context's own.
    pub(in crate::cluster) async fn open(
        connection: &Connection,
        namespace: Option<String>,
        name: String,
        container: Option<String>,
    ) -> Result<Self, Trouble> {
        Ok(Self::of(connection.open().await?, namespace, name, container))
    }

    /// The same over a connection that is open.
    pub(in crate::cluster) fn of(
        connected: Connected,
        namespace: Option<String>,
        name: String,
        container: Option<String>,
    ) -> Self {
        let Connected { client, namespace: own, server, request_timeout } = connected;
        Self {
            client,
            namespace: namespace.unwrap_or(own),
            name,
            container,
            server,
            limit: request_timeout,
            surroundings: None,
        }
    }

    /// The same for one reading that leaves the surroundings unknown, where many read what belongs to no namespace.
    pub(in crate::cluster) fn without_surroundings(self) -> Self {
        let not_asked = || "not asked for".to_owned();
        let surroundings = Surroundings {
            nodes: Known::Unknown(not_asked()),
            storage_classes: Known::Unknown(not_asked()),
            at: Instant::now(),
        };
        Self { surroundings: Some(surroundings), ..self }
    }

    /// An API for objects of the StatefulSet's namespace.
    pub(in crate::cluster) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The StatefulSet without types, so that no field unknown to this program is lost on the way back.
    pub(super) fn statefulsets(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<ApiStatefulSet>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Reads the StatefulSet alone; the first call of every verb, so it says most plainly what is not there.
    ///
    /// # Errors
    /// When the API server, the namespace or the StatefulSet is not there, or may not be read.
    pub(in crate::cluster) async fn statefulset(&self) -> Result<StatefulSet, Trouble> {
        // The first call has to say soon that nobody is there; later ones have the time that was given.
        let limit = if self.surroundings.is_some() { self.limit } else { self.limit.min(FIRST_CALL) };
        let what = format!("read StatefulSet {}/{} at {}", self.namespace, self.name, self.server);
        let api = self.statefulsets();
        match ask(&what, limit, || api.get(&self.name)).await {
            Ok(object) => convert::statefulset(object).map(|mut set| {
                set.template.named.clone_from(&self.container);
                set
            }),
            Err(trouble) if is_absent(&trouble) => Err(self.absent(limit).await),
            Err(trouble) => Err(trouble),
        }
    }

    /// Which of StatefulSet and namespace is not there.
    async fn absent(&self, limit: Duration) -> Trouble {
        if let Some(trouble) = no_namespace(&self.client, &self.namespace, limit).await {
            return trouble;
        }
        Trouble::new(
            TroubleKind::NotFound,
            format!("there is no StatefulSet {} in namespace {}", self.name, self.namespace),
        )
        .advise(format!("kubectl get statefulsets -n {} lists those there are", self.namespace))
    }

    /// Reads everything that Kubernetes knows. What etcd says is left unknown.
    ///
    /// # Errors
    /// When the StatefulSet or its pods cannot be read; anything else is unknown where it cannot.
    pub(in crate::cluster) async fn read(&mut self) -> Result<Observation, Trouble> {
        let this = &*self;
        let pods_of = |set: StatefulSet| async move {
            let what = format!("list the pods of {}", set.name);
            let (api, params) = (this.api::<core::Pod>(), ListParams::default().labels(&set.selector));
            let list = ask(&what, this.limit, || api.list(&params));
            let (pods, service) = tokio::join!(list, this.service(&set.service_name));
            let mut pods: Vec<Pod> = pods?.items.into_iter().filter_map(|pod| convert::pod(pod, &set)).collect();
            pods.sort_by_key(|pod| pod.ordinal);
            Ok::<_, Trouble>((set, pods, service))
        };
        // Without the StatefulSet the rest is of no use, so its failure ends them all at once.
        let ((statefulset, pods, service), (claims, surroundings, lock)) =
            tokio::try_join!(async { pods_of(this.statefulset().await?).await }, async {
                Ok(tokio::join!(
                    this.list::<core::PersistentVolumeClaim>("list claims"),
                    this.surroundings(),
                    this.lock(),
                ))
            })?;
        let mine = |name: &str| {
            statefulset.claim_templates.iter().any(|template| {
                name.strip_prefix(&format!("{}-{}-", template.name, statefulset.name))
                    .is_some_and(|ordinal| !ordinal.is_empty() && ordinal.bytes().all(|b| b.is_ascii_digit()))
            })
        };
        let claims = claims
            .map(|claims| claims.into_iter().map(convert::claim).filter(|claim| mine(&claim.name)).collect::<Vec<_>>());
        let volumes = match &claims {
            Ok(claims) => this.volumes(claims.iter().filter_map(|claim| claim.volume.clone()).collect()).await,
            Err(trouble) => Err(trouble.clone()),
        };
        let observation = Observation {
            statefulset,
            pods,
            claims: claims.into(),
            volumes: volumes.into(),
            storage_classes: surroundings.storage_classes.clone(),
            service: service.into(),
            nodes: surroundings.nodes.clone(),
            members: Known::Unknown("not asked yet".to_owned()),
            statuses: BTreeMap::new(),
            via: Via::default(),
            alarms: Known::Unknown("not asked yet".to_owned()),
            lock: lock.into(),
            delivering: None,
            answers: Vec::new(),
        };
        self.surroundings = Some(surroundings);
        Ok(observation)
    }

    async fn surroundings(&self) -> Surroundings {
        if let Some(kept) = self.surroundings.as_ref().filter(|kept| kept.at.elapsed() < KEPT) {
            return kept.clone();
        }
        let (nodes, classes) = tokio::join!(
            self.list_all::<core::Node>("list nodes"),
            self.list_all::<storage::StorageClass>("list storage classes"),
        );
        Surroundings {
            nodes: nodes.map(|list| list.into_iter().map(convert::node).collect::<Vec<_>>()).into(),
            storage_classes: classes
                .map(|list| list.into_iter().map(convert::storage_class).collect::<Vec<_>>())
                .into(),
            at: Instant::now(),
        }
    }

    async fn service(&self, name: &str) -> Result<Option<Service>, Trouble> {
        let api = self.api::<core::Service>();
        let service = ask(&format!("read Service {name}"), self.limit, || api.get_opt(name)).await?;
        Ok(service.map(convert::service))
    }

    async fn lock(&self) -> Result<Option<crate::model::Lock>, Trouble> {
        let name = lease::name(&self.name);
        let api = self.api::<Lease>();
        let lease = ask(&format!("read Lease {name}"), self.limit, || api.get_opt(&name)).await?;
        Ok(lease.map(|lease| lease::view(&lease)))
    }

    /// The named volumes, one call each: a list would bring those of the whole cluster.
    async fn volumes(&self, names: Vec<String>) -> Result<Vec<crate::model::Volume>, Trouble> {
        let api: Api<core::PersistentVolume> = Api::all(self.client.clone());
        let reads = names.iter().map(|name| {
            let api = &api;
            async move { ask(&format!("read volume {name}"), self.limit, || api.get_opt(name)).await }
        });
        let volumes = futures::future::try_join_all(reads).await?;
        Ok(volumes.into_iter().flatten().map(convert::volume).collect())
    }

    pub(super) async fn list<K>(&self, what: &str) -> Result<Vec<K>, Trouble>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let (api, params) = (self.api::<K>(), ListParams::default());
        Ok(ask(what, self.limit, || api.list(&params)).await?.items)
    }

    pub(super) async fn list_all<K>(&self, what: &str) -> Result<Vec<K>, Trouble>
    where
        K: Resource<Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::all(self.client.clone());
        let params = ListParams::default();
        Ok(ask(what, self.limit, || api.list(&params)).await?.items)
    }
}

/// Says that a namespace does not exist, where that is so.
pub(super) async fn no_namespace(client: &Client, name: &str, limit: Duration) -> Option<Trouble> {
    let namespaces: Api<core::Namespace> = Api::all(client.clone());
    let namespace = ask("read the namespace", limit, || namespaces.get(name)).await;
    namespace.as_ref().err().is_some_and(is_absent).then(|| {
        Trouble::new(TroubleKind::NotFound, format!("namespace {name} does not exist"))
            .advise("name another with -n; kubectl get namespaces lists them")
    })
}
