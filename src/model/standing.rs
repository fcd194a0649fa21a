//! What stands at one moment, in the few words that a person or a ticket needs: a row for each member and pod.

use serde::Serialize;

use super::{Known, Member, MemberStatus, Observation, Pod, PodPhase, Stage, ordinal_of};

/// What stands at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// `namespace/name`.
    pub statefulset: String,
    /// Where it stands on the way.
    pub stage: Stage,
    /// The stage in a sentence.
    pub stage_sentence: &'static str,
    /// How many pods are asked for.
    pub pods_asked_for: i32,
    /// etcd's cluster.
    pub cluster_id: Option<String>,
    /// Whether a quorum stands behind the member list. Not known where the way to the members is in doubt.
    pub quorum: Option<bool>,
    /// Members and pods, in ordinal order.
    pub members: Vec<StandingMember>,
    /// Claims of no pod and no member, in ordinal order: what an earlier member left. A run that is half-way may see to
    /// its own, so there are none as long as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leftover_claims: Vec<String>,
    /// Why the member list is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_unknown: Option<String>,
}

/// A member with its pod, or one without the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingMember {
    /// The pod's name.
    pub pod: Option<String>,
    /// How many of its containers are ready.
    pub ready: Option<String>,
    /// What the pod is doing.
    pub state: Option<String>,
    /// How far the pod is.
    pub phase: Option<PodPhase>,
    /// How often its containers were restarted.
    pub restarts: i32,
    /// `new` where it runs the present template, `old` elsewhere.
    pub revision: Option<&'static str>,
    /// The member's id.
    pub member_id: Option<String>,
    /// The member's name.
    pub name: Option<String>,
    /// `leader`, `voter`, `learner` or `none`.
    pub role: &'static str,
    /// `ok`, or what speaks against it.
    pub health: String,
    /// etcd's version.
    pub version: Option<String>,
    /// Size of the database file, in bytes.
    pub db_size: Option<u64>,
    /// Last index the member has applied.
    pub raft_applied: Option<u64>,
    /// What becomes of the pod's claims.
    pub volumes: Vec<String>,
}

impl Standing {
    /// What stands in an observation.
    pub fn of(observation: &Observation) -> Self {
        let set = &observation.statefulset;
        let stage = Stage::of(observation);
        let members = observation.members.known();
        let listed = members.map(|members| members.list.as_slice()).unwrap_or_default();
        let mut rows: Vec<_> = listed.iter().map(|member| row(observation, member)).collect();
        let with_member: Vec<_> = rows.iter().filter_map(|row| row.pod.clone()).collect();
        let alone = observation.pods.iter().filter(|pod| !with_member.contains(&pod.name));
        rows.extend(alone.map(|pod| row_without_member(observation, pod)));
        rows.sort_by_key(|row| {
            let ordinal = row.pod.as_deref().and_then(|pod| pod.rsplit_once('-')?.1.parse::<i32>().ok());
            ordinal.unwrap_or(i32::MAX)
        });
        Self {
            statefulset: format!("{}/{}", set.namespace, set.name),
            stage,
            stage_sentence: stage.sentence(),
            pods_asked_for: set.replicas,
            cluster_id: members.map(|members| members.cluster.to_string()),
            quorum: match members {
                Some(members) => Some(members.by_quorum),
                None => (!observation.way_is_in_doubt()).then_some(false),
            },
            members: rows,
            leftover_claims: leftover_claims(observation, stage),
            members_unknown: observation.members.reason().map(str::to_owned),
        }
    }

    /// What is wrong with the quorum, if anything.
    pub fn no_quorum(&self) -> Option<&'static str> {
        match self.quorum {
            Some(true) => None,
            Some(false) => Some("no quorum"),
            None => Some("quorum unknown"),
        }
    }

    /// The stage as one word.
    pub fn stage_word(&self) -> String {
        let word = serde_json::to_value(self.stage).ok().and_then(|word| word.as_str().map(str::to_owned));
        word.unwrap_or_default()
    }
}

