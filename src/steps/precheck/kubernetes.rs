//! Checks of the StatefulSet, its pods, claims, Service and nodes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Context, disk_pools, volumes};
use crate::model::{
    ClaimPolicy, ConfigFile, DataDir, Delivery, Join, Member, PeerList, Pod, Question, Rollout, RolloutPolicy, Source,
    StateVariable, Verb, VolumeKind, partition_of, peers_in, strategy_is_on_delete,
};
use crate::runbook::Finding;
use crate::steps::edits::{Obstacle, template_edits};
use crate::steps::not_etcd;

pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(statefulset(context));
    all.extend(reconciler(context));
    if context.goal.verb == Verb::Abort {
        return all;
    }
    if !context.resumes() {
        all.extend(at_rest(context));
    }
    all.extend(data_dir(context));
    if (context.adds() || context.removes()) && !context.resumes() {
        all.extend(template(context));
    }
    if context.grows() && !context.resumes() {
        all.extend(claims(context));
    }
    if context.goal.verb == Verb::Replace && !context.resumes() {
        all.extend(claims_to_renew(context));
    }
    if context.adds() && !context.resumes() {
        all.extend(volumes::checks(context));
        all.extend(disk_pools::checks(context));
    }
    if context.adds() {
        all.extend(service(context));
    }
    if context.grows() {
        all.extend(nodes(context));
    }
    if context.goal.from != context.goal.to {
        all.extend(size(context));
    }
    all.extend(spread(context));
    all
}

fn statefulset(context: Context<'_>) -> Vec<Finding> {
    let set = &context.observation.statefulset;
    let mut check = Check::new("statefulset");
    let Some((_, container)) = set.template.etcd() else {
        check.refuse(not_etcd(set), "name the StatefulSet that runs etcd");
        return check.end("");
    };
    if let Some(owner) = &set.owner {
        check.refuse(
            format!("the StatefulSet is controlled by {} {}, which would undo the change", owner.kind, owner.name),
            format!("change the size in {} {} instead", owner.kind, owner.name),
        );
    }
    check.end(format!("container {} of {}/{} runs etcd", container.name, set.namespace, set.name))
}

fn reconciler(context: Context<'_>) -> Vec<Finding> {
    let set = &context.observation.statefulset;
    let mut check = Check::new("reconciler");
    for Source { who, sign, .. } in set.sources().into_iter().filter(|source| source.by_itself) {
        if brings_the_commit(context) {
            check.ok(format!("{who} reconciles the StatefulSet ({sign}), and has to bring the commit"));
            continue;
        }
        let fact = format!("{who} reconciles the StatefulSet ({sign}) and may undo the change at any moment");
        if context.goal.ignore_reconciler {
            check.advise(fact, "change size and state in its source as well, before the next sync");
        } else {
            check.refuse(fact, "suspend its sync for this StatefulSet, then say --ignore-reconciler");
        }
    }
    check.end("neither Argo CD nor Flux reconciles the StatefulSet")
}

/// Whether the change is to come from a GitOps controller, so that one is no obstacle.
fn brings_the_commit(context: Context<'_>) -> bool {
    context.goal.gitops.as_ref().is_some_and(|gitops| gitops.delivery == Delivery::Sync)
}

fn at_rest(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let set = &observation.statefulset;
    let mut check = Check::new("at-rest");
    for reason in Rollout::unrest_but(observation, context.leaving()) {
        check.refuse(reason, "wait for the rollout to end, or mend the pod, and run again");
    }
    // With a record of ours the guard explains them: a deferred rollout is carried along.
    let rollout = Rollout::of(observation);
    let freed: Vec<i32> = rollout.freed().collect();
    let behind: Vec<i32> = rollout.behind.iter().copied().filter(|ordinal| !freed.contains(ordinal)).collect();
    if !behind.is_empty() && set.record().is_ok_and(|record| record.is_none()) {
        let pods: Vec<_> = behind.iter().map(|ordinal| set.pod_name(*ordinal)).collect();
        check.refuse(
            format!(
                "the present template is not on {}: a rollout of somebody's own, held back by {}",
                pods.join(", "),
                if strategy_is_on_delete(&set.strategy) {
                    "OnDelete".to_owned()
                } else {
                    format!("the partition {}", partition_of(&set.strategy))
                }
            ),
            "finish or take back that rollout first, so that the new member does not start on an untried template",
        );
    }
    if context.leaving().is_some() {
        return check.end("the pods that stay are ready, no rollout under way");
    }
    check.end(format!("{} of {} pods ready, no rollout under way", observation.pods.len(), set.replicas))
}

