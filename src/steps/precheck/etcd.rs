//! Checks of the members, their versions and their databases.

use std::collections::BTreeSet;

use super::{Check, Context};
use crate::model::{
    Container, Observation, RolloutPolicy, Verb, Victim, healthy_for_change, healthy_without, new_peer_url,
    quorum_after_losing_one, serves,
};
use crate::runbook::{Finding, Level};
use crate::steps::versions::{cannot_promote_beside_one, parse, traps};

/// The quota where neither flag, variable nor server tells one: etcd's default, 2 GiB.
const DEFAULT_QUOTA: u64 = 2 * 1024 * 1024 * 1024;

pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    if context.observation.statefulset.template.etcd().is_none() || context.goal.verb == Verb::Abort {
        return all;
    }
    // A resumed run may find its own learner, or a member that is restarting: its steps wait for those.
    if !context.resumes() {
        all.extend(members(context));
    }
    if context.grows() && !context.resumes() {
        all.extend(peer_urls(context));
    }
    if context.goal.verb == Verb::Settle {
        all.extend(rollout(context));
    }
    all.extend(versions(context));
    all.extend(database(context.observation));
    all
}

fn members(context: Context<'_>) -> Vec<Finding> {
    let mut check = Check::new("members");
    let leaving = context.leaving();
    let facts = match leaving {
        Some(ordinal) => healthy_without(context.observation, ordinal),
        None => healthy_for_change(context.observation, None),
    };
    for fact in facts {
        check.refuse(fact.fact, fact.advice);
    }
    let members = context.observation.members.known();
    let voters = members.map_or(0, |members| members.voters().count());
    let pods = usize::try_from(context.observation.statefulset.replicas).unwrap_or_default();
    let member = leaving.and_then(|ordinal| context.observation.member_of_ordinal(ordinal));
    // One that was removed by hand is gone already.
    let gone = usize::from(leaving.is_some() && member.is_none());
    if let Some(member) = member.filter(|_| context.goal.verb == Verb::Replace && context.goal.victim == Victim::Broken)
        && serves(context.observation, member)
    {
        check.refuse(
            format!("{} is healthy", member.called()),
            match voters.saturating_sub(1) {
                others if quorum_after_losing_one(others) => {
                    "replace it only where you know better: --force; the cluster bears one loss less meanwhile"
                }
                _ => "replace it only where you know better: --force; the cluster bears no loss meanwhile",
            },
        );
    }
    if members.is_some() && voters + gone != pods {
        check.refuse(
            format!("the member list has {voters} voters and the StatefulSet asks for {pods} pods"),
            "members and pods must match before the size is changed; see `etcd-scale status`",
        );
    }
    if leaving.is_some() {
        return check.end(match voters.saturating_sub(1 - gone) {
            1 => "1 other voter, started and healthy".to_owned(),
            others => format!("{others} other voters, all started and healthy"),
        });
    }
    check.end(format!("{voters} voters, all started and healthy, one leader, one cluster, no learner, no alarm"))
}

fn peer_urls(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let set = &observation.statefulset;
    let mut check = Check::new("peer-url");
    let Some(members) = observation.members.known() else { return Vec::new() };
    for round in context.goal.rounds() {
        match new_peer_url(&members.list, &set.name, round.ordinal(set.start)) {
            Err(error) => check.refuse(error.to_string(), "members must be named after their pods"),
            Ok(url) => {
                if let Some(member) = members.by_peer_url(&url) {
                    let advice = if member.is_started_voter() {
                        format!(
                            "bring its pod back: kubectl scale statefulset -n {} {} --replicas={}",
                            set.namespace,
                            set.name,
                            members.voters().count()
                        )
                    } else {
                        format!("remove what is left of it with `etcdctl member remove {}`", member.id)
                    };
                    check.refuse(format!("{url} is in the member list already, as {}", member.id), advice);
                } else {
                    check.ok(format!("the new member will be {url}"));
                }
            }
        }
    }
    check.end("")
}

/// Settling restarts members, which needs a quorum without each of them.
fn rollout(context: Context<'_>) -> Vec<Finding> {
    let mut check = Check::new("quorum");
    let voters = usize::try_from(context.goal.to).unwrap_or_default();
    if context.goal.rollout == RolloutPolicy::Guarded && !quorum_after_losing_one(voters) {
        let set = &context.observation.statefulset;
        check.refuse(
            format!("with {voters} voters no quorum is left while one of them restarts"),
            format!(
                "grow to three first (etcd-scale up --to 3 --sts {} -n {}), or accept the gap with --rollout now",
                set.name, set.namespace
            ),
        );
    }
    check.end(format!("{voters} voters keep a quorum while one restarts"))
}

fn versions(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let mut check = Check::new("version");
    let versions: BTreeSet<&str> = observation
        .statuses
        .values()
        .filter_map(|status| status.known())
        .map(|status| status.version.as_str())
        .collect();
    let list: Vec<_> = versions.iter().copied().collect();
    let minors: BTreeSet<_> = versions.iter().map(|v| parse(v).map(|(major, minor, _)| (major, minor))).collect();
    if minors.len() > 1 {
        check.refuse(format!("the members run different versions: {}", list.join(", ")), "finish the upgrade first");
    } else if versions.len() > 1 {
        check.advise(
            format!("the members run different patches: {}", list.join(", ")),
            "key-value hashes may differ between them without harm (etcd-io/etcd#18274)",
        );
    }
    for version in &list {
        if context.goal.from == 1 && cannot_promote_beside_one(version) {
            check.refuse(
                format!("etcd {version} cannot promote a learner beside a single member (etcd-io/etcd#11640)"),
                "upgrade to 3.4.4 or later first",
            );
        }
        for trap in traps(version) {
            check.add(Level::Advice, format!("etcd {version}: {trap}"), None);
        }
    }
    check.end(format!("etcd {}", list.join(", ")))
}

fn database(observation: &Observation) -> Vec<Finding> {
    let mut check = Check::new("database");
    let configured = observation.statefulset.template.etcd().and_then(|(_, container)| quota_of(container));
    let mut largest = 0;
    for (pod, status) in &observation.statuses {
        let Some(status) = status.known() else { continue };
        largest = largest.max(status.db_size);
        let quota = status.db_quota.or(configured).unwrap_or(DEFAULT_QUOTA);
        // In hundredths: beyond 95 the transfer to the new member may end in a NOSPACE alarm.
        let share = u128::from(status.db_size) * 100 / u128::from(quota.max(1));
        let fact = format!("{pod}'s database takes {share} % of its quota ({} of {quota} bytes)", status.db_size);
        if share >= 95 {
            check.refuse(fact, "compact and defragment first, or raise the quota");
        } else if share >= 80 {
            check.advise(fact, "compact and defragment soon, or raise the quota");
        }
    }
    check.end(format!("{:.1} MB, well within quota", bytes_as_mb(largest)))
}

fn quota_of(container: &Container) -> Option<u64> {
    container
        .flag("quota-backend-bytes")
        .or_else(|| container.literal("ETCD_QUOTA_BACKEND_BYTES").map(str::to_owned))
        .and_then(|quota| quota.parse().ok())
        .filter(|quota| *quota > 0)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people, to one decimal")]
fn bytes_as_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
