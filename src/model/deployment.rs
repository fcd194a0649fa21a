//! The deployment repository that a StatefulSet is made from: what a look at it found, and what a commit there says.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CommandPart, EnvEdit, EnvSource, EnvVar, Fact, StatefulSet, WordEdit};

/// Through which part of a deployment repository a run goes, and how its commit reaches the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitOps {
    /// The overlay, as a path below the top of the repository's work tree.
    pub overlay: String,
    /// How the commit reaches the cluster.
    pub delivery: Delivery,
    /// Whether the commit is pushed.
    pub push: bool,
}

/// How a commit reaches the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// The run starts this command; its words.
    Command(Vec<String>),
    /// A GitOps controller brings it by itself.
    Sync,
    /// The operator applies it; the run stops for that.
    Operator,
}

impl GitOps {
    /// The apply command as it is typed.
    pub fn command(&self) -> Option<String> {
        match &self.delivery {
            Delivery::Command(words) => Some(words.join(" ")),
            Delivery::Sync | Delivery::Operator => None,
        }
    }
}

/// What a look at the deployment repository found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// What stands in the way of a commit, or of the overlay being built.
    pub obstacles: Vec<Fact>,
    /// The branch that is checked out.
    pub branch: String,
    /// Files that the branch has not yet as they have to be.
    pub files: Vec<FileEdit>,
    /// The commit that brought them, where the branch has them all.
    pub commit: Option<String>,
    /// What the branch is pushed to, where it is.
    pub upstream: Option<Upstream>,
    /// The StatefulSet's `spec` as the overlay builds it with those files; null where it could not be built.
    pub spec: Value,
}

/// A branch's counterpart elsewhere, as of the last fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Such as `origin/main`.
    pub name: String,
    /// Commits that it lacks.
    pub ahead: u32,
}

/// A file of the repository to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEdit {
    /// Its path below the top of the work tree.
    pub path: String,
    /// What the last commit has; none where it is new.
    pub from: Option<String>,
    /// What it has to be.
    pub to: String,
}

impl FileEdit {
    /// The file's own name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// What a commit says of the StatefulSet beyond what stands: one more pod, and what that pod has to be told.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Raise {
    /// Pods before.
    pub from: i32,
    /// Pods after.
    pub to: i32,
    /// Variables to set.
    pub env: Vec<EnvEdit>,
    /// Words of the command line to replace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<WordEdit>,
}

/// A commit on its way to the StatefulSet.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivering {
    /// What it says.
    pub raise: Raise,
    /// The command that this run started to bring it.
    pub command: Option<ApplyCommand>,
}

/// A command that was started, and what came of it.
#[derive(Debug, Clone, Default, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyCommand {
    /// The command as it is typed.
    pub text: String,
    /// How many lines it has written.
    pub written: u64,
    /// The last of them.
    pub lines: Vec<String>,
    /// How it ended; none while it runs.
    pub ended: Option<CommandEnd>,
}

/// How a command ended.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandEnd {
    /// Whether it says that all went well.
    pub well: bool,
    /// Such as `exit code 1`.
    pub how: String,
}

/// How many lines of a command that failed are repeated.
const LAST_LINES: usize = 10;

impl ApplyCommand {
    /// Its last lines, for saying why it failed.
    pub fn last_lines(&self) -> String {
        self.lines[self.lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

impl Raise {
    /// The StatefulSet's `spec` as it stands once this was applied to it.
    pub fn applied_to(&self, spec: &Value) -> Value {
        let mut spec = spec.clone();
        if !spec.is_object() {
            return spec;
        }
        spec["replicas"] = json!(self.to);
        for edit in &self.env {
            let Some(container) = spec.pointer_mut(&format!("/template/spec/containers/{}", edit.container)) else {
                continue;
            };
            if !container["env"].is_array() {
                container["env"] = json!([]);
            }
            let Some(list) = container["env"].as_array_mut() else { continue };
            match edit.index.and_then(|index| list.get_mut(index)) {
                Some(variable) => variable["value"] = json!(edit.to),
                None => list.push(json!({"name": edit.name, "value": edit.to})),
            }
        }
        for edit in &self.words {
            let word = format!("/template/spec/containers/{}/{}/{}", edit.container, edit.part.field(), edit.index);
            if let Some(word) = spec.pointer_mut(&word) {
                *word = json!(edit.to);
            }
        }
        spec
    }
}

impl StatefulSet {
    /// What the StatefulSet is with another update strategy.
    pub fn set_strategy(&mut self, strategy: &Value) {
        self.strategy = strategy.clone();
        if self.spec.is_object() {
            self.spec["updateStrategy"] = strategy.clone();
        }
    }

    /// What the StatefulSet is once this was applied to it.
    pub fn raise(&mut self, raise: &Raise) {
        self.spec = raise.applied_to(&self.spec);
        self.replicas = raise.to;
        for edit in &raise.env {
            let Some(container) = self.template.containers.get_mut(edit.container) else { continue };
            let source = EnvSource::Literal(edit.to.clone());
            match edit.index.and_then(|index| container.env.get_mut(index)) {
                Some(var) => var.source = source,
                None => container.env.push(EnvVar { name: edit.name.clone(), source }),
            }
        }
        for edit in &raise.words {
            let Some(container) = self.template.containers.get_mut(edit.container) else { continue };
            let list = match edit.part {
                CommandPart::Command => &mut container.command,
                CommandPart::Args => &mut container.args,
            };
            if let Some(word) = list.get_mut(edit.index) {
                word.clone_from(&edit.to);
            }
        }
        if !(raise.env.is_empty() && raise.words.is_empty()) {
            self.update_revision = format!("{}-at-{}", self.name, raise.to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raise_touches_what_it_names_and_nothing_else() {
        let edit = |index, name: &str, to: &str| EnvEdit {
            container: 0,
            index,
            first: false,
            name: name.into(),
            from: None,
            to: to.into(),
        };
        let raise = Raise {
            from: 2,
            to: 3,
            env: vec![edit(Some(0), "SIZE", "3"), edit(None, "STATE", "existing")],
            words: Vec::new(),
        };
        let spec = json!({
            "replicas": 2,
            "serviceName": "peers",
            "template": {"spec": {"containers": [{"name": "etcd", "env": [{"name": "SIZE", "value": "2"}]}]}},
        });
        let after = raise.applied_to(&spec);
        assert_eq!(after["replicas"], 3);
        assert_eq!(after["serviceName"], "peers");
        assert_eq!(
            after["template"]["spec"]["containers"][0]["env"],
            json!([{"name": "SIZE", "value": "3"}, {"name": "STATE", "value": "existing"}])
        );
        assert_eq!(raise.applied_to(&Value::Null), Value::Null, "what was not read is not made up");
    }
}
