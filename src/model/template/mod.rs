//! The pod template: its containers, which of them is etcd, and in a file each: what its command line says, where its data
//! lies, and which variable says how large the cluster is.

mod command_line;
mod data_dir;
mod size_variable;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NodeDemand, Toleration};

pub use command_line::{CommandPart, FlagValue};
pub use data_dir::DataDir;
pub use size_variable::SizeVariable;

pub(super) use command_line::{shell_words, variable_in};
pub(super) use data_dir::within;

/// The parts of a StatefulSet's pod template that matter for changing its size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Labels of every pod.
    pub labels: BTreeMap<String, String>,
    /// In the order of the template; JSON patches address them by index.
    pub containers: Vec<Container>,
    /// The container that the operator named as etcd's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// The pod's own volumes by name. Claim templates are not among them.
    pub volumes: BTreeMap<String, VolumeKind>,
    /// Required pod anti-affinity.
    pub anti_affinity: Vec<AntiAffinity>,
    /// Labels that a node must have.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// Required node affinity: a node has to meet all demands of one of these terms.
    #[serde(default)]
    pub node_affinity: Option<Vec<Vec<NodeDemand>>>,
    /// Taints of nodes that the pods do not mind.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
}

/// One container of the template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name within the pod.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Entry point, then arguments.
    pub command: Vec<String>,
    /// Arguments to the entry point.
    pub args: Vec<String>,
    /// In the order of the template; JSON patches address them by index.
    pub env: Vec<EnvVar>,
    /// What `envFrom` brings in, in the order of the template: variables that the template does not show.
    pub env_from: Vec<EnvFrom>,
    /// Where volumes appear in the container.
    pub mounts: Vec<Mount>,
    /// Declared ports, with their names where they have one.
    pub ports: Vec<(Option<String>, u16)>,
    /// The HTTP path of the readiness probe, where it is one.
    pub readiness_path: Option<String>,
    /// The command of the readiness probe, where it is one.
    pub readiness_command: Option<Vec<String>>,
    /// Whether something runs in it before it is ended (`lifecycle.preStop`).
    #[serde(default)]
    pub pre_stop: bool,
}

/// One environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// The variable's name.
    pub name: String,
    /// Where its value comes from.
    pub source: EnvSource,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EnvSource {
    /// It stands in the template.
    Literal(String),
    /// It is one key of a ConfigMap.
    ConfigMap {
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
    },
    /// It is read from elsewhere; the text says where.
    From(String),
}

impl EnvSource {
    /// The value, where it stands in the template.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(value) => Some(value),
            Self::ConfigMap { .. } | Self::From(_) => None,
        }
    }
}

/// A whole object whose keys become variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvFrom {
    /// Whether it is a Secret and not a ConfigMap.
    pub secret: bool,
    /// Its name.
    pub name: String,
    /// What is put before each key.
    pub prefix: String,
}

impl std::fmt::Display for EnvFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", if self.secret { "Secret" } else { "ConfigMap" }, self.name)
    }
}

/// A volume's place in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// The volume's name in the pod.
    pub volume: String,
    /// Where it is mounted.
    pub path: String,
    /// The part of the volume that is mounted, where it is not the whole; it may name variables as `$(NAME)`.
    #[serde(default)]
    pub sub_path: Option<String>,
}

/// What kind of volume a pod volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VolumeKind {
    /// Dies with the pod.
    EmptyDir,
    /// Stays on the node when the pod goes.
    HostPath(String),
    /// One claim shared by all pods.
    Claim(String),
    /// Files from a ConfigMap.
    ConfigMap {
        /// The ConfigMap.
        name: String,
        /// Keys and the paths that they appear at; where there are none, each appears under its own name.
        items: Vec<(String, String)>,
    },
    /// Files from a Secret.
    Secret {
        /// The Secret.
        name: String,
        /// Keys and the paths that they appear at; where there are none, each appears under its own name.
        items: Vec<(String, String)>,
    },
    /// Anything else, by its field name.
    Other(String),
}

impl std::fmt::Display for VolumeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EmptyDir => f.write_str("an emptyDir"),
            Self::HostPath(host) => write!(f, "the host path {host}"),
            Self::Claim(claim) => write!(f, "the claim {claim}, which all pods share"),
            Self::ConfigMap { name, .. } => write!(f, "the files of ConfigMap {name}"),
            Self::Secret { name, .. } => write!(f, "the files of Secret {name}"),
            Self::Other(kind) => write!(f, "a volume of kind {kind}"),
        }
    }
}

/// A template of the claims that each pod gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimTemplate {
    /// First part of the claims' names: `<name>-<statefulset>-<ordinal>`.
    pub name: String,
    /// The class it names; none means the default class.
    pub storage_class: Option<String>,
}

/// A required anti-affinity term that matches the StatefulSet's own pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AntiAffinity {
    /// Nodes with the same value of this label count as one place.
    pub topology_key: String,
}

