//! How a new member learns of the cluster that it joins: the list of peers and the cluster state, and where each stands.

use super::template::variable_in;
use super::{Container, EnvSource, FlagValue, Observation, Template, new_member_name, ordinal_of};

/// The variable that etcd reads the list of peers from.
const LIST: &str = "ETCD_INITIAL_CLUSTER";

/// The variable that etcd reads the cluster state from.
const STATE: &str = "ETCD_INITIAL_CLUSTER_STATE";

/// Where the list of peers that a new member starts with comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerList {
    /// The start command works it out.
    Computed,
    /// A literal variable of the container.
    Variable {
        /// The variable.
        name: String,
        /// The list as it stands.
        list: String,
    },
    /// A flag in the command line.
    Flag(FlagValue),
    /// A key of a ConfigMap.
    ConfigMap {
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
    },
    /// Perhaps a key of one of these ConfigMaps, the last of them first; none of them may have it.
    Perhaps(Vec<(String, String)>),
    /// It stands where no patch reaches; the text says where.
    Fixed(String),
}

/// How the template tells a new member that the cluster exists already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateVariable {
    /// It says `existing` already.
    Existing,
    /// This literal variable has to be set to `existing`.
    Set(String),
    /// There is none; `ETCD_INITIAL_CLUSTER_STATE` has to be added.
    Add,
    /// A flag in the command line has to say `existing`.
    Flag(FlagValue),
    /// A key of a ConfigMap has to say `existing`.
    ConfigMap {
        /// The ConfigMap.
        name: String,
        /// The key.
        key: String,
    },
    /// It stands where no patch reaches; the text says where.
    Fixed(String),
}

impl Template {
    /// How a new member learns that the cluster exists already. Flags beat variables.
    pub fn state_variable(&self, container: &Container) -> StateVariable {
        let mut name = STATE.to_owned();
        let mut flags = container.flags("initial-cluster-state");
        if let Some(flag) = flags.pop() {
            match variable_in(&flag.value) {
                Some(variable) => name = variable,
                None if flag.value == "existing" => return StateVariable::Existing,
                // In a script each may belong to another branch.
                None if flags.is_empty() && flag.value == "new" => return StateVariable::Flag(flag),
                None => return StateVariable::Fixed(format!("the flag --initial-cluster-state={}", flag.value)),
            }
        }
        match container.env.iter().rev().find(|var| var.name == name).map(|var| &var.source) {
            Some(EnvSource::Literal(value)) if value == "existing" => StateVariable::Existing,
            Some(EnvSource::Literal(value)) if variable_in(value).is_some() => {
                StateVariable::Fixed(format!("{name}={value}"))
            }
            Some(EnvSource::Literal(_)) => StateVariable::Set(name),
            Some(EnvSource::ConfigMap { name, key }) => {
                StateVariable::ConfigMap { name: name.clone(), key: key.clone() }
            }
            Some(EnvSource::From(place)) => StateVariable::Fixed(format!("{name} from {place}")),
            None if name == STATE => StateVariable::Add,
            None => StateVariable::Fixed(format!("the shell variable {name} of the start script")),
        }
    }

    /// Where a new member's list of peers comes from, where etcd reads no configuration file ([`Template::config_file`]).
    /// Flags beat variables.
    pub fn peer_list(&self, container: &Container) -> PeerList {
        let mut name = LIST.to_owned();
        let mut flags = container.flags("initial-cluster");
        if let Some(flag) = flags.pop() {
            // A variable of the container is looked up; one of the start script is worked out there.
            match variable_in(&flag.value).filter(|variable| container.names(variable)) {
                Some(variable) => name = variable,
                None if flag.value.contains(['$', '`']) => return PeerList::Computed,
                None if !flags.is_empty() => {
                    return PeerList::Fixed("several flags --initial-cluster".to_owned());
                }
                None if peers_in(&flag.value).is_none() => {
                    return PeerList::Fixed(format!("the flag --initial-cluster={}", flag.value));
                }
                None => return PeerList::Flag(flag),
            }
        }
        match container.env.iter().rev().find(|var| var.name == name).map(|var| &var.source) {
            Some(EnvSource::Literal(value)) if value.contains("$(") => PeerList::Computed,
            Some(EnvSource::Literal(value)) if peers_in(value).is_none() => {
                PeerList::Fixed(format!("the variable {name}, which is no list of names and peer URLs"))
            }
            Some(EnvSource::Literal(value)) => PeerList::Variable { name, list: value.clone() },
            Some(EnvSource::ConfigMap { name, key }) => PeerList::ConfigMap { name: name.clone(), key: key.clone() },
            Some(EnvSource::From(place)) => PeerList::Fixed(format!("{name} from {place}")),
            None => {
                // The last source wins, as in the kubelet.
                let maps = container.env_from.iter().rev().filter(|from| !from.secret);
                let keys =
                    maps.filter_map(|from| Some((from.name.clone(), name.strip_prefix(&from.prefix)?.to_owned())));
                let keys: Vec<_> = keys.collect();
                if keys.is_empty() { PeerList::Computed } else { PeerList::Perhaps(keys) }
            }
        }
    }
}

