//! Looks: questions whose answers are too dear to be part of every observation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CertSource, Deployment, KeyComparison, KeyHolder, Known, MemberId, Observation, Volume};

/// A question to the outside, asked by a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// Which of these calls the API server would allow.
    Permissions(Vec<Permission>),
    /// The hash of all keys of one member at one revision. Stops writes through that member while it runs.
    #[serde(rename_all = "camelCase")]
    Hash {
        /// The member.
        member: MemberId,
        /// Its pod.
        pod: String,
        /// The revision to hash at.
        revision: i64,
    },
    /// Which keys two members do not hold alike at one revision. Reads all keys of both.
    Keys {
        /// The revision to compare at.
        revision: i64,
        /// The member that is compared with.
        reference: KeyHolder,
        /// The other.
        other: KeyHolder,
    },
    /// The last lines that a container wrote before it ended.
    LastLines {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
    },
    /// What else in the namespace concerns the pods: Services, disruption budgets, and ConfigMaps that name members.
    Neighbours {
        /// Hosts of the present members' peer URLs.
        hosts: Vec<String>,
    },
    /// All volumes of the cluster that are made by hand, that are kept for a claim of this namespace, or that have one
    /// of these names.
    Volumes {
        /// The names.
        names: Vec<String>,
    },
    /// Some keys of a ConfigMap.
    ConfigMap {
        /// Its name.
        name: String,
        /// The keys.
        keys: Vec<String>,
    },
    /// The namespace's DiskPools, where the cluster has such a resource.
    DiskPools,
    /// Whether etcd lets this run do what only root may.
    Privileges,
    /// Which other members each member holds inactive.
    InactivePeers,
    /// What the deployment repository would have to say for so many members, and whether it can.
    Deployment {
        /// Members to reach.
        to: i32,
    },
    /// What a certificate says.
    Certificate {
        /// Where it stands.
        source: CertSource,
        /// The host that it has to name, where it has to name one.
        host: Option<String>,
    },
}

/// What etcd lets this run do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Privileges {
    /// Everything: it asks nobody for a password, or was given root's.
    All,
    /// Not what only root may; the text is what it said.
    Denied(String),
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The hosts and addresses that it names.
    pub names: Vec<String>,
    /// Whether the host that was asked for is among them; also where none was.
    pub covers: bool,
    /// When it expires, in RFC 3339.
    pub expires: String,
    /// For how many days it is still valid, by this machine's clock; negative where it has expired.
    pub days_left: i64,
}

/// One verb on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// Such as `patch`.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Such as `pods/portforward`.
    pub resource: String,
    /// Whether it is asked for in the StatefulSet's namespace or for the whole cluster.
    pub namespaced: bool,
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// A key-value hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hash {
    /// CRC-32C over the key revisions.
    pub hash: u32,
    /// Hashes compare only where this is equal.
    pub compact_revision: i64,
    /// How long the member took, in milliseconds.
    pub took_ms: u64,
}

/// A Service that selects the pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectedService {
    /// Its name.
    pub name: String,
    /// Whether clients get a pod's own address from it, or any of them.
    pub headless: bool,
    /// Whether pods that are not Ready are in it.
    pub publish_not_ready: bool,
}

/// What else in the namespace concerns the pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Neighbours {
    /// Services that select the pods.
    pub services: Known<Vec<SelectedService>>,
    /// Disruption budgets that select the pods: name, and what they demand.
    pub budgets: Known<BTreeMap<String, String>>,
    /// ConfigMaps in which a present member's host appears.
    pub config_maps: Known<Vec<String>>,
}

/// A ConfigMap, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMap {
    /// Its version.
    pub version: String,
    /// Whether the API server refuses every change of it.
    pub immutable: bool,
    /// The controller that owns it, as kind and name.
    pub owner: Option<String>,
    /// The keys that were asked for and are there.
    pub data: BTreeMap<String, String>,
}

/// A pool of disks of Mayastor's or Puls8's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskPool {
    /// Its name.
    pub name: String,
    /// The node that its disks are in.
    pub node: String,
    /// `Online`, or what else it says; empty where it says nothing.
    pub status: String,
}

