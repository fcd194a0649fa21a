//! Changes: mutations of the outside world as data, which can be shown, confirmed, predicted and applied.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CommandEdit, CommandPart, FileEdit, MemberId, Observation, Patched, RUN_ANNOTATION_POINTER, Raise, Record,
    partition_of, patch_operations, strategy_is_on_delete,
};

/// What stands for the database's revision in the name of a snapshot that is yet to be written.
pub const REVISION: &str = "REVISION";

/// The file's name with the revision that the member was at right before: what is saved is at least as new.
pub fn with_revision(file: &Path, pod: &str, observation: &Observation) -> PathBuf {
    let revision =
        observation.status_of_pod(pod).map_or_else(|| "unknown".to_owned(), |status| status.revision.to_string());
    let name = file.file_name().unwrap_or_default().to_string_lossy().replace(REVISION, &revision);
    file.with_file_name(name)
}

/// One mutation of the outside world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "kind")]
pub enum Change {
    /// Stream one member's database to a file here.
    SaveSnapshot {
        /// The pod whose member sends it.
        pod: String,
        /// Where to.
        file: PathBuf,
        /// Whether `REVISION` in the file's name stands for the database's revision, which is known when it is written.
        #[serde(default)]
        revision: bool,
    },
    /// Write the run's record on the StatefulSet.
    OpenRun {
        /// What to write.
        record: Box<Record>,
    },
    /// Make a volume for a claim to come, where nobody else makes it.
    CreateVolume {
        /// Its name.
        name: String,
        /// The claim it is kept for.
        claim: String,
        /// The whole object.
        manifest: Value,
    },
    /// Add a member that does not vote yet.
    AddLearner {
        /// How it will call itself.
        name: String,
        /// Where its peers reach it.
        peer_url: String,
    },
    /// Take a member out of the member list. Its id never comes back.
    RemoveMember {
        /// The member.
        member: MemberId,
        /// What it is called.
        name: String,
        /// The pod that it runs in, or should.
        pod: String,
    },
    /// Ask for one pod more or less, tell the template, and guard the pods that are there: in one patch. Where the record
    /// stands, the same patch notes in it what it replaces.
    #[serde(rename = "patch-statefulset")]
    PatchStatefulSet {
        /// Pods before.
        from: i32,
        /// Pods after.
        to: i32,
        /// Variables to set.
        env: Vec<EnvEdit>,
        /// Words of the command line to replace.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        words: Vec<WordEdit>,
        /// What the container runs instead, for the new pod's first start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<Box<CommandEdit>>,
        /// The update strategy before and after, where a guard is set.
        strategy: Option<(Value, Value)>,
    },
    /// Undo what this run's last patch of the StatefulSet did, with one patch.
    TakeBack {
        /// What it did.
        patched: Box<Patched>,
    },
    /// Delete a claim that no pod should start with.
    DeleteClaim {
        /// Its name.
        claim: String,
        /// Its uid: a claim that was made anew is not deleted.
        uid: String,
        /// The volume that it is bound to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        volume: Option<String>,
    },
    /// Note on the StatefulSet that a path held a removed member's data, so that no volume is made there again.
    NoteUsedPath {
        /// The path.
        path: String,
        /// The nodes that it is on; none where the volume named none.
        nodes: Vec<String>,
    },
    /// Delete a volume that was made by hand and whose claim is gone. What is in it stays where it is.
    DeleteVolume {
        /// Its name.
        volume: String,
        /// Its uid.
        uid: String,
    },
    /// Let the new pod start once more, with the command that the template had before.
    RestoreCommand {
        /// The pod.
        pod: String,
        /// The command line.
        edit: Box<CommandEdit>,
        /// The record, which notes the member that has to come back.
        record: Box<Record>,
    },
    /// Tell a ConfigMap that the template reads what a new member starts with.
    PatchConfigMap {
        /// Its name.
        name: String,
        /// The keys to set.
        data: Vec<KeyEdit>,
        /// The version that the object must still be of, where a key is new to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Write what the templates of a deployment repository render, and commit it.
    CommitPatches {
        /// The files.
        files: Vec<FileEdit>,
        /// The commit's message.
        message: String,
        /// What the commit says of the StatefulSet, where it reaches the cluster without a command of this run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raise: Option<Box<Raise>>,
    },
    /// Push the commit.
    PushCommit {
        /// The branch's upstream, such as `origin/main`.
        upstream: String,
    },
    /// Start the command that brings the commit to the cluster.
    ApplyOverlay {
        /// Its words.
        command: Vec<String>,
        /// What the commit says of the StatefulSet.
        raise: Box<Raise>,
    },
    /// Make the learner a voter.
    Promote {
        /// The learner.
        member: MemberId,
        /// What it is called.
        name: String,
    },
    /// Hand leadership over.
    MoveLeader {
        /// Who leads now, and its pod.
        from: (MemberId, String),
        /// Who is to lead, and its pod.
        to: (MemberId, String),
    },
    /// Let the controller bring the template to one more pod.
    LowerPartition {
        /// The pod that is replaced; none where only the strategy is put back.
        frees: Option<String>,
        /// The update strategy before.
        from: Value,
        /// The update strategy after.
        to: Value,
    },
    /// Delete a pod, so that it comes back from the present template (where the controller does not replace it).
    DeletePod {
        /// Its name.
        pod: String,
        /// Its uid: a pod that was replaced meanwhile is not deleted.
        uid: String,
    },
    /// Note in the record that the rollout is left for later.
    DeferRollout {
        /// The record as it will stand.
        record: Box<Record>,
    },
    /// Remove the run's record.
    CloseRun,
}

/// One variable of the template to set.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvEdit {
    /// Index of the container in the template.
    pub container: usize,
    /// Index of the variable in the container; none to add it.
    pub index: Option<usize>,
    /// Whether the container has no list of variables yet.
    pub first: bool,
    /// The variable.
    pub name: String,
    /// Its value before; none where it was absent.
    pub from: Option<String>,
    /// Its value after.
    pub to: String,
}

