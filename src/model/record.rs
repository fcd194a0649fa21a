//! The run's record: the annotation by which a cut-off run is finished from anywhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ClaimPolicy, Goal, HashPolicy, Join, MOST_MEMBERS, MemberId, Observation, Patched, Replaced, RolloutPolicy,
    SizeEnv, StatefulSet, Verb, volumes_to_make,
};

/// The form of the record that this version writes.
pub const RECORD_VERSION: u32 = 1;

/// What a run writes on the StatefulSet before its first change, and removes with its last call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// Id of the run; every patch tests it, so that only the last writer goes on.
    pub run: String,
    /// What the run was asked to do.
    pub verb: Verb,
    /// Pods before the run.
    pub from: i32,
    /// Pods asked for.
    pub to: i32,
    /// How old members get the new template.
    pub rollout: RolloutPolicy,
    /// Which members may be hashed.
    pub hash: HashPolicy,
    /// Which variable follows the size.
    pub size_env: SizeEnv,
    /// The whole update strategy as it was before the first guard; null where it was absent.
    pub strategy: Value,
    /// Whether the rollout was left for later on purpose.
    #[serde(default)]
    pub deferred: bool,
    /// Who started it: `user@host`.
    pub by: String,
    /// Who wrote this, which is another one where a run was taken up.
    pub at_work: String,
    /// Whether it goes on although a GitOps controller reconciles the StatefulSet.
    #[serde(default)]
    pub ignore_reconciler: bool,
    /// When it was started, by that machine's clock, in RFC 3339. For people only.
    pub started: String,
    /// The snapshot taken before the first change, as `host:path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Whether it goes on although a DiskPool is not online.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_diskpools: bool,
    /// What the operator's own volume should look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_template: Option<Value>,
    /// Names of the volumes that the run makes. Written before they are, so that none is ever taken for another's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// How the new member joins.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub join: Join,
    /// The learner whose pod got its own command back, where it was started without. Written with the same patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<MemberId>,
    /// The overlay of a deployment repository through which the run goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// What becomes of claims that are left over.
    #[serde(default, skip_serializing_if = "ClaimPolicy::is_keep")]
    pub claims: ClaimPolicy,
    /// What is replaced, as it stood when the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// What the last patch of this run has changed, by which it is taken back. Written with the same patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patched: Option<Patched>,
}

fn is_plain(join: &Join) -> bool {
    *join == Join::Learner
}

impl Record {
    /// Reads an annotation.
    ///
    /// # Errors
    /// When it is not a record of a version that this program knows.
    pub fn parse(annotation: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(annotation).map_err(|error| format!("it is not JSON: {error}"))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(RECORD_VERSION) => {}
            Some(version) => return Err(format!("it has version {version}, this program knows {RECORD_VERSION}")),
            None => return Err("it has no version".to_owned()),
        }
        let record: Self = serde_json::from_value(value).map_err(|error| format!("it cannot be read: {error}"))?;
        let patched = record.patched.iter().flat_map(|patched| [patched.from, patched.to]);
        match patched.chain([record.from, record.to]).find(|size| !(0..=MOST_MEMBERS).contains(size)) {
            Some(size) => Err(format!("it speaks of {size} members")),
            None => Ok(record),
        }
    }

    /// The command that finishes its run. It says how far, so that it does no more when it is given twice.
    pub fn command(&self, set: &StatefulSet) -> String {
        let more = match (self.verb, &self.replaced) {
            (Verb::Replace, Some(replaced)) => format!(" {}", set.pod_name(replaced.ordinal)),
            (Verb::Up | Verb::Down, _) => format!(" --to {}", self.to),
            _ => String::new(),
        };
        set.command(self.verb.word()) + &more
    }

    /// The record of a goal's own run, or of the one that it takes up.
    pub fn of_run(goal: &Goal, observation: &Observation) -> Option<Self> {
        let written = observation.statefulset.readable_record().filter(|record| record.run == goal.run);
        written.or_else(|| goal.resumed.clone())
    }

    /// What the goal replaces: as it was written down, else as it stands.
    pub fn replaced(goal: &Goal, observation: &Observation) -> Option<Replaced> {
        let written = Self::of_run(goal, observation).and_then(|record| record.replaced);
        written.or_else(|| goal.replaces.map(|ordinal| Replaced::of(observation, ordinal)))
    }

    /// The annotation's text.
    pub fn to_annotation(&self) -> String {
        // A struct of strings, numbers and a JSON value always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Record {
    /// The record of a run that is about to make its first change. A run that finishes another's work keeps what that
    /// one wrote down, but for the run id and what it was told otherwise: the last writer is the one that goes on.
    pub fn opening(goal: &Goal, observation: &Observation, snapshot: Option<String>) -> Self {
        let first = goal.resumed.as_ref();
        Self {
            version: RECORD_VERSION,
            run: goal.run.clone(),
            verb: goal.verb,
            from: goal.from,
            to: goal.to,
            rollout: goal.rollout,
            hash: goal.hash,
            size_env: goal.size_env.clone(),
            strategy: goal.strategy_to_restore(observation),
            deferred: false,
            by: first.map_or_else(|| goal.operator.clone(), |record| record.by.clone()),
            at_work: goal.operator.clone(),
            ignore_reconciler: goal.ignore_reconciler,
            started: first.map_or_else(|| goal.started.clone(), |record| record.started.clone()),
            snapshot: snapshot.or_else(|| first.and_then(|record| record.snapshot.clone())),
            ignore_diskpools: goal.ignore_diskpools,
            volume_template: goal.volume_template.clone(),
            volumes: first
                .map(|record| record.volumes.clone())
                .filter(|volumes| !volumes.is_empty())
                .unwrap_or_else(|| volumes_to_make(observation, goal)),
            // What forbids a way to join is refused before anything is written.
            join: first.map_or_else(|| Join::of(observation, goal).unwrap_or_default(), |record| record.join.clone()),
            restored: first.and_then(|record| record.restored),
            overlay: goal
                .gitops
                .as_ref()
                .map(|gitops| gitops.overlay.clone())
                .or_else(|| first.and_then(|record| record.overlay.clone())),
            claims: goal.claims,
            replaced: Self::replaced(goal, observation),
            patched: first.and_then(|record| record.patched.clone()),
        }
    }
}