/// What the outside answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Question::Permissions`], in the same order.
    Permissions(Vec<(Permission, Known<bool>)>),
    /// To [`Question::Hash`].
    Hash(Known<Hash>),
    /// To [`Question::Keys`].
    Keys(KeyComparison),
    /// To [`Question::LastLines`].
    LastLines(Known<Vec<String>>),
    /// To [`Question::Neighbours`].
    Neighbours(Neighbours),
    /// To [`Question::Volumes`].
    Volumes(Known<Vec<Volume>>),
    /// To [`Question::ConfigMap`]; `None` inside means that it does not exist.
    ConfigMap(Known<Option<ConfigMap>>),
    /// To [`Question::DiskPools`]; `None` inside means that there is no such resource.
    DiskPools(Known<Option<Vec<DiskPool>>>),
    /// To [`Question::Privileges`].
    Privileges(Known<Privileges>),
    /// To [`Question::InactivePeers`]: for each pod that told, the members it is not connected to.
    InactivePeers(Known<BTreeMap<String, Vec<MemberId>>>),
    /// To [`Question::Certificate`].
    Certificate(Known<Certificate>),
    /// To [`Question::Deployment`].
    Deployment(Known<Box<Deployment>>),
}

impl Answer {
    /// Whether there is anything in the answer that is worth keeping.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Permissions(_) | Self::Neighbours(_) => true,
            Self::Hash(hash) => hash.known().is_some(),
            Self::Keys(comparison) => comparison.broken_off.is_none(),
            Self::LastLines(lines) => lines.known().is_some(),
            Self::Volumes(volumes) => volumes.known().is_some(),
            Self::ConfigMap(map) => map.known().is_some(),
            Self::DiskPools(pools) => pools.known().is_some(),
            Self::Privileges(privileges) => privileges.known().is_some(),
            Self::InactivePeers(peers) => peers.known().is_some(),
            Self::Certificate(certificate) => certificate.known().is_some(),
            Self::Deployment(deployment) => deployment.known().is_some(),
        }
    }
}

impl Question {
    /// Its name in events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Permissions(_) => "permissions",
            Self::Hash { .. } => "hash",
            Self::Keys { .. } => "keys",
            Self::LastLines { .. } => "last-lines",
            Self::Neighbours { .. } => "neighbours",
            Self::Volumes { .. } => "volumes",
            Self::ConfigMap { .. } => "config-map",
            Self::DiskPools => "disk-pools",
            Self::Privileges => "privileges",
            Self::InactivePeers => "inactive-peers",
            Self::Certificate { .. } => "certificate",
            Self::Deployment { .. } => "deployment",
        }
    }

    /// Whether the answer stays true for the length of a run.
    pub fn lasting(&self) -> bool {
        !matches!(
            self,
            Self::LastLines { .. }
                | Self::Volumes { .. }
                | Self::ConfigMap { .. }
                | Self::InactivePeers
                | Self::Deployment { .. }
        )
    }

    /// The answer that a plan assumes where it foresees what cannot be asked yet.
    pub fn assumed(&self, observation: &Observation) -> Answer {
        match self {
            Self::Permissions(list) => {
                Answer::Permissions(list.iter().map(|permission| (permission.clone(), Known::Known(true))).collect())
            }
            Self::Hash { revision, .. } => {
                let known = observation.answers.iter().find_map(|(_, answer)| match answer {
                    Answer::Hash(Known::Known(hash)) => Some(*hash),
                    _ => None,
                });
                let assumed = Hash { hash: 0, compact_revision: revision.saturating_sub(1), took_ms: 0 };
                Answer::Hash(Known::Known(known.unwrap_or(assumed)))
            }
            Self::Keys { .. } => Answer::Keys(KeyComparison::default()),
            Self::LastLines { .. } => Answer::LastLines(Known::Unknown("only foreseen".to_owned())),
            Self::Neighbours { .. } => Answer::Neighbours(Neighbours {
                services: Known::Known(Vec::new()),
                budgets: Known::Known(BTreeMap::new()),
                config_maps: Known::Known(Vec::new()),
            }),
            Self::Volumes { .. } => Answer::Volumes(observation.volumes.clone()),
            Self::ConfigMap { .. } => Answer::ConfigMap(Known::Unknown("only foreseen".to_owned())),
            Self::DiskPools => Answer::DiskPools(Known::Known(None)),
            Self::Privileges => Answer::Privileges(Known::Known(Privileges::All)),
            Self::InactivePeers => Answer::InactivePeers(Known::Unknown("only foreseen".to_owned())),
            Self::Certificate { .. } => Answer::Certificate(Known::Unknown("only foreseen".to_owned())),
            Self::Deployment { .. } => Answer::Deployment(Known::Unknown("only foreseen".to_owned())),
        }
    }
}
