//! The pod template: which container is etcd, where its data lies, and which variables say how large the cluster is.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{NodeDemand, Toleration};

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

/// Which list of the container a word of its command line stands in.
#[derive(Debug, Clone, Copy, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandPart {
    /// `command`
    Command,
    /// `args`
    Args,
}

impl CommandPart {
    /// The field's name.
    pub fn field(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Args => "args",
        }
    }
}

/// The value of a flag, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// In which list.
    pub part: CommandPart,
    /// In which of its texts.
    pub index: usize,
    /// Where in that text.
    pub place: Range<usize>,
    /// The value.
    pub value: String,
}

/// A required anti-affinity term that matches the StatefulSet's own pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AntiAffinity {
    /// Nodes with the same value of this label count as one place.
    pub topology_key: String,
}

/// Where etcd keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// On a claim of the named template: it outlives the pod.
    OnClaim(String),
    /// Elsewhere: a restarted pod would come back without it. The text says where.
    NotOnClaim(String),
}

/// Which variable tells the start script how many members there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SizeVariable {
    /// Exactly one fits.
    One(String),
    /// No literal equals the size and is used by the command.
    None,
    /// Several fit; which one is meant cannot be told from outside.
    Several(Vec<String>),
    /// The operator named one that is not a literal of the container.
    NotThere(String),
}

impl Container {
    /// Everything the container runs, entry point first.
    pub fn command_line(&self) -> impl Iterator<Item = &str> {
        self.command.iter().chain(&self.args).map(String::as_str)
    }

    /// One of the two lists of the command line.
    pub fn list(&self, part: CommandPart) -> &Vec<String> {
        match part {
            CommandPart::Command => &self.command,
            CommandPart::Args => &self.args,
        }
    }

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

    /// The value of etcd's flag `--name value` or `--name=value` where the command line shows it, scripts included.
    /// The last one wins, as in Go's flag package.
    pub fn flag(&self, name: &str) -> Option<String> {
        self.flags(name).pop().map(|flag| flag.value)
    }

