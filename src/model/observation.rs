//! Everything that was read at one moment. Data, no behaviour beyond finding one's way in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Alarm, Answer, Delivering, Known, Member, MemberId, MemberStatus, Members, Pod, Question, StatefulSet, Taint, Via,
    Volume, new_peer_url,
};

/// Everything read at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The StatefulSet.
    pub statefulset: StatefulSet,
    /// Its pods, in ordinal order.
    pub pods: Vec<Pod>,
    /// The claims of the namespace that belong to the StatefulSet's ordinals, present and next.
    pub claims: Known<Vec<Claim>>,
    /// The volumes those claims are bound to.
    pub volumes: Known<Vec<Volume>>,
    /// Storage classes of the cluster.
    pub storage_classes: Known<Vec<StorageClass>>,
    /// The headless Service; `None` inside means that it does not exist.
    pub service: Known<Option<Service>>,
    /// The nodes of the cluster.
    pub nodes: Known<Vec<Node>>,
    /// etcd's member list.
    pub members: Known<Members>,
    /// What the etcd in each pod says of itself, by pod name. Pods without a running etcd container have no entry.
    pub statuses: BTreeMap<String, Known<MemberStatus>>,
    /// How the members were asked.
    #[serde(default)]
    pub via: Via,
    /// Raised alarms.
    pub alarms: Known<Vec<Alarm>>,
    /// The Lease that locks the StatefulSet.
    pub lock: Known<Option<Lock>>,
    /// The commit of a deployment repository that is on its way to the StatefulSet, where this run has to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivering: Option<Delivering>,
    /// Answers to the dear questions that steps have asked.
    pub answers: Vec<(Question, Answer)>,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// `<template>-<statefulset>-<ordinal>`.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// `Bound`, `Pending` or `Lost`.
    pub phase: String,
    /// Whether it is being deleted, which lasts as long as a pod uses it.
    #[serde(default)]
    pub terminating: bool,
    /// The volume it is bound to.
    pub volume: Option<String>,
    /// The class it asks for.
    pub storage_class: Option<String>,
    /// When it was made, in RFC 3339.
    pub created: String,
}

/// A StorageClass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// `kubernetes.io/no-provisioner` means that volumes are made by hand.
    pub provisioner: String,
    /// Whether claims without a class get this one.
    pub default: bool,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `clusterIP: None`.
    pub headless: bool,
    /// Whether pods that are not Ready are in its DNS name.
    pub publish_not_ready: bool,
    /// Its selector.
    pub selector: BTreeMap<String, String>,
}

impl Service {
    /// Whether the Service selects pods with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.selector.is_empty() && self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels, for topology keys.
    pub labels: BTreeMap<String, String>,
    /// Ready and not cordoned.
    pub schedulable: bool,
    /// What keeps pods away that do not tolerate it.
    #[serde(default)]
    pub taints: Vec<Taint>,
}

impl Node {
    /// The zone that the node says it is in.
    pub fn zone(&self) -> Option<&str> {
        ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"]
            .iter()
            .find_map(|label| self.labels.get(*label))
            .map(String::as_str)
    }
}

/// The Lease that keeps two runs from working at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// Who holds it: `user@host/run`. Empty when it was let go.
    pub holder: String,
    /// The holder's clock at the last renewal. Compared for change only, never with another clock.
    pub renewed: String,
    /// How long it lasts without a renewal, in seconds.
    pub duration_seconds: i32,
}

impl Observation {
    /// Whether no member could be asked although a pod is ready: the way to them may be what fails.
    pub fn way_is_in_doubt(&self) -> bool {
        self.members.known().is_none() && self.pods.iter().any(|pod| pod.ready)
    }

    /// The pod of an ordinal.
    pub fn pod(&self, ordinal: i32) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.ordinal == ordinal)
    }

    /// What a pod's etcd says of itself, where it answered.
    pub fn status_of_pod(&self, pod: &str) -> Option<&MemberStatus> {
        self.statuses.get(pod).and_then(Known::known)
    }

    /// The pod in which a member runs: the one whose etcd says so, else the one that the member's peer URL names.
    pub fn pod_of(&self, member: &Member) -> Option<&Pod> {
        let by_status = self.statuses.iter().find(|(_, status)| status.is_known_and(|s| s.member == member.id));
        if let Some((pod, _)) = by_status {
            return self.pods.iter().find(|candidate| candidate.name == *pod);
        }
        self.pods.iter().find(|pod| {
            member.peer_urls.iter().any(|url| super::ordinal_of(url, &self.statefulset.name) == Some(pod.ordinal))
        })
    }

    /// What the member says of itself, where it answered.
    pub fn status_of(&self, member: MemberId) -> Option<&MemberStatus> {
        self.statuses.values().filter_map(Known::known).find(|status| status.member == member)
    }

    /// Why a member's status is not known.
    pub fn status_missing(&self, member: &Member) -> String {
        match self.pod_of(member) {
            None => "it has no pod".to_owned(),
            Some(pod) => match self.statuses.get(&pod.name).and_then(Known::reason) {
                Some(reason) => format!("{} does not answer: {reason}", pod.name),
                None => format!("{} is {}", pod.name, pod.state()),
            },
        }
    }

    /// The leader, when every member that answers and knows one names the same one.
    pub fn leader(&self) -> Option<MemberId> {
        let mut named = self.statuses.values().filter_map(Known::known).filter_map(|status| status.leader);
        let first = named.next()?;
        named.all(|other| other == first).then_some(first)
    }

    /// The leader's own status.
    pub fn leader_status(&self) -> Option<&MemberStatus> {
        self.status_of(self.leader()?).filter(|status| status.leads())
    }

    /// The peer URL of the member with this ordinal: a live member's with the ordinal replaced.
    pub fn peer_url(&self, ordinal: i32) -> Option<String> {
        let members = self.members.known()?;
        new_peer_url(&members.list, &self.statefulset.name, ordinal).ok()
    }

    /// The member that was added for this ordinal.
    pub fn member_of_ordinal(&self, ordinal: i32) -> Option<&Member> {
        let url = self.peer_url(ordinal)?;
        self.members.known()?.by_peer_url(&url)
    }

    /// The answer to a question that was asked before.
    pub fn answer(&self, question: &Question) -> Option<&Answer> {
        self.answers.iter().find(|(asked, _)| asked == question).map(|(_, answer)| answer)
    }

    /// Names of the claims that an ordinal's pod uses.
    pub fn claim_names(&self, ordinal: i32) -> Vec<String> {
        let set = &self.statefulset;
        set.claim_templates.iter().map(|template| format!("{}-{}-{ordinal}", template.name, set.name)).collect()
    }
}
