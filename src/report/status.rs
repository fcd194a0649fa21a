//! `status`: members, pods and volumes as a table, the stage, and what to do next.

use std::fmt::Write as _;

use serde::Serialize;

use super::commands::Commands;
use super::escape::escape;
use super::table::table;
use super::text::{BAD, BOLD, DIM, GOOD, NOTE, styled};
use crate::model::{
    Fact, Lock, Members, Observation, Rollout, Stage, Standing, StandingMember, Verb, healthy_for_change,
    pods_without_members, quorum_after_losing_one, replaceable, replacing_the_lost,
};

/// What `status` shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(flatten)]
    pub(super) standing: Standing,
    facts: Vec<Fact>,
    #[serde(flatten)]
    pub(super) way: Way,
    /// Who holds the lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<Lock>,
}

/// What to do next.
#[derive(Debug, Default, Serialize)]
pub(super) struct Way {
    /// The verb that does it, where it is one.
    #[serde(skip)]
    pub(super) verb: Option<Verb>,
    /// The command.
    next: Option<String>,
    /// What can be done instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    otherwise: Option<String>,
    /// Where that is the better choice.
    #[serde(skip)]
    otherwise_where: Option<&'static str>,
}

impl Status {
    pub(super) fn of(observation: &Observation, commands: &Commands) -> Self {
        let set = &observation.statefulset;
        let standing = Standing::of(observation);
        let stage = standing.stage;
        let mut facts = match stage {
            // What a run in progress explains is told by its stage.
            Stage::AtRest | Stage::Deferred | Stage::Overtaken | Stage::Unknown => {
                healthy_for_change(observation, None)
            }
            // That a member is lost is explained by none.
            _ if replacing_the_lost(observation).is_some() => healthy_for_change(observation, None),
            _ => Vec::new(),
        };
        if stage == Stage::AtRest {
            facts.extend(pods_without_members(observation));
            // The pod of one that is lost is told of above, with what helps.
            let lost = replaceable(observation).filter(|(_, lost)| *lost).map(|(ordinal, _)| ordinal);
            let unrest = Rollout::unrest_but(observation, lost);
            facts.extend(unrest.into_iter().map(|fact| Fact::new(fact, "wait, or mend the pod")));
        }
        if let Err(why) = set.record() {
            facts.push(Fact::new(
                format!("the annotation etcd-scale.io/run cannot be understood: {why}"),
                "finish the run with the version of etcd-scale that began it",
            ));
        }
        commands.facts(&mut facts);
        let mut way = way(observation, stage, &standing.leftover_claims);
        for command in [&mut way.next, &mut way.otherwise].into_iter().flatten() {
            *command = commands.typed(command);
        }
        let lock = observation.lock.known().cloned().flatten().filter(|lock| !lock.holder.is_empty());
        Self { standing, facts, way, lock }
    }

    /// The first that is not as it should be; none where all is well.
    pub(super) fn first_fact(&self) -> Option<String> {
        if let Some(fact) = self.facts.first() {
            return Some(fact.fact.clone());
        }
        if let Some(quorum) = self.standing.no_quorum() {
            return Some(quorum.to_owned());
        }
        // While a run is half-way there are no facts, and a voter may be down all the same.
        let mut voters = self.standing.members.iter().filter(|row| matches!(row.role, "leader" | "voter"));
        let unwell = voters.find(|row| row.health != "ok")?;
        Some(format!("{}: {}", unwell.name.as_deref().unwrap_or_default(), unwell.health))
    }

    /// The status for people.
    pub(super) fn text(&self) -> String {
        let standing = &self.standing;
        let mut text = styled(BOLD, &standing.statefulset);
        let _ = write!(text, "  {} pods asked for", standing.pods_asked_for);
        if let Some(id) = &standing.cluster_id {
            let _ = write!(text, ", cluster {id}");
        }
        if let Some(quorum) = standing.no_quorum() {
            let _ = write!(text, ", {}", styled(BAD, quorum));
        }
        let header =
            ["POD", "READY", "RESTARTS", "TEMPLATE", "MEMBER", "ROLE", "HEALTH", "VERSION", "DB", "APPLIED", "VOLUME"];
        let cells: Vec<[String; 11]> = standing.members.iter().map(cells).collect();
        let _ = write!(text, "\n{}", table(header, &cells));
        if let Some(why) = &standing.members_unknown {
            let _ = write!(text, "\n{} the member list is not known: {}", styled(BAD, "!"), escape(why));
        }
        let style = if standing.stage == Stage::AtRest { GOOD } else { NOTE };
        let _ = write!(text, "\nstage {}: {}", styled(style, &standing.stage_word()), standing.stage_sentence);
        for fact in &self.facts {
            let _ = write!(
                text,
                "\n{} {}\n  {}",
                styled(BAD, "!"),
                escape(&fact.fact),
                styled(DIM, &format!("-> {}", fact.advice))
            );
        }
        if let Some(lock) = &self.lock {
            let _ = write!(
                text,
                "\nlock: held by {}, renewed at {} by its clock; others wait until it ends, or until {} s after that",
                escape(&lock.holder),
                escape(&lock.renewed),
                lock.duration_seconds
            );
        }
        if !standing.leftover_claims.is_empty() {
            let claims = standing.leftover_claims.join(", ");
            let _ = write!(
                text,
                "\nleft over: {}, of no member, in the way of a scale-up to that size\n  {}",
                escape(&claims),
                styled(DIM, "-> when the data is not needed, let the scale-up delete it: --claim delete")
            );
        }
        if let Some(next) = &self.way.next {
            let _ = write!(text, "\nnext: {}", escape(next));
        }
        if let Some(otherwise) = &self.way.otherwise {
            let place = self.way.otherwise_where.map(|place| format!(", {place}")).unwrap_or_default();
            let _ = write!(text, "\n  or{place}: {}", escape(otherwise));
        }
        text
    }
}