    /// Every place in the command line where a flag of etcd is given, and what it is given. A list that goes on after a
    /// comma and white space is one value.
    pub fn flags(&self, name: &str) -> Vec<FlagValue> {
        let parts = [(CommandPart::Command, &self.command), (CommandPart::Args, &self.args)];
        let texts = parts.into_iter().flat_map(|(part, texts)| texts.iter().enumerate().map(move |at| (part, at)));
        let mut found: Vec<FlagValue> = Vec::new();
        let mut next_is_value = false;
        for (part, (index, text)) in texts {
            for (place, word) in shell_words(text) {
                let value =
                    |place: Range<usize>| FlagValue { part, index, value: text[place.clone()].to_owned(), place };
                if next_is_value {
                    found.push(value(place));
                    next_is_value = false;
                    continue;
                }
                if let Some(last) = found.last_mut().filter(|last| (last.part, last.index) == (part, index))
                    && text[last.place.end..place.start].chars().all(char::is_whitespace)
                    && (last.value.ends_with(',') || word.starts_with(','))
                {
                    *last = value(last.place.start..place.end);
                    continue;
                }
                let bare = word.trim_start_matches('-');
                if bare.len() == word.len() {
                    continue;
                }
                match bare.split_once('=') {
                    Some((flag, given)) if flag == name => {
                        let quotes = given.len() - given.trim_start_matches(['"', '\'']).len();
                        found.push(value(place.end - given.len() + quotes..place.end));
                    }
                    None if bare == name => next_is_value = true,
                    _ => {}
                }
            }
        }
        found
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

    /// Whether the command line or another variable uses `$NAME`, `${NAME...}` or `$(NAME)`.
    fn uses(&self, name: &str) -> bool {
        let in_values = self.env.iter().filter(|var| var.name != name).filter_map(|var| var.source.literal());
        self.command_line().chain(in_values).any(|text| references(text, name))
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

/// Flags of etcd that take a number, so that a variable of that name is etcd's own and never the cluster's size.
/// From `etcd --help` of 3.4 to 3.7.
const ETCD_NUMERIC_FLAGS: &[&str] = &[
    "SNAPSHOT_COUNT",
    "HEARTBEAT_INTERVAL",
    "ELECTION_TIMEOUT",
    "MAX_SNAPSHOTS",
    "MAX_WALS",
    "QUOTA_BACKEND_BYTES",
    "BACKEND_BATCH_LIMIT",
    "BACKEND_BATCH_INTERVAL",
    "MAX_TXN_OPS",
    "MAX_REQUEST_BYTES",
    "MAX_CONCURRENT_STREAMS",
    "AUTO_COMPACTION_RETENTION",
    "GRPC_KEEPALIVE_MIN_TIME",
    "GRPC_KEEPALIVE_INTERVAL",
    "GRPC_KEEPALIVE_TIMEOUT",
    "SELF_SIGNED_CERT_VALIDITY",
    "BCRYPT_COST",
    "AUTH_TOKEN_TTL",
    "COMPACTION_BATCH_LIMIT",
    "MAX_LEARNERS",
    "EXPERIMENTAL_MAX_LEARNERS",
    "SNAPSHOT_CATCHUP_ENTRIES",
    "EXPERIMENTAL_SNAPSHOT_CATCHUP_ENTRIES",
    "EXPERIMENTAL_COMPACTION_BATCH_LIMIT",
    "VERSION",
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

    /// Where the container keeps etcd's data: by `--data-dir`, `ETCD_DATA_DIR`, or the only claim that is mounted.
    pub fn data_dir(&self, container: &Container, claims: &[ClaimTemplate]) -> DataDir {
        let is_claim = |mount: &&Mount| claims.iter().any(|claim| claim.name == mount.volume);
        let path = container.flag("data-dir").or_else(|| container.literal("ETCD_DATA_DIR").map(str::to_owned));
        let Some(path) = path.filter(|path| path.starts_with('/')) else {
            // An image with a data directory of its own, or one worked out in a script: the only claim must be it.
            let claimed: Vec<_> = container.mounts.iter().filter(is_claim).collect();
            return match claimed.as_slice() {
                [mount] => DataDir::OnClaim(mount.volume.clone()),
                [] => DataDir::NotOnClaim("no claim is mounted in the etcd container".to_owned()),
                _ => DataDir::NotOnClaim("several claims are mounted and none is known to hold the data".to_owned()),
            };
        };
        let holding = container
            .mounts
            .iter()
            .filter(|mount| within(&path, &mount.path))
            .max_by_key(|mount| mount.path.trim_end_matches('/').len());
        match holding {
            Some(mount) if is_claim(&mount) => DataDir::OnClaim(mount.volume.clone()),
            Some(mount) => {
                let undefined = || "a volume that the template does not define".to_owned();
                let kind = self.volumes.get(&mount.volume).map_or_else(undefined, ToString::to_string);
                DataDir::NotOnClaim(format!("{path} is on {kind}"))
            }
            None => DataDir::NotOnClaim(format!("{path} is in the container's own file system")),
        }
    }

    /// The variable that must follow the cluster's size.
    ///
    /// It is a literal that equals the size, is used by the command line or another variable, and is no variable of
    /// etcd or etcdctl themselves: changing `ETCDCTL_API=3` at size 3 would break every probe.
    pub fn size_variable(&self, container: &Container, size: i32) -> SizeVariable {
        let size = size.to_string();
        let fitting: Vec<String> = container
            .env
            .iter()
            .filter(|var| matches!(&var.source, EnvSource::Literal(value) if value.trim() == size))
            .filter(|var| !belongs_to_etcd(&var.name))
            .filter(|var| container.uses(&var.name))
            .map(|var| var.name.clone())
            .collect();
        match fitting.len() {
            0 => SizeVariable::None,
            1 => SizeVariable::One(fitting.into_iter().next().unwrap_or_default()),
            _ => SizeVariable::Several(fitting),
        }
    }
}

/// The variable that a text consists of, as in `$STATE`, `${STATE}` or `$(STATE)`.
pub(super) fn variable_in(text: &str) -> Option<String> {
    let inner = text.strip_prefix('$')?.trim_matches(|c| matches!(c, '{' | '}' | '(' | ')'));
    let name: String = inner.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn belongs_to_etcd(name: &str) -> bool {
    name.starts_with("ETCDCTL_")
        || name.starts_with("ETCDUTL_")
        || ETCD_OWN_VARIABLES.contains(&name)
        || name.strip_prefix("ETCD_").is_some_and(|flag| ETCD_NUMERIC_FLAGS.contains(&flag))
}

pub(super) fn within(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path == directory || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Splits a command line or script into words well enough to find flags and programs in it, each with its place.
pub(super) fn shell_words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '|' | '&' | '`'))
        .map(|word| word.trim_matches(|c| matches!(c, '"' | '\'' | '(' | ')')))
        .filter(|word| !word.is_empty() && *word != "\\")
        .map(|word| {
            // A part of the text, so that its place is how far it lies from the text's beginning.
            let from = word.as_ptr() as usize - text.as_ptr() as usize;
            (from..from + word.len(), word)
        })
}

/// Whether `text` refers to the variable as a shell or the kubelet would expand it.
fn references(text: &str, name: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let rest = &text[at + 1..];
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let braced = rest.strip_prefix('{').map(|rest| rest.trim_start_matches(['#', '!']));
        let parenthesised = rest.strip_prefix('(');
        [Some(rest), braced, parenthesised].into_iter().flatten().any(|rest| rest.strip_prefix(name).is_some_and(ends))
    }) || arithmetic(text, name)
}

