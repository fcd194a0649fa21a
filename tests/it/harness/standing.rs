//! What stands in the cluster at one moment, for telling whether a run changed it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One line of `etcdctl member list`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) id: u64,
    /// Empty until it has started.
    pub(crate) name: String,
    pub(crate) learner: bool,
    pub(crate) peer_urls: Vec<String>,
}

impl Member {
    pub(crate) fn all(list: &Value) -> Vec<Self> {
        let mut members: Vec<Self> = list["members"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|member| Self {
                id: member["ID"].as_u64().expect("members have an id"),
                name: member["name"].as_str().unwrap_or_default().to_owned(),
                learner: member["isLearner"].as_bool().unwrap_or_default(),
                peer_urls: member["peerURLs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|url| url.as_str().map(str::to_owned))
                    .collect(),
            })
            .collect();
        members.sort();
        members
    }
}

/// Everything that a run may change, less what the cluster changes by itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Standing {
    /// The StatefulSet's specification.
    pub(super) spec: Value,
    /// Its annotations.
    pub(super) annotations: Value,
    /// Uids of the pods, by name.
    pub(super) pods: BTreeMap<String, String>,
    /// Names of the claims.
    pub(super) claims: BTreeSet<String>,
    /// Names of the Leases.
    pub(super) leases: BTreeSet<String>,
    /// The member list; none where nobody could tell it.
    pub(super) members: Option<Vec<Member>>,
}
