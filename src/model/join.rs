//! How a new member comes into the member list: added beforehand as a learner, or by its own image.
//!
//! Some images add their own pod. Bitnami's older scripts run `member add` in a loop until it passes, which it never
//! does for a peer URL that is there already; newer ones remove a member with their own peer URL before they add it
//! again, as a voter. Under either a member must not be added beforehand, unless its pod starts past the script.

use serde::{Deserialize, Serialize};

use super::template::shell_words;
use super::{Container, Fact, Goal, Observation, Record};

/// What was asked for about the way in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinChoice {
    /// As a learner where that can be done, else the image's own way.
    #[default]
    Auto,
    /// As a learner, or not at all.
    Learner,
    /// The image's own way.
    #[serde(rename = "self")]
    Itself,
}

/// How the new member comes into the member list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "way")]
pub enum Join {
    /// It is added as a learner, and its pod starts etcd.
    #[default]
    Learner,
    /// It is added as a learner, and its pod's first start goes past the script that would add it once more. The pod
    /// gets the script back while its member is still a learner, so that whatever the script does costs no quorum.
    Bypass {
        /// From the script to etcd itself.
        edit: CommandEdit,
    },
    /// The pod's own script adds it, as a voter.
    #[serde(rename = "self")]
    Itself,
}

/// What a container runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandLine {
    /// Entry point; empty where the image's own runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
}

/// A container's whole command line to replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandEdit {
    /// Index of the container in the template.
    pub container: usize,
    /// What it runs before.
    pub from: CommandLine,
    /// What it runs after.
    pub to: CommandLine,
}

impl CommandEdit {
    /// The edit that takes this one back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { container: self.container, from: self.to.clone(), to: self.from.clone() }
    }
}

/// What etcd has to be told for a start without a script.
const TOLD: &[&str] = &[
    "ETCD_NAME",
    "ETCD_DATA_DIR",
    "ETCD_INITIAL_CLUSTER",
    "ETCD_INITIAL_ADVERTISE_PEER_URLS",
    "ETCD_LISTEN_PEER_URLS",
    "ETCD_LISTEN_CLIENT_URLS",
    "ETCD_ADVERTISE_CLIENT_URLS",
];

impl Join {
    /// How the new member joins: as the run's record has it, else as the template and the choice make it.
    ///
    /// # Errors
    /// The fact that forbids what was asked for.
    pub fn of(observation: &Observation, goal: &Goal) -> Result<Self, Fact> {
        let set = &observation.statefulset;
        if let Some(record) = Record::of_run(goal, observation) {
            // Its script has made the learner a member of its own making; `--join self` accepts that.
            let accepted = goal.join == JoinChoice::Itself && record.restored.is_some();
            return Ok(if accepted { Self::Itself } else { record.join });
        }
        let Some((index, container)) = set.template.etcd() else { return Ok(Self::Learner) };
        let Some(sign) = container.joins_by_itself() else {
            return Ok(if goal.join == JoinChoice::Itself { Self::Itself } else { Self::Learner });
        };
        if goal.join == JoinChoice::Itself {
            return Ok(Self::Itself);
        }
        let fact = |why: &str| {
            format!("the image of container {} adds its own pod to the cluster ({sign}), {why}", container.name)
        };
        match bypass(index, container) {
            Ok(edit) => Ok(Self::Bypass { edit }),
            Err(why) if goal.join == JoinChoice::Learner => Err(Fact::new(
                fact(&format!("and its first start cannot go past that: {why}")),
                "let it join on its own, as a voter, with --join self",
            )),
            Err(_) if goal.from < 2 => Err(Fact::new(
                fact("as a voter: beside a single member it stops the cluster until it has started"),
                "accept that with --join self",
            )),
            Err(_) => Ok(Self::Itself),
        }
    }
}

/// How the pod starts etcd past its script: only where the script ends in `exec etcd` and leaves all that etcd is told
/// to variables of the template.
fn bypass(index: usize, container: &Container) -> Result<CommandEdit, String> {
    if container.command.is_empty() {
        return Err("the image's own entry point cannot be seen from here".to_owned());
    }
    if container.pre_stop {
        return Err("its preStop hook would run when the pod gets its own command back".to_owned());
    }
    let script = container.args.last().or(container.command.last()).map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = shell_words(script).map(|(_, word)| word).collect();
    let program = match words.as_slice() {
        [.., "exec", program] if program.rsplit('/').next() == Some("etcd") => (*program).to_owned(),
        _ => return Err("its script does not end in `exec etcd`".to_owned()),
    };
    if let Some(word) = words.iter().find(|word| word.starts_with("ETCD_") && word.contains('=')) {
        return Err(format!("its script sets {}", word.split('=').next().unwrap_or_default()));
    }
    if let Some(name) = TOLD.iter().find(|name| !container.names(name)) {
        return Err(format!("{name} is not among the template's variables"));
    }
    Ok(CommandEdit {
        container: index,
        from: CommandLine { command: container.command.clone(), args: container.args.clone() },
        to: CommandLine { command: vec![program], args: Vec::new() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EnvSource, EnvVar};

    fn scripted(script: &str) -> Container {
        let var = |name: &&str| EnvVar { name: (*name).to_owned(), source: EnvSource::Literal("x".to_owned()) };
        Container {
            command: vec!["sh".into(), "-ec".into()],
            args: vec![script.into()],
            env: TOLD.iter().map(var).collect(),
            ..Container::default()
        }
    }

    #[test]
    fn a_script_is_gone_past_where_it_only_starts_etcd() {
        let edit = bypass(1, &scripted("etcdctl member add \"$ETCD_NAME\"\nexec /usr/bin/etcd\n")).unwrap();
        assert_eq!(edit.to, CommandLine { command: vec!["/usr/bin/etcd".into()], args: Vec::new() });
        assert_eq!(edit.reversed().to, edit.from);
        for script in [
            "exec etcd --name x",
            "mkdir -p /var/lib/etcd",
            "etcd",
            "export ETCD_NAME=a\nexec etcd",
            "exec etcd \"$@\"",
        ] {
            assert!(bypass(0, &scripted(script)).is_err(), "{script}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_not_gone_past() {
        let unseen = Container { command: Vec::new(), args: Vec::new(), ..scripted("") };
        assert!(bypass(0, &unseen).is_err());
        let hooked = Container { pre_stop: true, ..scripted("exec etcd") };
        assert!(bypass(0, &hooked).is_err());
        let mut untold = scripted("exec etcd");
        untold.env.remove(0);
        assert_eq!(bypass(0, &untold).unwrap_err(), "ETCD_NAME is not among the template's variables");
    }
}