/// Inside `$(( ... ))` a shell expands variables without a dollar sign.
fn arithmetic(text: &str, name: &str) -> bool {
    text.match_indices("$((").any(|(at, _)| {
        let inner = &text[at + 3..];
        let inner = inner.find("))").map_or(inner, |end| &inner[..end]);
        inner.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(name: &str, value: &str) -> EnvVar {
        EnvVar { name: name.into(), source: EnvSource::Literal(value.into()) }
    }

    fn rok() -> Container {
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

    fn claims() -> Vec<ClaimTemplate> {
        vec![ClaimTemplate { name: "data".into(), storage_class: None }]
    }

    #[test]
    fn api_version_is_never_the_size() {
        let template = Template { containers: vec![rok()], ..Template::default() };
        assert_eq!(template.size_variable(&rok(), 3), SizeVariable::One("ETCD_CLUSTER_SIZE".into()));
        assert_eq!(template.size_variable(&rok(), 2), SizeVariable::None);
    }

    #[test]
    fn two_fitting_variables_are_ambiguous() {
        let mut container = rok();
        container.env.push(literal("REPLICAS", "3"));
        container.args.push("echo ${REPLICAS:-1} $(ZONES)".into());
        container.env.push(literal("ZONES", "3"));
        container.env.push(literal("UNUSED", "3"));
        let template = Template { containers: vec![container.clone()], ..Template::default() };
        assert_eq!(
            template.size_variable(&container, 3),
            SizeVariable::Several(vec!["ETCD_CLUSTER_SIZE".into(), "REPLICAS".into(), "ZONES".into()])
        );
    }

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
    fn references_need_the_whole_name() {
        assert!(references("x $SIZE y", "SIZE"));
        assert!(references("${SIZE:-3}", "SIZE"));
        assert!(references("$(SIZE)", "SIZE"));
        assert!(references("$((SIZE + 1))", "SIZE"));
        assert!(!references("$SIZES", "SIZE"));
        assert!(!references("SIZE", "SIZE"));
    }

    #[test]
    fn data_directory_is_found_in_a_script() {
        let template = Template { containers: vec![rok()], ..Template::default() };
        assert_eq!(template.data_dir(&rok(), &claims()), DataDir::OnClaim("data".into()));
        let mut volumes = BTreeMap::new();
        volumes.insert("data".to_owned(), VolumeKind::EmptyDir);
        let template = Template { containers: vec![rok()], volumes, ..Template::default() };
        assert_eq!(template.data_dir(&rok(), &[]), DataDir::NotOnClaim("/var/lib/etcd/data is on an emptyDir".into()));
    }

    #[test]
    fn a_mount_deeper_down_wins() {
        let mut container = rok();
        container.mounts.push(Mount {
            volume: "scratch".into(),
            path: "/var/lib/etcd/data/".into(),
            ..Mount::default()
        });
        let mut volumes = BTreeMap::new();
        volumes.insert("scratch".to_owned(), VolumeKind::EmptyDir);
        let template = Template { containers: vec![container.clone()], volumes, ..Template::default() };
        assert!(matches!(template.data_dir(&container, &claims()), DataDir::NotOnClaim(_)));
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
