//! The steps of the runbook, one file each, all pure.

mod add_learner;
mod apply_overlay;
mod await_command;
mod commit_patches;
mod config_file;
mod create_volume;
mod deployment;
mod guard;
mod hashes;
mod keys;
mod last_words;
mod patch_statefulset;
mod precheck;
mod promote;
mod reconnect;
mod restore_command;
mod settle_rollout;
mod snapshot;
mod verify;
mod versions;
mod wait_join;

pub use add_learner::AddLearner;
pub use apply_overlay::ApplyOverlay;
pub use await_command::AwaitCommand;
pub use commit_patches::CommitPatches;
pub use create_volume::CreateVolume;
pub use guard::Guard;
pub use hashes::{Hashes, compare_hashes};
pub use patch_statefulset::{PatchStatefulSet, not_etcd};
pub use precheck::Precheck;
pub use promote::Promote;
pub use restore_command::RestoreCommand;
pub use settle_rollout::SettleRollout;
pub use snapshot::{Snapshot, snapshot_source};
pub use verify::Verify;
pub use wait_join::WaitJoin;

use crate::model::{Change, Fact, Goal, MemberId, Observation, healthy_for_change};
use crate::runbook::{Proposal, Step, Verdict, Wait, Wake};

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

/// Whether every voter the run began with is there and healthy, as each change of the membership wants it: the wait for
/// it, where not.
fn voters_to_be_healthy(observation: &Observation, goal: &Goal) -> Option<Verdict> {
    let mut facts = healthy_for_change(observation, None);
    let members = observation.members.known().filter(|members| members.by_quorum);
    if let Some(voters) =
        members.map(|members| members.voters().count()).filter(|voters| i32::try_from(*voters) != Ok(goal.from))
    {
        facts.push(Fact::new(
            format!("the member list has {voters} voters, and the run began with {}", goal.from),
            "somebody changed the membership meanwhile; look with `etcd-scale status`",
        ));
    }
    let fact = facts.into_iter().next()?;
    Some(Verdict::Wait(Wait {
        until: "every voter to be healthy".to_owned(),
        seen: fact.fact,
        progress: None,
        limit: goal.timeout,
        wake: Wake::Members,
        way_out: fact.advice,
    }))
}

/// Leadership goes before the leader's pod does.
fn hand_over(from: (MemberId, &str), to: (MemberId, &str)) -> Verdict {
    Verdict::Change(Proposal {
        change: Change::MoveLeader { from: (from.0, from.1.to_owned()), to: (to.0, to.1.to_owned()) },
        reason: "the leader's pod is to be restarted; handing over takes milliseconds, an election takes a second"
            .to_owned(),
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
        Box::new(RestoreCommand),
        Box::new(Promote),
        Box::new(Verify),
        Box::new(SettleRollout),
        Box::new(Verify),
    ]
}

/// The steps of `up` through a deployment repository.
pub fn up_by_commit() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(Precheck),
        Box::new(Snapshot),
        Box::new(CreateVolume),
        Box::new(AddLearner),
        Box::new(Guard),
        Box::new(CommitPatches),
        Box::new(ApplyOverlay),
        Box::new(WaitJoin),
        Box::new(Promote),
        Box::new(Verify),
        Box::new(AwaitCommand),
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
