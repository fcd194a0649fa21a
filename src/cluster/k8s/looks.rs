//! Answers to dear questions about Kubernetes.

use std::collections::BTreeMap;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, LogParams, PostParams};

use super::convert;
use super::errors::call;
use super::read::Kubernetes;
use crate::model::{Known, Neighbours, Permission, SelectedService, StatefulSet};
use crate::runbook::Trouble;

/// How many of a container's last lines are shown.
const LAST_LINES: i64 = 8;

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
        let answer = call("ask for permissions", self.limit, api.create(&params, &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// The last lines of a container's present or, where it has just ended, previous process.
    pub(in crate::cluster) async fn last_lines(&self, pod: &str, container: &str) -> Known<Vec<String>> {
        let params = |previous| LogParams {
            container: Some(container.to_owned()),
            tail_lines: Some(LAST_LINES),
            limit_bytes: Some(16 * 1024),
            previous,
            ..LogParams::default()
        };
        let api = self.api::<core::Pod>();
        let mut answer = call("read the log", self.limit, api.logs(pod, &params(false))).await;
        if answer.as_ref().map_or(true, |text| text.trim().is_empty()) {
            answer = call("read the log", self.limit, api.logs(pod, &params(true))).await;
        }
        answer.map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).into()
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
