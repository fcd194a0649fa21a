//! Answers to dear questions about Kubernetes.

use std::collections::BTreeMap;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, LogParams, PostParams};

use super::convert;
use super::errors::ask;
use super::read::Kubernetes;
use crate::model::{
    CertSource, ConfigMap, DiskPool, Known, Neighbours, Permission, SelectedService, StatefulSet, Volume,
};
use crate::runbook::{Trouble, TroubleKind};

/// Where Mayastor and Puls8 keep their pools.
const POOLS_GROUP: &str = "openebs.io";
const POOLS: &str = "diskpools";

/// How many of a container's last lines are read: its last words may have a stack of calls behind them.
const LAST_LINES: i64 = 100;

/// How many bytes of them at most. What is more is cut off at the end, so it has to hold them all.
const LAST_BYTES: i64 = 256 * 1024;

impl Kubernetes {
    /// Asks the API server which calls it would allow, all at once.
    pub(in crate::cluster) async fn permissions(&self, list: &[Permission]) -> Vec<(Permission, Known<bool>)> {
        let asked = list
            .iter()
            .map(|permission| async move { (permission.clone(), Known::from(self.permission(permission).await)) });
        futures::future::join_all(asked).await
    }

    async fn permission(&self, permission: &Permission) -> Result<bool, Trouble> {
        let (resource, subresource) = match permission.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (permission.resource.as_str(), None),
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(permission.group.clone()),
                    namespace: permission.namespaced.then(|| self.namespace.clone()),
                    resource: Some(resource.to_owned()),
                    subresource,
                    verb: Some(permission.verb.clone()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let params = PostParams::default();
        let answer = ask("ask for permissions", self.limit, || api.create(&params, &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// The last lines of a container's present or, where it has just ended, previous process.
    pub(in crate::cluster) async fn last_lines(&self, pod: &str, container: &str) -> Known<Vec<String>> {
        let lines = |previous| LogParams {
            container: Some(container.to_owned()),
            tail_lines: Some(LAST_LINES),
            limit_bytes: Some(LAST_BYTES),
            previous,
            ..LogParams::default()
        };
        let (present, previous) = (lines(false), lines(true));
        let api = self.api::<core::Pod>();
        let mut answer = ask("read the log", self.limit, || api.logs(pod, &present)).await;
        if answer.as_ref().map_or(true, |text| text.trim().is_empty()) {
            answer = ask("read the log", self.limit, || api.logs(pod, &previous)).await;
        }
        answer.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).into()
    }

    /// The volumes that are made by hand, kept for a claim of the namespace, or of one of these names.
    pub(in crate::cluster) async fn volumes_by_hand(&self, names: &[String]) -> Known<Vec<Volume>> {
        let volumes = self.list_all::<core::PersistentVolume>("list volumes").await;
        let concerns = |volume: &Volume| {
            let here = volume.claim.as_ref().is_some_and(|(namespace, _)| *namespace == self.namespace);
            here || volume.by_hand() || names.contains(&volume.name)
        };
        volumes.map(|list| list.into_iter().map(convert::volume).filter(concerns).collect::<Vec<_>>()).into()
    }

    /// Some keys of a ConfigMap.
    pub(in crate::cluster) async fn config_map(&self, name: &str, keys: &[String]) -> Known<Option<ConfigMap>> {
        let api = self.api::<core::ConfigMap>();
        let map = ask(&format!("read ConfigMap {name}"), self.limit, || api.get_opt(name)).await;
        map.map(|map| map.map(|map| convert::config_map(map, keys))).into()
    }

    /// The data of a Secret.
    ///
    /// # Errors
    /// When it does not exist or may not be read.
    async fn secret(&self, name: &str) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        let api = self.api::<core::Secret>();
        let secret = ask(&format!("read Secret {name}"), self.limit, || api.get(name)).await?;
        Ok(secret.data.unwrap_or_default().into_iter().map(|(key, content)| (key, content.0)).collect())
    }

    /// The content of a file that a container has from a Secret or ConfigMap.
    pub(in crate::cluster) async fn file(&self, source: &CertSource) -> Result<Vec<u8>, Trouble> {
        let content = match source {
            CertSource::Secret { name, key } => self.secret(name).await?.remove(key),
            CertSource::ConfigMap { name, key } => match self.config_map(name, std::slice::from_ref(key)).await {
                Known::Known(map) => map.and_then(|mut map| map.data.remove(key)).map(String::into_bytes),
                Known::Unknown(why) => return Err(Trouble::new(TroubleKind::Refused, why)),
            },
            CertSource::Elsewhere(place) => {
                return Err(Trouble::new(
                    TroubleKind::Refused,
                    format!("a certificate that etcd's clients need is on {place} and cannot be read from outside"),
                )
                .advise("name the files with --cacert, --cert and --key"));
            }
        };
        content.ok_or_else(|| {
            Trouble::new(TroubleKind::Refused, format!("there is no {source}"))
                .advise("name the files with --cacert, --cert and --key")
        })
    }

    /// The namespace's DiskPools; `None` inside where the cluster has no such resource.
    pub(in crate::cluster) async fn disk_pools(&self) -> Known<Option<Vec<DiskPool>>> {
        self.try_disk_pools().await.into()
    }

    async fn try_disk_pools(&self) -> Result<Option<Vec<DiskPool>>, Trouble> {
        let groups = ask("ask which resources there are", self.limit, || self.client.list_api_groups()).await?;
        let Some(group) = groups.groups.into_iter().find(|group| group.name == POOLS_GROUP) else { return Ok(None) };
        let versions = group.preferred_version.into_iter().chain(group.versions);
        for (whole, version) in versions.map(|version| (version.group_version, version.version)) {
            // Asked first, because who may not list them would be refused also where there is no such resource.
            let served = || self.client.list_api_group_resources(&whole);
            let served = ask("ask which resources there are", self.limit, served).await?;
            if !served.resources.iter().any(|resource| resource.name == POOLS) {
                continue;
            }
            let resource = ApiResource {
                group: POOLS_GROUP.to_owned(),
                api_version: whole,
                version,
                kind: "DiskPool".to_owned(),
                plural: POOLS.to_owned(),
            };
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
            let all = ListParams::default();
            let list = ask("list DiskPools", self.limit, || api.list(&all)).await?;
            return Ok(Some(list.items.into_iter().map(convert::disk_pool).collect()));
        }
        Ok(None)
    }

    /// What else in the namespace concerns the pods.
    pub(in crate::cluster) async fn neighbours(&self, set: &StatefulSet, hosts: &[String]) -> Neighbours {
        let (services, budgets, maps) = tokio::join!(
            self.list::<core::Service>("list Services"),
            self.list::<PodDisruptionBudget>("list PodDisruptionBudgets"),
            self.list::<core::ConfigMap>("list ConfigMaps"),
        );
        Neighbours {
            services: services
                .map(|list| {
                    list.into_iter()
                        .map(convert::service)
                        .filter(|service| service.selects(&set.template.labels))
                        .map(|service| SelectedService {
                            name: service.name,
                            headless: service.headless,
                            publish_not_ready: service.publish_not_ready,
                        })
                        .collect::<Vec<_>>()
                })
                .into(),
            budgets: budgets
                .map(|list| {
                    list.into_iter()
                        .filter_map(|budget| {
                            let spec = budget.spec?;
                            convert::selects(spec.selector.as_ref(), set).then_some(())?;
                            let demand = match (&spec.min_available, &spec.max_unavailable) {
                                (Some(least), _) => format!("minAvailable {}", number(least)),
                                (_, Some(most)) => format!("maxUnavailable {}", number(most)),
                                _ => return None,
                            };
                            Some((budget.metadata.name?, demand))
                        })
                        .collect::<BTreeMap<_, _>>()
                })
                .into(),
            config_maps: maps
                .map(|list| {
                    list.into_iter()
                        .filter(|map| {
                            map.data.iter().flatten().any(|(_, text)| hosts.iter().any(|host| text.contains(host)))
                        })
                        .filter_map(|map| map.metadata.name)
                        .collect::<Vec<_>>()
                })
                .into(),
        }
    }
}

fn number(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}