impl Container {
    /// The literal value of a variable. The last of several wins, as in the container runtime.
    pub fn literal(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|var| var.name == name).and_then(|var| var.source.literal())
    }

    /// The sign that the image's entry point adds its own pod to the cluster; none where there is none. Such an image
    /// dead-locks with, or removes, a member that was added beforehand: Bitnami's scripts go by the two variables, and
    /// newer ones remove a member with their own peer URL before they add it again.
    pub fn joins_by_itself(&self) -> Option<String> {
        // Where etcd itself is what starts, no script does anything before.
        if self.command.first().is_some_and(|program| program.rsplit('/').next() == Some("etcd")) {
            return None;
        }
        let variable = ["ETCD_ON_K8S", "MY_STS_NAME"].into_iter().find(|name| self.names(name));
        if let Some(name) = variable {
            return Some(format!("{name} is set"));
        }
        if self.command.iter().chain(&self.args).any(|word| word.contains("member add")) {
            return Some("its command runs `member add`".to_owned());
        }
        // With a command of the template's own the image's entry point never runs.
        let descends =
            self.image.split('/').any(|part| part.starts_with("bitnami")) || self.image.contains("openebs/etcd");
        (self.command.is_empty() && descends).then(|| format!("{} descends from Bitnami's", self.image))
    }

    /// Whether the variable is set in the template at all, from whatever source.
    pub fn names(&self, variable: &str) -> bool {
        self.env.iter().any(|var| var.name == variable)
    }

    /// Whether anything about the container names etcd: its image, what it runs or how it is configured.
    fn seems_etcd(&self) -> bool {
        let image = self.image.rsplit('/').next().unwrap_or_default();
        let image = image.split([':', '@']).next().unwrap_or_default();
        let runs_etcd = self.command_line().flat_map(shell_words).any(|(_, word)| {
            let program = word.rsplit('/').next().unwrap_or_default();
            program == "etcd"
        });
        let configured = self
            .env
            .iter()
            .any(|var| var.name.starts_with("ETCD_") && ETCD_OWN_VARIABLES.iter().any(|own| var.name == *own));
        // A sidecar may share etcd's image, so a container that runs something else is none.
        let runs_other = !self.command.is_empty() && !runs_etcd && !configured;
        (runs_etcd || configured || image == "etcd") && !runs_other
    }
}

/// Variables that only etcd itself reads, which mark a container as etcd.
const ETCD_OWN_VARIABLES: &[&str] = &[
    "ETCD_NAME",
    "ETCD_DATA_DIR",
    "ETCD_INITIAL_CLUSTER",
    "ETCD_INITIAL_CLUSTER_STATE",
    "ETCD_INITIAL_CLUSTER_TOKEN",
    "ETCD_LISTEN_PEER_URLS",
    "ETCD_LISTEN_CLIENT_URLS",
    "ETCD_ADVERTISE_CLIENT_URLS",
    "ETCD_INITIAL_ADVERTISE_PEER_URLS",
];

impl Template {
    /// The index and container that run etcd. None, where no container seems to.
    pub fn etcd(&self) -> Option<(usize, &Container)> {
        if let Some(named) = &self.named {
            return self.containers.iter().enumerate().find(|(_, container)| container.name == *named);
        }
        let fitting = || self.containers.iter().enumerate().filter(|(_, container)| container.seems_etcd());
        fitting().find(|(_, container)| container.name == "etcd").or_else(|| fitting().next())
    }
}

/// What the tests of this module are about: a container as in Rok's guide.
#[cfg(test)]
mod sample {
    use super::*;

    pub(super) fn literal(name: &str, value: &str) -> EnvVar {
        EnvVar { name: name.into(), source: EnvSource::Literal(value.into()) }
    }

    pub(super) fn rok() -> Container {
        Container {
            name: "etcd".into(),
            image: "docker.io/local/etcd:3.4".into(),
            command: vec!["sh".into(), "-ec".into()],
            args: vec![
                "while [ \"$i\" -lt \"$ETCD_CLUSTER_SIZE\" ]; do i=$((i + 1)); done\n\
                 exec etcd --name \"$me\" --data-dir /var/lib/etcd/data --initial-cluster \"$initial\" \\\n --x y"
                    .into(),
            ],
            env: vec![
                literal("ETCDCTL_API", "3"),
                literal("ETCD_CLUSTER_SIZE", "3"),
                literal("ETCD_INITIAL_CLUSTER_STATE", "new"),
            ],
            mounts: vec![Mount { volume: "data".into(), path: "/var/lib/etcd".into(), ..Mount::default() }],
            ..Container::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{literal, rok};
    use super::*;

    #[test]
    fn images_that_add_themselves_are_known_by_their_signs() {
        assert_eq!(rok().joins_by_itself(), None);
        let mut container = rok();
        container.env.push(literal("MY_STS_NAME", "etcd"));
        assert_eq!(container.joins_by_itself().unwrap(), "MY_STS_NAME is set");
        let mut container = rok();
        container.args = vec!["until etcdctl member add \"$ETCD_NAME\"; do sleep 2; done; exec etcd".into()];
        assert!(container.joins_by_itself().is_some());
        let image = "docker.io/bitnamilegacy/etcd:3.5".to_owned();
        let own = Container { image: image.clone(), command: Vec::new(), ..rok() };
        assert!(own.joins_by_itself().is_some());
        assert_eq!(Container { image, ..rok() }.joins_by_itself(), None, "its entry point never runs");
    }

    #[test]
    fn a_sidecar_of_etcds_image_is_not_etcd() {
        let sidecar = Container {
            name: "metrics".into(),
            image: "quay.io/coreos/etcd:v3.5.0".into(),
            command: vec!["sleep".into(), "9".into()],
            ..Container::default()
        };
        let template = Template { containers: vec![sidecar.clone(), rok()], ..Template::default() };
        assert_eq!(template.etcd().map(|(index, _)| index), Some(1));
        assert!(Template { containers: vec![sidecar], ..Template::default() }.etcd().is_none());
    }
}
