//! The steps of the runbook, one file each, all pure.

mod add_learner;
mod create_volume;
mod hashes;
mod patch_statefulset;
mod precheck;
mod promote;
mod settle_rollout;
mod snapshot;
mod verify;
mod versions;
mod wait_join;

pub use add_learner::AddLearner;
pub use create_volume::CreateVolume;
pub use hashes::{Hashes, compare_hashes};
pub use patch_statefulset::{PatchStatefulSet, not_etcd};
pub use precheck::Precheck;
pub use promote::Promote;
pub use settle_rollout::SettleRollout;
pub use snapshot::{Snapshot, snapshot_source};
pub use verify::Verify;
pub use wait_join::WaitJoin;

use crate::model::{Goal, Observation};
use crate::runbook::{Step, Verdict, Wait, Wake};

/// Without a list that a quorum stands behind there is nothing to judge membership by.
fn members_to_answer(observation: &Observation, goal: &Goal) -> Verdict {
    Verdict::Wait(Wait {
        until: "the members to answer".to_owned(),
        seen: observation.members.reason().unwrap_or("no quorum").to_owned(),
        progress: None,
        limit: goal.timeout,
        wake: Wake::Members,
        way_out: "see which members are missing with `etcd-scale status`".to_owned(),
    })
}

/// The steps of `up`.
pub fn up() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(Precheck),
        Box::new(Snapshot),
        Box::new(CreateVolume),
        Box::new(AddLearner),
        Box::new(PatchStatefulSet),
        Box::new(WaitJoin),
        Box::new(Promote),
        Box::new(Verify),
        Box::new(SettleRollout),
        Box::new(Verify),
    ]
}

/// The steps of `settle`.
pub fn settle() -> Vec<Box<dyn Step>> {
    vec![Box::new(Precheck), Box::new(SettleRollout), Box::new(Verify)]
}

/// The steps of `check`.
pub fn check() -> Vec<Box<dyn Step>> {
    vec![Box::new(Precheck)]
}

/// The steps of `verify`.
pub fn verify() -> Vec<Box<dyn Step>> {
    vec![Box::new(Verify)]
}
