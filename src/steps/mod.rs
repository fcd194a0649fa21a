//! The steps of the runbook, one file each, all pure.

mod add_learner;
mod apply_overlay;
mod await_command;
mod clear_claims;
mod commit_patches;
mod config_file;
mod create_volume;
mod deployment;
mod edits;
mod guard;
mod hand_over;
mod hashes;
mod hold_pods;
mod keys;
mod last_words;
mod patch_statefulset;
mod precheck;
mod promote;
mod reconnect;
mod remove_member;
mod renew_pod;
mod restore_command;
mod round;
mod settle_rollout;
mod shrink_statefulset;
mod snapshot;
mod take_back;
mod verify;
mod versions;
mod wait_join;
mod wait_leave;

pub use add_learner::AddLearner;
pub use apply_overlay::ApplyOverlay;
pub use await_command::AwaitCommand;
pub use clear_claims::ClearClaims;
pub use commit_patches::CommitPatches;
pub use create_volume::CreateVolume;
pub use guard::Guard;
pub use hashes::{Hashes, compare_hashes};
pub use hold_pods::HoldPods;
pub use patch_statefulset::{PatchStatefulSet, not_etcd};
pub use precheck::Precheck;
pub use promote::Promote;
pub use remove_member::RemoveMember;
pub use renew_pod::RenewPod;
pub use restore_command::RestoreCommand;
pub use settle_rollout::SettleRollout;
pub use shrink_statefulset::ShrinkStatefulSet;
pub use snapshot::{Snapshot, snapshot_source};
pub use take_back::TakeBack;
pub use verify::Verify;
pub use wait_join::WaitJoin;
pub use wait_leave::WaitLeave;

use crate::model::{Fact, Goal, Observation, Verb, healthy_for_change, round_of};
use crate::runbook::{Step, Verdict, Wait, Wake};
use round::Round;

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
    if let Some(voters) = members
        .map(|members| members.voters().count())
        .filter(|voters| i32::try_from(*voters) != Ok(goal.voters_before()))
    {
        facts.push(Fact::new(
            format!("the member list has {voters} voters, and {} are expected", goal.voters_before()),
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

/// The steps to a goal, in order. Of several rounds those that are over already are left out.
pub fn towards(goal: &Goal, observation: &Observation) -> Vec<Box<dyn Step>> {
    let written = observation.statefulset.readable_record().filter(|record| !record.deferred);
    let record = written.filter(|record| record.verb == goal.verb && record.from == goal.from && record.to == goal.to);
    let under_way = record.and_then(|record| round_of(observation, &record)).map(|(_, to)| to);
    let ahead = |to: &i32| under_way.is_none_or(|first| if goal.to > goal.from { *to >= first } else { *to <= first });
    let sizes: Vec<i32> = goal.rounds().iter().map(|round| round.to).filter(ahead).collect();
    of(goal.verb, goal.gitops.is_some(), &sizes)
}

/// The names of all steps that a verb may take, in order.
pub fn names(verb: Verb, by_commit: bool) -> Vec<&'static str> {
    of(verb, by_commit, &[0]).iter().map(|step| step.name()).collect()
}

fn of(verb: Verb, by_commit: bool, sizes: &[i32]) -> Vec<Box<dyn Step>> {
    match verb {
        Verb::Up if by_commit => up_by_commit(),
        Verb::Up => up(sizes),
        Verb::Down => down(sizes),
        Verb::Replace => replace(),
        Verb::Abort => abort(),
        Verb::Settle => settle(),
        Verb::Check => check(),
        Verb::Verify => verify(),
    }
}

fn in_rounds(sizes: &[i32], steps: fn() -> Vec<Box<dyn Step>>) -> impl Iterator<Item = Box<dyn Step>> {
    sizes.iter().flat_map(move |to| steps().into_iter().map(|step| Box::new(Round { to: *to, step }) as Box<dyn Step>))
}

/// The steps of `up`, a round for each size on the way.
pub fn up(sizes: &[i32]) -> Vec<Box<dyn Step>> {
    let round = || -> Vec<Box<dyn Step>> {
        vec![
            Box::new(ClearClaims),
            Box::new(CreateVolume),
            Box::new(AddLearner),
            Box::new(PatchStatefulSet),
            Box::new(WaitJoin),
            Box::new(RestoreCommand),
            Box::new(Promote),
            Box::new(Verify),
        ]
    };
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(Precheck), Box::new(Snapshot)];
    steps.extend(in_rounds(sizes, round));
    steps.push(Box::new(SettleRollout));
    steps.push(Box::new(Verify));
    steps
}

/// The steps of `down`, a round for each size on the way.
pub fn down(sizes: &[i32]) -> Vec<Box<dyn Step>> {
    let round = || -> Vec<Box<dyn Step>> {
        vec![
            Box::new(RemoveMember { broken_only: false }),
            Box::new(ShrinkStatefulSet),
            Box::new(WaitLeave),
            Box::new(Verify),
        ]
    };
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(Precheck), Box::new(Snapshot)];
    steps.extend(in_rounds(sizes, round));
    steps.push(Box::new(ClearClaims));
    steps.push(Box::new(SettleRollout));
    steps.push(Box::new(Verify));
    steps
}

/// The steps of `replace`.
pub fn replace() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(Precheck),
        Box::new(RemoveMember { broken_only: true }),
        Box::new(Snapshot),
        Box::new(RemoveMember { broken_only: false }),
        Box::new(HoldPods),
        Box::new(RenewPod),
        Box::new(CreateVolume),
        Box::new(AddLearner),
        Box::new(WaitJoin),
        Box::new(Promote),
        Box::new(Verify),
        Box::new(SettleRollout),
        Box::new(Verify),
    ]
}

/// The steps of `abort`.
pub fn abort() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(Precheck),
        Box::new(RemoveMember { broken_only: false }),
        Box::new(TakeBack),
        Box::new(WaitLeave),
        Box::new(ClearClaims),
        Box::new(SettleRollout),
        Box::new(Verify),
    ]
}

/// The steps of `up` through a deployment repository.
pub fn up_by_commit() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(Precheck),
        Box::new(Snapshot),
        Box::new(ClearClaims),
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