/// Nothing is called left over where it is not known who the members are, and which pod each of them lives in.
fn leftover_claims(observation: &Observation, stage: Stage) -> Vec<String> {
    if !matches!(stage, Stage::AtRest | Stage::Deferred) {
        return Vec::new();
    }
    let set = &observation.statefulset;
    let Some(members) = observation.members.known().filter(|members| members.by_quorum) else { return Vec::new() };
    let place = |member: &Member| member.peer_urls.iter().find_map(|url| ordinal_of(url, &set.name));
    let Some(places) = members.list.iter().map(place).collect::<Option<Vec<i32>>>() else { return Vec::new() };
    let Some(claims) = observation.claims.known() else { return Vec::new() };
    let used = |ordinal: i32| {
        set.ordinals(set.replicas).contains(&ordinal) || observation.pod(ordinal).is_some() || places.contains(&ordinal)
    };
    let mut left: Vec<(i32, String)> = claims
        .iter()
        .filter(|claim| !claim.terminating)
        .filter_map(|claim| Some((claim.name.rsplit_once('-')?.1.parse().ok()?, claim.name.clone())))
        .filter(|(ordinal, _)| !used(*ordinal))
        .collect();
    left.sort();
    left.into_iter().map(|(_, name)| name).collect()
}

fn row(observation: &Observation, member: &Member) -> StandingMember {
    let status = observation.status_of(member.id);
    let health = match status {
        None if !member.started() => "not started".to_owned(),
        None => "no answer".to_owned(),
        Some(status) if member.learner => {
            let leader = observation.leader_status().map_or(0, |leader| leader.raft_index);
            format!("{} behind", leader.saturating_sub(status.raft_applied))
        }
        Some(status) => match status.errors.first() {
            Some(error) => error.clone(),
            None if status.healthy.known().is_some() => "ok".to_owned(),
            None => "serves no reads".to_owned(),
        },
    };
    StandingMember {
        member_id: Some(member.id.to_string()),
        name: Some(member.called()),
        role: match (member.learner, status.is_some_and(MemberStatus::leads)) {
            (true, _) => "learner",
            (false, true) => "leader",
            (false, false) => "voter",
        },
        health,
        ..row_of(observation, observation.pod_of(member), status)
    }
}

/// A pod whose etcd, if it runs one, is not in the member list.
fn row_without_member(observation: &Observation, pod: &Pod) -> StandingMember {
    let health = match observation.statuses.get(&pod.name) {
        Some(Known::Known(_)) => "unlisted",
        Some(Known::Unknown(_)) => "no answer",
        None => "not running",
    };
    StandingMember { health: health.to_owned(), ..row_of(observation, Some(pod), observation.status_of_pod(&pod.name)) }
}

/// What pod and status alone say.
fn row_of(observation: &Observation, pod: Option<&Pod>, status: Option<&MemberStatus>) -> StandingMember {
    let new = &observation.statefulset.update_revision;
    StandingMember {
        pod: pod.map(|pod| pod.name.clone()),
        ready: pod.map(Pod::ready_column),
        state: pod.map(Pod::state),
        phase: pod.map(PodPhase::of),
        restarts: pod.map_or(0, |pod| pod.containers.iter().map(|container| container.restarts).sum()),
        revision: pod.map(|pod| if pod.revision == *new { "new" } else { "old" }),
        member_id: status.map(|status| status.member.to_string()),
        name: None,
        role: "none",
        health: String::new(),
        version: status.map(|status| status.version.clone()),
        db_size: status.map(|status| status.db_size),
        raft_applied: status.map(|status| status.raft_applied),
        volumes: pod.map(|pod| volumes(observation, pod.ordinal)).unwrap_or_default(),
    }
}

fn volumes(observation: &Observation, ordinal: i32) -> Vec<String> {
    let wanted = observation.claim_names(ordinal);
    let Some(claims) = observation.claims.known() else { return vec!["unknown".to_owned()] };
    claims
        .iter()
        .filter(|claim| wanted.contains(&claim.name))
        .map(|claim| {
            let volume = claim
                .volume
                .as_ref()
                .and_then(|name| observation.volumes.known()?.iter().find(|volume| volume.name == *name));
            match volume {
                Some(volume) => format!("{} {}", volume.phase.to_lowercase(), volume.capacity),
                None => claim.phase.to_lowercase(),
            }
        })
        .collect()
}
