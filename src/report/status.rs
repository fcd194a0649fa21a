//! `status`: members, pods and volumes as a table, the stage, and what to do next.

use std::fmt::Write as _;

use serde::Serialize;

use super::escape::escape;
use super::table::table;
use super::text::{BAD, BOLD, DIM, GOOD, NOTE, styled};
use crate::model::{
    Fact, Known, Member, MemberStatus, Observation, Pod, Rollout, Stage, Verb, healthy_for_change, replaceable,
};

/// What `status` shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    statefulset: String,
    pub(super) stage: Stage,
    stage_sentence: &'static str,
    pods_asked_for: i32,
    cluster_id: Option<String>,
    quorum: bool,
    members: Vec<Row>,
    /// Why the member list is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    members_unknown: Option<String>,
    facts: Vec<Fact>,
    next: Option<String>,
    /// What can be done instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    otherwise: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    pod: Option<String>,
    ready: Option<String>,
    state: Option<String>,
    restarts: i32,
    revision: Option<&'static str>,
    member_id: Option<String>,
    name: Option<String>,
    role: &'static str,
    health: String,
    version: Option<String>,
    db_size: Option<u64>,
    raft_applied: Option<u64>,
    volumes: Vec<String>,
}

impl Status {
    pub(super) fn of(observation: &Observation, options: &str) -> Self {
        let set = &observation.statefulset;
        let stage = Stage::of(observation);
        let members = observation.members.known();
        let listed = members.map(|members| members.list.as_slice()).unwrap_or_default();
        let mut rows: Vec<Row> = listed.iter().map(|member| row(observation, member)).collect();
        let with_member: Vec<_> = rows.iter().filter_map(|row| row.pod.clone()).collect();
        let alone = observation.pods.iter().filter(|pod| !with_member.contains(&pod.name));
        rows.extend(alone.map(|pod| row_without_member(observation, pod)));
        rows.sort_by_key(|row| {
            let ordinal = row.pod.as_deref().and_then(|pod| pod.rsplit_once('-')?.1.parse::<i32>().ok());
            ordinal.unwrap_or(i32::MAX)
        });
        let mut facts = match stage {
            // What a run in progress explains is told by its stage.
            Stage::AtRest | Stage::Deferred | Stage::Overtaken | Stage::Unknown => {
                healthy_for_change(observation, None)
            }
            _ => Vec::new(),
        };
        if stage == Stage::AtRest {
            let unrest = Rollout::unrest(observation);
            facts.extend(unrest.into_iter().map(|fact| Fact::new(fact, "wait, or mend the pod")));
        }
        if let Err(why) = set.record() {
            facts.push(Fact::new(
                format!("the annotation etcd-scale.io/run cannot be understood: {why}"),
                "finish the run with the version of etcd-scale that began it",
            ));
        }
        let record = set.readable_record();
        let by_commit = record.as_ref().is_some_and(|record| record.overlay.is_some() && !record.deferred);
        // Where a clone of the repository is, the record cannot know.
        let way = if by_commit { " --gitops DIR" } else { "" };
        let command = |verb: Verb, more: &str| {
            format!("etcd-scale {} --sts {} -n {}{options}{more}", verb.word(), set.name, set.namespace)
        };
        let pod = |ordinal: i32| format!(" {}", set.pod_name(ordinal));
        let replaced = record.as_ref().filter(|record| !record.deferred).and_then(|record| record.replaced.as_ref());
        let way = replaced.map_or_else(|| way.to_owned(), |replaced| pod(replaced.ordinal));
        let broken = replaceable(observation).filter(|_| matches!(stage, Stage::AtRest | Stage::Deferred));
        let next = match broken {
            Some(ordinal) => Some(command(Verb::Replace, &pod(ordinal))),
            None => stage.verb(record.as_ref()).map(|verb| command(verb, &way)),
        };
        let growing = record.as_ref().is_some_and(|record| record.verb == Verb::Up);
        let otherwise = (growing && stage.is_before_vote()).then(|| command(Verb::Abort, ""));
        Self {
            statefulset: format!("{}/{}", set.namespace, set.name),
            stage,
            stage_sentence: stage.sentence(),
            pods_asked_for: set.replicas,
            cluster_id: members.map(|members| members.cluster.to_string()),
            quorum: members.is_some_and(|members| members.by_quorum),
            members: rows,
            members_unknown: observation.members.reason().map(str::to_owned),
            facts,
            next,
            otherwise,
        }
    }

