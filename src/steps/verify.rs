//! `verify`: proof from the members themselves that the cluster is whole.

use std::time::Duration;

use super::hashes::{Hashes, compare_hashes, compare_with_first};
use super::keys::{UNTIL_KNOWN, compare_keys};
use crate::model::{Fact, Goal, Member, Observation, Rollout, Verb, mend_or_replace, ordinal_of, replacing_the_lost};
use crate::runbook::{Done, Finding, Level, Refusal, Step, Trail, Verdict, Wait, Wake};

/// A compaction in between is no fault: hashes are tried again at least this long.
const COMPARABLE: Duration = Duration::from_secs(30);

/// Proves that the cluster is whole.
pub struct Verify;

impl Step for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn purpose(&self) -> &'static str {
        "prove that members, pods and data are as they should be"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        if let Some(alarm) = observation.alarms.known().and_then(|alarms| alarms.first()) {
            return Verdict::Refuse(Refusal::because(
                format!("alarm {} is raised by member {}", alarm.kind, alarm.member),
                "see `etcdctl alarm list`",
            ));
        }
        if let Some((seen, wake)) = first_shortfall(observation, goal) {
            if goal.verb == Verb::Verify && goal.timeout.is_zero() {
                let mend = "mend it, or finish what is under way: `etcd-scale status` shows how";
                let advice = replacing_the_lost(observation).unwrap_or_else(|| mend.to_owned());
                return Verdict::Refuse(Refusal::because(seen, advice));
            }
            return Verdict::Wait(Wait {
                until: "every member and pod to be healthy".to_owned(),
                seen,
                progress: None,
                limit: goal.timeout,
                wake,
                way_out: mend_or_replace(observation, "mend what is named and run the same command again"),
            });
        }
        let hashes = compare_hashes(observation, goal.hash);
        if let Hashes::Ask(question) = hashes {
            return Verdict::Look(question);
        }
        // Keys compare also where hashes do not for having been compacted at different revisions.
        if let Some(seen) = hashes.trouble()
            && !(goal.deep && matches!(hashes, Hashes::Compacted))
        {
            return Verdict::Wait(Wait {
                until: "hashes that can be compared".to_owned(),
                seen,
                progress: None,
                limit: goal.timeout.max(COMPARABLE),
                wake: Wake::Members,
                way_out: "compare again when the cluster is quieter: etcd-scale verify".to_owned(),
            });
        }
        let mut proof = hashes.phrase().unwrap_or_default();
        let mut difference = hashes.difference();
        if goal.adds()
            && goal.verb != Verb::Check
            && let Hashes::Equal { .. } = hashes
        {
            let set = &observation.statefulset;
            let ordinal = goal.ordinal(set.start);
            if let Some(member) = observation.member_of_ordinal(ordinal) {
                let since = compare_with_first(observation, member.id, &set.pod_name(ordinal));
                if let Hashes::Ask(question) = since {
                    return Verdict::Look(question);
                }
                if let Hashes::Equal { revision, .. } = since {
                    proof = format!("{proof}, and the new member's at revision {revision} as before the run");
                }
                difference = difference.or(since.difference());
            }
        }
        let keys = match goal.deep.then(|| compare_keys(observation)) {
            Some(Err(question)) => return Verdict::Look(question),
            Some(Ok(keys)) => keys,
            None => Vec::new(),
        };
        if let Some((fact, advice)) = &difference
            && !goal.deep
        {
            return Verdict::Refuse(Refusal::because(fact, advice));
        }
        let members = usize::try_from(goal.to).unwrap_or_default();
        let finding = |id: &str, found: String| Finding { id: id.to_owned(), level: Level::Ok, found, advice: None };
        let mut findings = vec![
            finding("members", format!("{members} members, all started, all voters by their own account")),
            finding("endpoints", format!("{members} of {members} serve linearizable reads")),
            finding("pods", format!("{members} of {members} pods ready with all their containers")),
        ];
        findings.push(match difference {
            Some((found, _)) => Finding { level: Level::Refused, ..finding("hashes", found) },
            None => finding("hashes", proof),
        });
        let data = match &hashes {
            _ if !keys.is_empty() => "data equal",
            Hashes::Equal { not_hashed, .. } if not_hashed.is_empty() => "data equal",
            Hashes::Equal { .. } => "data equal where hashed",
            _ => "data not compared",
        };
        findings.extend(keys);
        if findings.iter().any(|finding| finding.level == Level::Refused) {
            return Verdict::Refuse(refusal(findings));
        }
        Verdict::Done(Done { findings, proof: format!("{members} voters healthy, {members} pods ready, {data}") })
    }
}

