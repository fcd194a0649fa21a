//! The DiskPools of Mayastor and Puls8, whose configuration the etcd keeps: none should be in trouble meanwhile.

use super::{Check, Context};
use crate::model::{Answer, Question};
use crate::runbook::Finding;

/// The question to ask, where it has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    let wanted = context.adds() && !context.resumes();
    Some(Question::DiskPools).filter(|question| wanted && context.observation.answer(question).is_none())
}

/// Nothing is said where the cluster has no such resource.
pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let Some(Answer::DiskPools(pools)) = context.observation.answer(&Question::DiskPools) else { return Vec::new() };
    let mut check = Check::new("disk-pools");
    let pools = match pools.known() {
        Some(None) => return Vec::new(),
        Some(Some(pools)) => pools,
        None => {
            check.unknown("the DiskPools", pools.reason());
            return check.end("");
        }
    };
    for pool in pools.iter().filter(|pool| pool.status != "Online") {
        let status = if pool.status.is_empty() { "says nothing of its state" } else { &pool.status };
        let fact = format!("DiskPool {} on node {} is not Online: {status}", pool.name, pool.node);
        if context.goal.ignore_diskpools {
            check.advise(fact, "mend it; the new member does not help it");
        } else {
            check.refuse(fact, "mend it first, or go on all the same with --ignore-diskpools");
        }
    }
    let names: Vec<_> = pools.iter().map(|pool| pool.name.as_str()).collect();
    check.end(if names.is_empty() {
        "there are none in the namespace".to_owned()
    } else {
        format!("{} Online: {}", names.len(), names.join(", "))
    })
}