/// One text of the container's command line to replace.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WordEdit {
    /// Index of the container in the template.
    pub container: usize,
    /// The list it stands in.
    pub part: CommandPart,
    /// Its index in that list.
    pub index: usize,
    /// The whole text before.
    pub from: String,
    /// The whole text after.
    pub to: String,
}

/// One key of a ConfigMap to set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyEdit {
    /// The key.
    pub key: String,
    /// Its value before; none where it is new.
    pub from: Option<String>,
    /// Its value after.
    pub to: String,
}

impl Change {
    /// The change's name in events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SaveSnapshot { .. } => "save-snapshot",
            Self::OpenRun { .. } => "open-run",
            Self::CreateVolume { .. } => "create-volume",
            Self::AddLearner { .. } => "add-learner",
            Self::RemoveMember { .. } => "remove-member",
            Self::PatchStatefulSet { .. } => "patch-statefulset",
            Self::TakeBack { .. } => "take-back",
            Self::DeleteClaim { .. } => "delete-claim",
            Self::NoteUsedPath { .. } => "note-used-path",
            Self::DeleteVolume { .. } => "delete-volume",
            Self::RestoreCommand { .. } => "restore-command",
            Self::PatchConfigMap { .. } => "patch-config-map",
            Self::CommitPatches { .. } => "commit-patches",
            Self::PushCommit { .. } => "push-commit",
            Self::ApplyOverlay { .. } => "apply-overlay",
            Self::Promote { .. } => "promote",
            Self::MoveLeader { .. } => "move-leader",
            Self::LowerPartition { .. } => "lower-partition",
            Self::DeletePod { .. } => "delete-pod",
            Self::DeferRollout { .. } => "defer-rollout",
            Self::CloseRun => "close-run",
        }
    }

    /// What it does, in the imperative.
    pub fn sentence(&self) -> String {
        match self {
            Self::SaveSnapshot { pod, file, revision: false } => {
                format!("Save a snapshot from {pod} to {}", file.display())
            }
            Self::SaveSnapshot { pod, file, revision: true } => {
                format!("Save a snapshot from {pod} to {}, its revision in place of {REVISION}", file.display())
            }
            Self::OpenRun { .. } => "Write down the goal on the StatefulSet".to_owned(),
            Self::CreateVolume { name, claim, .. } => format!("Make volume {name} for claim {claim}"),
            Self::AddLearner { name, .. } => format!("Add {name} as a learner"),
            Self::RemoveMember { name, member, .. } => format!("Remove member {name} ({member}) from the member list"),
            Self::TakeBack { patched } if patched.from == patched.to => "Put the update strategy back".to_owned(),
            Self::TakeBack { patched } => {
                format!(
                    "Take the StatefulSet back from {} to {} pods, and its template with it",
                    patched.to, patched.from
                )
            }
            Self::DeleteClaim { claim, volume: None, .. } => format!("DELETE claim {claim}"),
            Self::DeleteClaim { claim, volume: Some(volume), .. } => {
                format!(
                    "DELETE claim {claim}, which is bound to volume {volume}, and with it the data of the member it held"
                )
            }
            Self::NoteUsedPath { path, .. } => format!("Note that {path} held a removed member's data"),
            Self::DeleteVolume { volume, .. } => format!("DELETE volume {volume}; what is in it stays on its node"),
            Self::PatchStatefulSet { from, to, strategy: Some((_, strategy)), .. }
                if from == to && strategy_is_on_delete(strategy) =>
            {
                "Hold every pod as it is, and tell the template that a pod which starts anew joins".to_owned()
            }
            Self::PatchStatefulSet { from, to, strategy: None, .. } if from == to => {
                "Tell the template that a pod which starts anew joins".to_owned()
            }
            Self::PatchStatefulSet { from, to, strategy, .. } if from == to => {
                let guarded = strategy.as_ref().map_or(*from, |(_, to)| partition_of(to));
                format!("Guard the first {guarded} pods with the partition")
            }
            Self::PatchStatefulSet { from, to, .. } if to < from => {
                format!("Lower the StatefulSet from {from} to {to} pods")
            }
            Self::PatchStatefulSet { from, to, .. } => format!("Raise the StatefulSet from {from} to {to} pods"),
            Self::RestoreCommand { pod, .. } => format!("Give {pod} its own command back"),
            Self::PatchConfigMap { name, .. } => format!("Name the new member in ConfigMap {name}"),
            Self::CommitPatches { files, message, .. } => {
                let names: Vec<_> = files.iter().map(FileEdit::name).collect();
                format!("Commit {}: {message}", names.join(", "))
            }
            Self::PushCommit { upstream } => format!("Push the commit to {upstream}"),
            Self::ApplyOverlay { command, .. } => format!("Run {}", command.join(" ")),
            Self::Promote { name, .. } => format!("Promote {name} to a voter"),
            Self::MoveLeader { from, to } => format!("Move leadership from {} to {}", from.1, to.1),
            Self::LowerPartition { frees: Some(pod), .. } => format!("Let pod {pod} restart on the new template"),
            Self::LowerPartition { frees: None, .. } => "Put the update strategy back as it was".to_owned(),
            Self::DeletePod { pod, .. } => format!("Delete pod {pod}, so that it starts anew"),
            Self::DeferRollout { .. } => "Leave the rollout to the older members for later".to_owned(),
            Self::CloseRun => "Remove the goal from the StatefulSet".to_owned(),
        }
    }

    /// Whether it changes the cluster or what the cluster is made from, rather than only a file of the operator's.
    pub fn touches_cluster(&self) -> bool {
        !matches!(self, Self::SaveSnapshot { .. })
    }

    /// Whether it is bookkeeping that goes along with the changes that a person confirms.
    pub fn is_bookkeeping(&self) -> bool {
        matches!(self, Self::OpenRun { .. } | Self::DeferRollout { .. } | Self::NoteUsedPath { .. } | Self::CloseRun)
    }

    /// The kubectl or etcdctl command that would do the same in the cluster. What it notes in the run's own record
    /// besides is left out: a change made by hand belongs to no run.
    pub fn command(&self, observation: &Observation) -> String {
        let set = &observation.statefulset;
        let (name, namespace) = (&set.name, &set.namespace);
        let container = set.template.etcd().map_or("etcd", |(_, container)| container.name.as_str());
        let etcdctl =
            |pod: &str, rest: String| format!("kubectl exec -n {namespace} {pod} -c {container} -- etcdctl {rest}");
        let leader = observation
            .leader()
            .and_then(|id| observation.statuses.iter().find(|(_, s)| s.is_known_and(|s| s.member == id)))
            .map_or_else(|| set.pod_name(set.start), |(pod, _)| pod.clone());
        match self {
            Self::SaveSnapshot { pod, file, revision } => {
                let file = if *revision { &with_revision(file, pod, observation) } else { file };
                format!("kubectl port-forward -n {namespace} {pod} 2379 & etcdctl snapshot save {}", file.display())
            }
            Self::AddLearner { name, peer_url } => {
                etcdctl(&leader, format!("member add --learner {name} --peer-urls {peer_url}"))
            }
            Self::CommitPatches { files, message, .. } => {
                let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
                format!("git commit -m '{}' -- {}", message.replace('\'', "'\\''"), paths.join(" "))
            }
            Self::PushCommit { upstream } => {
                let (remote, branch) = upstream.split_once('/').unwrap_or((upstream, ""));
                format!("git push {remote} HEAD:{branch}")
            }
            Self::ApplyOverlay { command, .. } => command.join(" "),
            Self::RemoveMember { member, .. } => etcdctl(&leader, format!("member remove {member}")),
            Self::DeleteClaim { claim, .. } => format!("kubectl delete pvc -n {namespace} {claim}"),
            Self::DeleteVolume { volume, .. } => format!("kubectl delete pv {volume}"),
            Self::Promote { member, .. } => etcdctl(&leader, format!("member promote {member}")),
            Self::MoveLeader { from, to } => etcdctl(&from.1, format!("move-leader {}", to.0)),
            Self::DeletePod { pod, .. } => format!("kubectl delete pod -n {namespace} {pod}"),
            Self::CreateVolume { manifest, .. } => {
                format!("echo '{}' | kubectl create -f -", manifest.to_string().replace('\'', "'\\''"))
            }
            Self::PatchConfigMap { name, .. } => {
                let operations = Value::Array(patch_operations(self, observation).unwrap_or_default());
                let text = operations.to_string().replace('\'', "'\\''");
                format!("kubectl patch configmap -n {namespace} {name} --type=json -p '{text}'")
            }
            Self::OpenRun { .. }
            | Self::PatchStatefulSet { .. }
            | Self::TakeBack { .. }
            | Self::NoteUsedPath { .. }
            | Self::RestoreCommand { .. }
            | Self::LowerPartition { .. }
            | Self::DeferRollout { .. }
            | Self::CloseRun => {
                let mut operations = patch_operations(self, observation).unwrap_or_default();
                if !self.is_bookkeeping() {
                    operations.retain(|operation| operation["path"] != RUN_ANNOTATION_POINTER);
                }
                let text = Value::Array(operations).to_string().replace('\'', "'\\''");
                format!("kubectl patch statefulset -n {namespace} {name} --type=json -p '{text}'")
            }
        }
    }

    /// How to take it back.
    pub fn undo(&self) -> String {
        match self {
            Self::SaveSnapshot { .. } => "delete the file".to_owned(),
            Self::OpenRun { .. } | Self::DeferRollout { .. } | Self::NoteUsedPath { .. } | Self::CloseRun => {
                "nothing to take back".to_owned()
            }
            Self::RemoveMember { .. } => {
                "a removed member never comes back under its id; its place is filled by a new one".to_owned()
            }
            Self::TakeBack { .. } => "run the scale-up again".to_owned(),
            Self::DeleteClaim { .. } => "NONE: with its claim a provisioned volume goes, and the data in it".to_owned(),
            Self::DeleteVolume { .. } => "make it anew; its data stays on its node".to_owned(),
            Self::CreateVolume { name, .. } => {
                format!("kubectl delete pv {name}, as long as no claim is bound to it")
            }
            Self::AddLearner { .. } => {
                "`etcdctl member remove` with the new member's id; a learner counts for no quorum".to_owned()
            }
            Self::PatchStatefulSet { from, to, .. } if from == to => "put the update strategy back".to_owned(),
            Self::PatchConfigMap { .. } => "set the keys back to their old values, and remove new ones".to_owned(),
            Self::PatchStatefulSet { from, to, .. } if to < from => {
                format!("grow to {from} again; the member that went does not come back")
            }
            Self::PatchStatefulSet { from, .. } => {
                format!("remove the new member, then set replicas back to {from} and the variables to their old values")
            }
            Self::CommitPatches { .. } => "git revert HEAD, before it is applied".to_owned(),
            Self::PushCommit { .. } => "revert the commit and push that".to_owned(),
            Self::ApplyOverlay { .. } => {
                "remove the new member, revert the commit and apply that; the guard keeps the old pods meanwhile"
                    .to_owned()
            }
            Self::Promote { .. } => "a voter can only be removed again, by scaling down".to_owned(),
            Self::MoveLeader { .. } => "move leadership back the same way".to_owned(),
            Self::RestoreCommand { .. } | Self::LowerPartition { .. } | Self::DeletePod { .. } => {
                "none needed: the pod comes back with what its claims hold".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_in_json_is_the_name_in_events() {
        let changes = [
            Change::SaveSnapshot { pod: "a-0".into(), file: "x".into(), revision: true },
            Change::AddLearner { name: "a-1".into(), peer_url: "http://a-1:2380".into() },
            Change::PatchStatefulSet {
                from: 1,
                to: 2,
                env: Vec::new(),
                words: Vec::new(),
                command: None,
                strategy: None,
            },
            Change::CreateVolume { name: "v-1".into(), claim: "c-1".into(), manifest: Value::Null },
            Change::PatchConfigMap { name: "m".into(), data: Vec::new(), version: None },
            Change::CommitPatches { files: Vec::new(), message: "m".into(), raise: None },
            Change::PushCommit { upstream: "origin/main".into() },
            Change::Promote { member: MemberId(1), name: "a-1".into() },
            Change::MoveLeader { from: (MemberId(1), "a-0".into()), to: (MemberId(2), "a-1".into()) },
            Change::LowerPartition { frees: None, from: Value::Null, to: Value::Null },
            Change::DeletePod { pod: "a-0".into(), uid: "u".into() },
            Change::RemoveMember { member: MemberId(1), name: "a-1".into(), pod: "a-1".into() },
            Change::TakeBack { patched: Box::default() },
            Change::DeleteClaim { claim: "data-a-1".into(), uid: "u".into(), volume: None },
            Change::NoteUsedPath { path: "/data".into(), nodes: Vec::new() },
            Change::DeleteVolume { volume: "v-1".into(), uid: "u".into() },
            Change::CloseRun,
        ];
        for change in changes {
            let json = serde_json::to_value(&change).unwrap();
            assert_eq!(json["kind"], change.name());
            assert_eq!(serde_json::from_value::<Change>(json).unwrap(), change);
        }
    }
}