fn data_dir(context: Context<'_>) -> Vec<Finding> {
    let set = &context.observation.statefulset;
    let mut check = Check::new("data-directory");
    let Some((_, container)) = set.template.etcd() else { return Vec::new() };
    match set.template.data_dir(container, &set.claim_templates) {
        DataDir::OnClaim(claim) => check.ok(format!("etcd's data is on claim {claim}")),
        DataDir::NotOnClaim(place) if context.goal.rollout == RolloutPolicy::Defer => check.advise(
            format!("{place}: a restarted member loses its data, so none is restarted"),
            "move the data to a claim; until then never settle this rollout",
        ),
        DataDir::NotOnClaim(place) => check.refuse(
            format!("{place}: a restarted member would come back empty under its old identity"),
            "change the size without restarting the others: --rollout defer",
        ),
    }
    check.end("")
}

/// The questions that these checks need answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    if !(context.adds() || context.removes()) || context.resumes() {
        return None;
    }
    match template_edits(context.observation, &context.first_round()) {
        Err(Obstacle::Ask(question)) => Some(question),
        _ => None,
    }
}

/// Whether what a new member starts with is in a ConfigMap, which has to be read and changed.
pub(super) fn reads_config_map(context: Context<'_>) -> bool {
    let set = &context.observation.statefulset;
    let template = &set.template;
    let pod = set.pod_name(context.goal.ordinal(set.start));
    (context.adds() || context.removes())
        && template.etcd().is_some_and(|(_, container)| {
            if let Some(file) = template.config_file(container, &pod) {
                return matches!(file, ConfigFile::ConfigMap { .. });
            }
            matches!(template.peer_list(container), PeerList::ConfigMap { .. } | PeerList::Perhaps(_))
                || matches!(template.state_variable(container), StateVariable::ConfigMap { .. })
        })
}

fn template(context: Context<'_>) -> Vec<Finding> {
    let set = &context.observation.statefulset;
    let Some((_, container)) = set.template.etcd() else { return Vec::new() };
    let mut peers = Check::new("peer-list");
    let mut check = Check::new("template");
    if !container.env_from.is_empty() && !container.names("ETCD_INITIAL_CLUSTER_STATE") {
        let places: Vec<_> = container.env_from.iter().map(ToString::to_string).collect();
        check.advise(
            format!("variables also come from {}", places.join(", ")),
            "make sure that they do not tell the new member to found a cluster of its own",
        );
    }
    match template_edits(context.observation, &context.first_round()) {
        Err(Obstacle::Fact(fact)) => check.refuse(fact.fact, fact.advice),
        // The check of the members says why.
        Err(Obstacle::Ask(_) | Obstacle::Members) => {
            check.unknown("what has to change", Some("the members did not answer"));
        }
        Ok(edits) => {
            peers.ok(&edits.peers);
            let sign = container.joins_by_itself().unwrap_or_else(|| "as you say".to_owned());
            let joins = format!("container {} adds its own pod to the cluster ({sign})", container.name);
            match &edits.join {
                Join::Learner => {}
                Join::Bypass { edit } => check.advise(
                    format!(
                        "{joins}: the new pod first starts {} itself, as a learner, then once more with its own command",
                        edit.to.command.join(" ")
                    ),
                    "to leave it to its own command, say --join self",
                ),
                Join::Itself => check.advise(
                    format!("{joins}: the new member votes from the moment it is added, before it has the data"),
                    "until it has caught up the cluster bears the loss of one member less; there is no learner phase",
                ),
            }
            let list: Vec<_> = edits
                .env
                .iter()
                .map(|edit| match peers_in(&edit.to) {
                    Some(peers) => format!("{} names {} members", edit.name, peers.len()),
                    None => format!("{} {} -> {}", edit.name, edit.from.as_deref().unwrap_or("(unset)"), edit.to),
                })
                .chain(edits.words.iter().map(|edit| format!("flags in {}[{}]", edit.part.field(), edit.index)))
                .chain(edits.config_map.iter().flat_map(|(name, keys)| {
                    keys.iter().map(move |edit| format!("key {} of ConfigMap {name}", edit.key))
                }))
                .collect();
            let what =
                if list.is_empty() { "nothing in the template has to change".to_owned() } else { list.join(", ") };
            check.ok(what);
        }
    }
    let mut findings = peers.findings;
    findings.extend(check.end(""));
    findings
}

