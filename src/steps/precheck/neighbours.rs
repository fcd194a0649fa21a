//! Advice from what else in the namespace concerns the pods.

use super::{Check, Context};
use crate::model::{Answer, Container, Question};
use crate::runbook::Finding;

/// The question to ask, where it has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    Some(wanted(context)?).filter(|question| context.observation.answer(question).is_none())
}

/// Asked only before a new member is added: afterwards there is nothing left to advise.
fn wanted(context: Context<'_>) -> Option<Question> {
    if !context.grows() || context.resumes() {
        return None;
    }
    let members = context.observation.members.known()?;
    let mut hosts: Vec<String> = members
        .list
        .iter()
        .flat_map(|member| &member.peer_urls)
        .filter_map(|url| {
            let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
            (!host.is_empty()).then(|| host.to_owned())
        })
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    Some(Question::Neighbours { hosts })
}

pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let Some(Answer::Neighbours(neighbours)) = wanted(context).and_then(|q| context.observation.answer(&q)) else {
        return Vec::new();
    };
    let mut clients = Check::new("clients");
    let look =
        |kind: &str| format!("look yourself: kubectl get {kind} -n {}", context.observation.statefulset.namespace);
    let template = &context.observation.statefulset.template;
    let passes = template.etcd().and_then(|(_, container)| learner_passes_readiness(container));
    match neighbours.services.known() {
        None => clients.unread("the Services", neighbours.services.reason(), look("services")),
        Some(services) => {
            for service in services.iter().filter(|service| !service.headless) {
                let why = match (service.publish_not_ready, passes) {
                    (true, _) => "it publishes pods that are not ready",
                    (false, Some(probe)) => probe,
                    (false, None) => continue,
                };
                clients.advise(
                    format!(
                        "Service {} may lead clients to the learner until it is promoted ({why}): they would get \"rpc \
                         not supported for learner\"",
                        service.name
                    ),
                    "clients must retry on that error",
                );
            }
        }
    }
    let mut findings = clients.end("no Service leads clients to the learner");
    let mut budgets = Check::new("disruption-budgets");
    match neighbours.budgets.known() {
        None => budgets.unread("the disruption budgets", neighbours.budgets.reason(), look("poddisruptionbudgets")),
        Some(list) => {
            for (name, demand) in list.iter().filter(|(_, demand)| demand.starts_with("minAvailable")) {
                budgets.advise(
                    format!("PodDisruptionBudget {name} demands {demand}, whatever the cluster's size"),
                    "see that it still fits the new size",
                );
            }
        }
    }
    findings.extend(budgets.end("none has to follow the size"));
    let mut configured = Check::new("named-members");
    match neighbours.config_maps.known() {
        None => configured.unread("the ConfigMaps", neighbours.config_maps.reason(), look("configmaps")),
        Some(names) => {
            for name in names {
                configured.advise(
                    format!("ConfigMap {name} names the present members"),
                    "add the new member where clients should know it",
                );
            }
        }
    }
    findings.extend(configured.end("no ConfigMap names the members"));
    findings
}

/// Why the readiness probe lets a learner through, where it does. `/health` is answered in-process, past etcd's filter
/// for learners; `/readyz` and `etcdctl endpoint health` are not.
fn learner_passes_readiness(container: &Container) -> Option<&'static str> {
    match (&container.readiness_path, &container.readiness_command) {
        (Some(path), _) if path.starts_with("/health") => Some("its readiness probe passes on a learner"),
        (Some(_), _) | (_, Some(_)) => None,
        (None, None) => Some("there is no readiness probe that tells a learner from a voter"),
    }
}