/// The names and peer URLs of a list, in its order. It may be folded over several lines. None where it is no list.
pub fn peers_in(list: &str) -> Option<Vec<(String, String)>> {
    let entries: Vec<&str> = list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let peers: Option<Vec<_>> = entries
        .iter()
        .map(|entry| entry.split_once('=').map(|(name, url)| (name.trim().to_owned(), url.trim().to_owned())))
        .collect();
    peers.filter(|peers| !peers.is_empty())
}

/// The list of peers with the member of this ordinal in it, or without: every live member's name and peer URLs, in the
/// order of the ordinals. With it, it is what that member has to start with. On one line: etcd takes white space before a
/// name for a part of it.
///
/// None where the members are not known, or no peer URL can be made.
pub fn wanted_peers(observation: &Observation, ordinal: i32, with: bool) -> Option<String> {
    let set = &observation.statefulset;
    let members = observation.members.known().filter(|members| members.by_quorum)?;
    let name_of = |ordinal| new_member_name(&members.list, &set.name, ordinal).unwrap_or_else(|| set.pod_name(ordinal));
    let own = observation.peer_url(ordinal)?;
    let live =
        members.list.iter().flat_map(|member| member.peer_urls.iter().map(move |url| (member.name.clone(), url)));
    let mut peers: Vec<(i32, String, String)> = live
        .map(|(name, url)| {
            let ordinal = ordinal_of(url, &set.name).unwrap_or(i32::MAX);
            (ordinal, if name.is_empty() { name_of(ordinal) } else { name }, url.clone())
        })
        .collect();
    peers.retain(|(_, _, url)| with || *url != own);
    if with && !peers.iter().any(|(_, _, url)| *url == own) {
        peers.push((ordinal, name_of(ordinal), own));
    }
    peers.sort();
    Some(peers.into_iter().map(|(_, name, url)| format!("{name}={url}")).collect::<Vec<_>>().join(","))
}