fn claims(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let set = &observation.statefulset;
    let mut check = Check::new("claims");
    let rounds = context.goal.rounds();
    let Some(claims) = observation.claims.known() else {
        // A claim that was overlooked would crash the new member on another one's data, so unknown is not enough.
        check.refuse(
            format!("the claims could not be read: {}", observation.claims.reason().unwrap_or_default()),
            "a claim left over from an earlier member must be ruled out first",
        );
        return check.end("");
    };
    let wanted: Vec<(String, Option<&Member>)> = rounds
        .iter()
        .flat_map(|round| {
            let ordinal = round.ordinal(set.start);
            let voter = observation.member_of_ordinal(ordinal).filter(|member| member.is_started_voter());
            observation.claim_names(ordinal).into_iter().map(move |name| (name, voter))
        })
        .collect();
    for claim in claims {
        let Some((_, voter)) = wanted.iter().find(|(name, _)| *name == claim.name) else { continue };
        if let Some(member) = voter {
            check.refuse(
                format!("claim {} holds the data of {}, which has a vote and no pod", claim.name, member.called()),
                "keep it, and bring its pod back: somebody has lowered replicas without removing the member",
            );
            continue;
        }
        if context.goal.claims == ClaimPolicy::Delete {
            check.advise(
                format!("claim {} exists already, made {}: it is deleted first", claim.name, claim.created),
                "see that its data is not needed; it is named in a question of its own",
            );
            continue;
        }
        check.refuse(
            format!(
                "claim {} exists already, made {}: the new member would start with what an earlier one left in it",
                claim.name, claim.created
            ),
            format!(
                "when its data is not needed, say --claim delete, or: kubectl delete pvc -n {} {}",
                set.namespace, claim.name
            ),
        );
    }
    let names: Vec<_> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let names = if names.is_empty() { "no claims".to_owned() } else { format!("{} not there yet", names.join(", ")) };
    check.end(names)
}

/// What the old member left has to be known, or it could not be cleared away.
fn claims_to_renew(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let set = &observation.statefulset;
    let mut check = Check::new("claims");
    let pod = set.pod_name(context.goal.ordinal(set.start));
    let Some(claims) = observation.claims.known() else {
        check.refuse(
            format!("the claims could not be read: {}", observation.claims.reason().unwrap_or_default()),
            "what the old member left has to be cleared away; ask for the permission to list claims",
        );
        return check.end("");
    };
    if let Some((_, container)) = set.template.etcd()
        && let DataDir::NotOnClaim(place) = set.template.data_dir(container, &set.claim_templates)
    {
        let volumes = container.mounts.iter().filter_map(|mount| set.template.volumes.get(&mount.volume));
        let lasting =
            |kind: &&VolumeKind| matches!(kind, VolumeKind::HostPath(_) | VolumeKind::Claim(_) | VolumeKind::Other(_));
        if let Some(kind) = volumes.into_iter().find(lasting) {
            check.refuse(
                format!("{place}, and {kind} outlives the pod: the new member would start with what the old one left"),
                "clear it by hand after `etcdctl member remove`, then add the member anew",
            );
        }
    }
    let names = observation.claim_names(context.goal.ordinal(set.start));
    for claim in claims.iter().filter(|claim| names.contains(&claim.name)) {
        check.advise(
            format!("claim {} is deleted, and with it what the member in {pod} holds", claim.name),
            "the others have the data; save what you want to look at later",
        );
    }
    check.end(format!("what {pod} holds goes with the pod"))
}

fn service(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let set = &observation.statefulset;
    let mut check = Check::new("service");
    let name = &set.service_name;
    match observation.service.known() {
        None => check.unknown(&format!("Service {name}"), observation.service.reason()),
        Some(None) => check.refuse(
            format!("Service {name}, which names the pods, does not exist"),
            "create it: headless, selecting the pods, publishNotReadyAddresses: true",
        ),
        Some(Some(service)) => {
            if !service.headless {
                check.refuse(
                    format!("Service {name} is not headless, so pods have no names of their own"),
                    "it must have clusterIP: None",
                );
            }
            if !service.selects(&set.template.labels) {
                check.refuse(format!("Service {name} does not select the pods"), "give it the StatefulSet's selector");
            }
            if !service.publish_not_ready {
                check.refuse(
                    format!(
                        "Service {name} hides pods that are not ready: the members could not resolve the new one, \
                         which becomes ready only after they have reached it"
                    ),
                    format!(
                        "kubectl patch service -n {} {name} -p '{{\"spec\":{{\"publishNotReadyAddresses\":true}}}}'",
                        set.namespace
                    ),
                );
            }
        }
    }
    check.end(format!("{name} is headless, selects the pods and publishes those that are not ready"))
}