    /// The stage as one word.
    pub(super) fn stage_word(&self) -> String {
        let word = serde_json::to_value(self.stage).ok().and_then(|word| word.as_str().map(str::to_owned));
        word.unwrap_or_default()
    }

    /// The first that is not as it should be; none where all is well.
    pub(super) fn first_fact(&self) -> Option<String> {
        if let Some(fact) = self.facts.first() {
            return Some(fact.fact.clone());
        }
        if !self.quorum {
            return Some("no quorum".to_owned());
        }
        // While a run is half-way there are no facts, and a voter may be down all the same.
        let mut voters = self.members.iter().filter(|row| matches!(row.role, "leader" | "voter"));
        let unwell = voters.find(|row| row.health != "ok")?;
        Some(format!("{}: {}", unwell.name.as_deref().unwrap_or_default(), unwell.health))
    }

    /// The status for people.
    pub(super) fn text(&self) -> String {
        let mut text = styled(BOLD, &self.statefulset);
        let _ = write!(text, "  {} pods asked for", self.pods_asked_for);
        if let Some(id) = &self.cluster_id {
            let _ = write!(text, ", cluster {id}");
        }
        if !self.quorum {
            let _ = write!(text, ", {}", styled(BAD, "no quorum"));
        }
        let header =
            ["POD", "READY", "RESTARTS", "TEMPLATE", "MEMBER", "ROLE", "HEALTH", "VERSION", "DB", "APPLIED", "VOLUME"];
        let cells: Vec<[String; 11]> = self.members.iter().map(Row::cells).collect();
        let _ = write!(text, "\n{}", table(header, &cells));
        if let Some(why) = &self.members_unknown {
            let _ = write!(text, "\n{} the member list is not known: {}", styled(BAD, "!"), escape(why));
        }
        let style = if self.stage == Stage::AtRest { GOOD } else { NOTE };
        let _ = write!(text, "\nstage {}: {}", styled(style, &self.stage_word()), self.stage_sentence);
        for fact in &self.facts {
            let _ = write!(
                text,
                "\n{} {}\n  {}",
                styled(BAD, "!"),
                escape(&fact.fact),
                styled(DIM, &format!("-> {}", fact.advice))
            );
        }
        if let Some(next) = &self.next {
            let _ = write!(text, "\nnext: {}", escape(next));
        }
        if let Some(otherwise) = &self.otherwise {
            let _ = write!(text, "\n  or: {}", escape(otherwise));
        }
        text
    }
}

fn row(observation: &Observation, member: &Member) -> Row {
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
    Row {
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
fn row_without_member(observation: &Observation, pod: &Pod) -> Row {
    let health = match observation.statuses.get(&pod.name) {
        Some(Known::Known(_)) => "unlisted",
        Some(Known::Unknown(_)) => "no answer",
        None => "not running",
    };
    Row { health: health.to_owned(), ..row_of(observation, Some(pod), observation.status_of_pod(&pod.name)) }
}

/// What pod and status alone say.
fn row_of(observation: &Observation, pod: Option<&Pod>, status: Option<&MemberStatus>) -> Row {
    let new = &observation.statefulset.update_revision;
    Row {
        pod: pod.map(|pod| pod.name.clone()),
        ready: pod.map(Pod::ready_column),
        state: pod.map(Pod::state),
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

impl Row {
    fn cells(&self) -> [String; 11] {
        let dash = || "-".to_owned();
        let text = |value: &Option<String>| value.as_ref().map_or_else(dash, |value| escape(value).into_owned());
        #[expect(clippy::cast_precision_loss, reason = "a size for people, to one decimal")]
        let size = self.db_size.map_or_else(dash, |bytes| format!("{:.1}M", bytes as f64 / 1e6));
        [
            text(&self.pod),
            match (&self.ready, &self.state) {
                (Some(ready), Some(state)) if state == "terminating" => format!("{ready} ending"),
                (Some(ready), _) => ready.clone(),
                _ => dash(),
            },
            self.restarts.to_string(),
            self.revision.map_or_else(dash, str::to_owned),
            text(&self.member_id),
            self.role.to_owned(),
            escape(&self.health).into_owned(),
            text(&self.version),
            size,
            self.raft_applied.map_or_else(dash, |index| index.to_string()),
            if self.volumes.is_empty() { dash() } else { escape(&self.volumes.join(", ")).into_owned() },
        ]
    }
}