/// Whether a list that stands somewhere names the peers that are wanted, in whatever order. A folded one does not: etcd
/// takes the white space for a part of a name.
pub fn same_peers(standing: &str, wanted: &str) -> bool {
    let sorted = |list| {
        let mut peers = peers_in(list)?;
        peers.sort();
        Some(peers)
    };
    sorted(standing).is_some() && sorted(standing) == sorted(wanted) && !standing.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{CommandPart, EnvFrom, EnvVar};

    fn running(command: &[&str]) -> Container {
        Container { command: command.iter().map(|word| (*word).to_owned()).collect(), ..Container::default() }
    }

    fn var(name: &str, source: EnvSource) -> EnvVar {
        EnvVar { name: name.into(), source }
    }

    fn literal(name: &str, value: &str) -> EnvVar {
        var(name, EnvSource::Literal(value.into()))
    }

    const FOLDED: &str = "a-0=http://a-0:2380,\n a-1=http://a-1:2380 ,\na-2=http://a-2:2380\n";

    #[test]
    fn a_folded_list_is_a_list() {
        let peers = peers_in(FOLDED).unwrap();
        assert_eq!(peers.len(), 3);
        assert_eq!(peers[1], ("a-1".to_owned(), "http://a-1:2380".to_owned()));
        assert_eq!(peers_in("cluster"), None);
        assert_eq!(peers_in(""), None);
    }

    #[test]
    fn etcd_takes_white_space_for_a_part_of_a_name() {
        let line = "a-1=http://a-1:2380,a-0=http://a-0:2380,a-2=http://a-2:2380";
        assert!(same_peers(line, FOLDED));
        assert!(!same_peers(FOLDED, line));
        assert!(!same_peers("a-0=http://a-0:2380", line));
    }

    #[test]
    fn sources_are_told_apart() {
        let template = Template::default();
        let mut container = running(&["etcd"]);
        assert_eq!(template.peer_list(&container), PeerList::Computed);
        container.env_from.push(EnvFrom { secret: false, name: "peers".into(), prefix: String::new() });
        container.env_from.push(EnvFrom { secret: false, name: "etcd".into(), prefix: "ETCD_".into() });
        container.env_from.push(EnvFrom { secret: true, name: "keys".into(), prefix: String::new() });
        assert_eq!(
            template.peer_list(&container),
            PeerList::Perhaps(vec![
                ("etcd".into(), "INITIAL_CLUSTER".into()),
                ("peers".into(), "ETCD_INITIAL_CLUSTER".into())
            ])
        );
        // A variable beats envFrom, whatever its source.
        container.env.push(var(LIST, EnvSource::ConfigMap { name: "map".into(), key: "list".into() }));
        assert_eq!(template.peer_list(&container), PeerList::ConfigMap { name: "map".into(), key: "list".into() });
        container.env.push(literal(LIST, FOLDED));
        assert_eq!(template.peer_list(&container), PeerList::Variable { name: LIST.into(), list: FOLDED.into() });
        // A flag beats a variable.
        container.args = vec!["--initial-cluster".into(), "a-0=http://a-0:2380".into()];
        let PeerList::Flag(flag) = template.peer_list(&container) else { panic!() };
        assert_eq!((flag.part, flag.index, flag.value.as_str()), (CommandPart::Args, 1, "a-0=http://a-0:2380"));
    }

    #[test]
    fn variables_in_flags_are_followed() {
        let template = Template::default();
        let mut container =
            running(&["sh", "-c", "exec etcd --initial-cluster=$(PEERS) --initial-cluster-state=$STATE"]);
        assert_eq!(template.peer_list(&container), PeerList::Computed);
        container.env.push(literal("PEERS", "a=http://a:2380"));
        container.env.push(literal("STATE", "new"));
        assert!(matches!(template.peer_list(&container), PeerList::Variable { name, .. } if name == "PEERS"));
        assert_eq!(template.state_variable(&container), StateVariable::Set("STATE".into()));
        let folded = running(&[
            "etcd",
            "--initial-cluster=a=http://a:2380,\n  b=http://b:2380",
            "--initial-cluster-state",
            "new",
        ]);
        let PeerList::Flag(flag) = template.peer_list(&folded) else { panic!() };
        assert_eq!(peers_in(&flag.value).unwrap().len(), 2);
        assert_eq!(&folded.command[flag.index][flag.place.clone()], flag.value);
        assert!(matches!(template.state_variable(&folded), StateVariable::Flag(flag) if flag.index == 3));
        let quoted = running(&["sh", "-c", "exec etcd --initial-cluster=\"a=http://a:2380,b=http://b:2380\" -x"]);
        let PeerList::Flag(flag) = template.peer_list(&quoted) else { panic!() };
        assert_eq!(flag.value, "a=http://a:2380,b=http://b:2380");
        let twice =
            running(&["sh", "-c", "etcd --initial-cluster=a=http://a:2380 || etcd --initial-cluster=a=http://b:2380"]);
        assert!(matches!(template.peer_list(&twice), PeerList::Fixed(_)));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC*|[-a-c=,:/ \\t\\n]{0,30}", other in "[-a-c=,:/ ]{0,30}") {
            let peers = peers_in(&text);
            prop_assert!(peers.is_none_or(|peers| !peers.is_empty()));
            if same_peers(&text, &other) {
                prop_assert_eq!(peers_in(&text).map(|peers| peers.len()), peers_in(&other).map(|peers| peers.len()));
            }
        }
    }
}