fn nodes(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let mut check = Check::new("nodes");
    if observation.pod(context.goal.ordinal(observation.statefulset.start)).is_some_and(|pod| pod.node.is_some()) {
        return check.end("the new pod has its node");
    }
    let template = &observation.statefulset.template;
    let terms = &template.anti_affinity;
    let Some(nodes) = observation.nodes.known() else {
        if !terms.is_empty() {
            check.unknown("the nodes", observation.nodes.reason());
        }
        return check.end("pods may share nodes");
    };
    let wanted = usize::try_from(context.goal.to).unwrap_or_default();
    let taking: Vec<_> = nodes.iter().filter(|node| template.may_run_on(node)).collect();
    if taking.is_empty() && !nodes.is_empty() {
        check.refuse(
            format!(
                "none of the {} nodes takes the new pod: by node selector, node affinity or taints, or it is cordoned",
                nodes.len()
            ),
            "add a node that does, or uncordon one, first",
        );
    }
    for term in terms {
        let places: BTreeSet<_> = taking.iter().filter_map(|node| node.labels.get(&term.topology_key)).collect();
        if places.len() < wanted {
            check.refuse(
                format!(
                    "the pods must not share a {}, and {} of them are schedulable for {wanted} pods",
                    term.topology_key,
                    places.len()
                ),
                "add a node, or uncordon one, first",
            );
        }
    }
    if terms.is_empty() {
        return check.end("pods may share nodes");
    }
    check.end(format!("enough nodes for {wanted} pods that must not share one"))
}

/// The most members that etcd's own documents advise (its FAQ, on the maximum size). A StatefulSet takes any number, so
/// that a slip of a digit would be paid by every write.
const MOST: i32 = 7;

fn size(context: Context<'_>) -> Vec<Finding> {
    let goal = context.goal;
    let mut check = Check::new("size");
    match goal.to {
        1 => check
            .advise("one member survives the loss of none, and its disk is the only one", "keep a snapshot elsewhere"),
        2 if goal.from > goal.to => check.advise(
            "two members survive the loss of none: every restart of one stops the cluster",
            "go on to one without delay, or stay at three",
        ),
        2 => check.advise(
            "two members survive the loss of none: every restart of one stops the cluster",
            "go on to three without delay",
        ),
        to if to > MOST && goal.verb == Verb::Up && !context.resumes() => check.refuse(
            format!("{to} members are more than etcd is for: each one more makes every write slower"),
            format!("see whether {to} was meant; {MOST} members survive the loss of three, and etcd advises no more"),
        ),
        to if to > MOST => {
            check.advise(format!("{to} members make every write slower"), "seven are enough for anybody");
        }
        to if to % 2 == 0 => check.advise(
            format!("{to} members survive the loss of no more than {}, as {} would", (to - 1) / 2, to - 1),
            "an odd number is the better size to stay at",
        ),
        _ => {}
    }
    if strategy_is_on_delete(&context.observation.statefulset.strategy) && goal.rollout != RolloutPolicy::Defer {
        check.advise(
            "the update strategy is OnDelete: settling deletes the old pods, one at a time",
            "leave them alone with --rollout defer",
        );
    }
    check.end(format!("{} members is a good size", goal.to))
}

/// Members that fall together: two of three on one node or in one zone.
fn spread(context: Context<'_>) -> Vec<Finding> {
    let observation = context.observation;
    let mut check = Check::new("spread");
    let Some(nodes) = observation.nodes.known() else { return Vec::new() };
    let tolerated = observation.pods.len().saturating_sub(1) / 2;
    let mut crowded = |what: &str, place: &dyn Fn(&Pod) -> Option<String>| {
        let mut by_place: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for pod in &observation.pods {
            if let Some(place) = place(pod) {
                by_place.entry(place).or_default().push(&pod.name);
            }
        }
        for (place, pods) in by_place.iter().filter(|(_, pods)| pods.len() > tolerated.max(1)) {
            check.advise(
                format!("{} share {what} {place}: its loss takes the quorum with it", pods.join(", ")),
                "spread the pods with anti-affinity or topology constraints",
            );
        }
        by_place.len()
    };
    crowded("node", &|pod| pod.node.clone());
    let zone_of = |pod: &Pod| {
        let node = pod.node.as_ref()?;
        nodes.iter().find(|candidate| candidate.name == *node)?.zone().map(str::to_owned)
    };
    let zones: BTreeSet<_> = nodes.iter().filter_map(|node| node.zone()).collect();
    if zones.len() > 1 {
        crowded("zone", &zone_of);
    }
    check.end("no node or zone holds a majority of the members")
}