/// What to do next at a stage, with these claims left over.
fn way(observation: &Observation, stage: Stage, leftover_claims: &[String]) -> Way {
    let set = &observation.statefulset;
    let record = set.readable_record();
    let command = |verb: Verb, more: &str| set.command(verb.word()) + more;
    let replace = |ordinal: i32| command(Verb::Replace, &format!(" {}", set.pod_name(ordinal)));
    let broken = replaceable(observation)
        .filter(|(_, lost)| matches!(stage, Stage::AtRest | Stage::Deferred) || (*lost && stage.is_between_members()));
    match broken {
        // Somebody lowered replicas and left the member, which no run replaces as long as it has no place.
        Some((ordinal, _)) if !set.ordinals(set.replicas).contains(&ordinal) => {
            return Way { next: Some(bring_back(observation, ordinal)), ..Way::default() };
        }
        Some((ordinal, true)) => {
            return Way { verb: Some(Verb::Replace), next: Some(replace(ordinal)), ..Way::default() };
        }
        // Replacing deletes what it holds, so it comes last.
        Some((ordinal, false)) => {
            return Way {
                verb: None,
                next: Some(look_at(observation, ordinal)),
                otherwise: Some(replace(ordinal)),
                otherwise_where: Some("if it cannot be brought back"),
            };
        }
        None => {}
    }
    // A restart of one of two leaves no quorum, so `settle` refuses it by itself.
    let too_few = |members: &Members| !quorum_after_losing_one(members.voters().count());
    if stage == Stage::Deferred && observation.members.known().is_some_and(too_few) {
        // What the last member left would refuse the run.
        let pod = set.pod_name(set.start + set.replicas);
        let left = leftover_claims.iter().any(|claim| claim.ends_with(&format!("-{pod}")));
        return Way {
            verb: Some(Verb::Up),
            next: Some(command(Verb::Up, if left { " --to 3 --claim delete" } else { " --to 3" })),
            otherwise: Some(command(Verb::Settle, " --rollout now")),
            otherwise_where: Some("with a gap without quorum"),
        };
    }
    let verb = stage.verb(record.as_ref());
    let next = verb.map(|verb| match &record {
        Some(record) if record.verb == verb => {
            // Where a clone of the repository is, the record cannot know.
            let repository = if verb == Verb::Up && record.overlay.is_some() { " --gitops DIR" } else { "" };
            format!("{}{repository}", record.command(set))
        }
        // One that was overtaken is dropped, and a deferred rollout is brought along, by verbs of their own.
        _ => command(verb, ""),
    });
    let growing = record.as_ref().is_some_and(|record| record.verb == Verb::Up);
    Way {
        verb,
        next,
        otherwise: (growing && stage.is_before_vote()).then(|| command(Verb::Abort, "")),
        otherwise_where: None,
    }
}

/// The command that gives a member its pod back: only where the data is there that it needs to be the same member.
fn bring_back(observation: &Observation, ordinal: i32) -> String {
    let set = &observation.statefulset;
    let claims = observation.claims.known().map(Vec::as_slice).unwrap_or_default();
    let stands = |name: &String| claims.iter().any(|claim| claim.name == *name && !claim.terminating);
    if ordinal < set.start || !observation.claim_names(ordinal).iter().all(stands) {
        return look_at(observation, ordinal);
    }
    let replicas = ordinal - set.start + 1;
    format!("kubectl scale statefulset -n {} {} --replicas={replicas}", set.namespace, set.name)
}

/// The command that shows why a member does not serve.
fn look_at(observation: &Observation, ordinal: i32) -> String {
    let set = &observation.statefulset;
    let pod = set.pod_name(ordinal);
    match (observation.pod(ordinal), set.template.etcd()) {
        (None, _) => format!("kubectl describe statefulset -n {} {}", set.namespace, set.name),
        (Some(present), Some((_, etcd))) if present.container(&etcd.name).is_some_and(|etcd| etcd.running) => {
            format!("kubectl logs -n {} {pod} -c {}", set.namespace, etcd.name)
        }
        _ => format!("kubectl describe pod -n {} {pod}", set.namespace),
    }
}

/// The cells of a line.
fn cells(row: &StandingMember) -> [String; 11] {
    let dash = || "-".to_owned();
    let text = |value: &Option<String>| value.as_ref().map_or_else(dash, |value| escape(value).into_owned());
    #[expect(clippy::cast_precision_loss, reason = "a size for people, to one decimal")]
    let size = row.db_size.map_or_else(dash, |bytes| format!("{:.1}M", bytes as f64 / 1e6));
    [
        text(&row.pod),
        match (&row.ready, &row.state) {
            (Some(ready), Some(state)) if state == "terminating" => format!("{ready} ending"),
            (Some(ready), _) => ready.clone(),
            _ => dash(),
        },
        row.restarts.to_string(),
        row.revision.map_or_else(dash, str::to_owned),
        text(&row.member_id),
        row.role.to_owned(),
        escape(&row.health).into_owned(),
        text(&row.version),
        size,
        row.raft_applied.map_or_else(dash, |index| index.to_string()),
        if row.volumes.is_empty() { dash() } else { escape(&row.volumes.join(", ")).into_owned() },
    ]
}