/// A refusal for those findings that stand in the way.
fn refusal(findings: Vec<Finding>) -> Refusal {
    let facts = findings.iter().filter(|finding| finding.level == Level::Refused);
    let facts = facts.map(|finding| Fact::new(&finding.found, finding.advice.as_deref().unwrap_or(UNTIL_KNOWN)));
    Refusal { facts: facts.collect(), findings }
}

/// The first thing that is not as it should be, and what will show that it has changed.
pub(super) fn first_shortfall(observation: &Observation, goal: &Goal) -> Option<(String, Wake)> {
    let Some(members) = observation.members.known() else {
        let reason = observation.members.reason().unwrap_or_default();
        return Some((format!("the member list could not be read: {reason}"), Wake::Members));
    };
    if !members.by_quorum {
        return Some(("the cluster has no quorum".to_owned(), Wake::Members));
    }
    let wanted = usize::try_from(goal.to).unwrap_or_default();
    if members.list.len() != wanted {
        return Some((format!("{} members, {wanted} wanted", members.list.len()), Wake::Members));
    }
    if let Some(member) = members.list.iter().find(|member| !member.is_started_voter()) {
        return Some((format!("{} is no started voter", member.called()), Wake::Members));
    }
    for member in &members.list {
        if let Some(seen) = member_shortfall(observation, member) {
            return Some((seen, what_brings_back(observation, member)));
        }
    }
    if observation.leader().is_none() {
        return Some(("the members do not agree on a leader".to_owned(), Wake::Members));
    }
    if let Some(reason) = observation.alarms.reason() {
        return Some((format!("the alarms could not be read: {reason}"), Wake::Members));
    }
    Rollout::unrest(observation).into_iter().next().map(|seen| (seen, Wake::Kubernetes))
}

/// A member whose pod is gone, going or coming has nobody to ask: its pod's next event is waited for.
fn what_brings_back(observation: &Observation, member: &Member) -> Wake {
    let set = &observation.statefulset;
    let container = set.template.etcd().map(|(_, container)| container.name.as_str());
    let waits_for_pod = match observation.pod_of(member) {
        Some(pod) => {
            let state = container.and_then(|container| pod.container(container));
            pod.terminating || state.is_some_and(|state| !state.running)
        }
        None => member.peer_urls.iter().any(|url| ordinal_of(url, &set.name).is_some()),
    };
    if waits_for_pod { Wake::Kubernetes } else { Wake::Members }
}

fn member_shortfall(observation: &Observation, member: &Member) -> Option<String> {
    let Some(status) = observation.status_of(member.id) else {
        return Some(format!("{}: {}", member.called(), observation.status_missing(member)));
    };
    if status.learner {
        return Some(format!("{} still believes itself a learner", member.called()));
    }
    if let Some(reason) = status.healthy.reason() {
        return Some(format!("{} serves no reads: {reason}", member.called()));
    }
    let ours = observation.members.known().map(|members| members.cluster);
    if ours != Some(status.cluster) {
        return Some(format!("{} is in another cluster, {}", member.called(), status.cluster));
    }
    status.errors.first().map(|error| format!("{} reports: {error}", member.called()))
}
