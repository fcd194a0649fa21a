//! `precheck`: everything that must be so before the first change, and what is worth knowing.
//!
//! Every check runs and is reported by its id; one refusal refuses the run. A check that could not be made is shown as
//! unknown. What an unfinished run's own record explains is not held against it.

mod access;
mod certificates;
mod deployment;
mod disk_pools;
mod etcd;
mod kubernetes;
mod neighbours;
mod permissions;
mod volumes;

use super::hashes::{Hashes, compare_hashes};
use crate::model::{Fact, Goal, Observation, Stage, Verb};
use crate::runbook::{Done, Finding, Level, Refusal, Step, Trail, Verdict, Wait, Wake};

/// Makes all checks.
pub struct Precheck;

/// What a check looks at.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) observation: &'a Observation,
    pub(super) goal: &'a Goal,
}

impl Context<'_> {
    /// Whether this finishes what another run began to change, so that half-done states are expected. A run that only
    /// wrote down its goal explains nothing.
    fn resumes(&self) -> bool {
        self.goal.resumed.is_some() && Stage::of(self.observation) != Stage::Opened
    }

    fn grows(&self) -> bool {
        matches!(self.goal.verb, Verb::Up | Verb::Check)
    }

    /// Whether a member comes, in place of another or beside the others.
    fn adds(&self) -> bool {
        self.goal.adds()
    }

    /// Whether a member goes, so that nothing is asked of it and all of the others.
    fn removes(&self) -> bool {
        matches!(self.goal.verb, Verb::Down | Verb::Replace)
    }

    /// The goal of the first round.
    fn first_round(&self) -> Goal {
        self.goal.rounds().into_iter().next().unwrap_or_else(|| self.goal.clone())
    }

    /// The ordinal whose member goes first, where one does.
    fn leaving(&self) -> Option<i32> {
        self.removes().then(|| self.first_round().ordinal(self.observation.statefulset.start))
    }
}

/// The findings of one check.
pub(super) struct Check {
    id: &'static str,
    findings: Vec<Finding>,
}

impl Check {
    fn new(id: &'static str) -> Self {
        Self { id, findings: Vec::new() }
    }

    fn add(&mut self, level: Level, found: impl Into<String>, advice: Option<String>) {
        self.findings.push(Finding { id: self.id.to_owned(), level, found: found.into(), advice });
    }

    fn ok(&mut self, found: impl Into<String>) {
        self.add(Level::Ok, found, None);
    }

    fn unknown(&mut self, what: &str, why: Option<&str>) {
        self.add(Level::Unknown, format!("{what} could not be read: {}", why.unwrap_or("no answer")), None);
    }

    /// The same for what the operator can look at in another way.
    fn unread(&mut self, what: &str, why: Option<&str>, advice: String) {
        self.add(Level::Unknown, format!("{what} could not be read: {}", why.unwrap_or("no answer")), Some(advice));
    }

    fn advise(&mut self, found: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Advice, found, Some(advice.into()));
    }

    fn refuse(&mut self, found: impl Into<String>, advice: impl Into<String>) {
        self.add(Level::Refused, found, Some(advice.into()));
    }

    /// The findings; a check that found nothing wrong says `fine`.
    fn end(mut self, fine: impl Into<String>) -> Vec<Finding> {
        if self.findings.is_empty() {
            self.ok(fine);
        }
        self.findings
    }
}

impl Step for Precheck {
    fn name(&self) -> &'static str {
        "precheck"
    }

    fn purpose(&self) -> &'static str {
        "make sure that nothing stands in the way"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let context = Context { observation, goal };
        let question = permissions::question(context)
            .or_else(|| neighbours::question(context))
            .or_else(|| kubernetes::question(context))
            .or_else(|| volumes::question(context))
            .or_else(|| disk_pools::question(context))
            .or_else(|| access::question(context))
            .or_else(|| certificates::question(context))
            .or_else(|| deployment::question(context));
        if let Some(question) = question {
            return Verdict::Look(question);
        }
        let mut findings = Vec::new();
        findings.extend(permissions::check(context));
        if goal.resumed.is_some() {
            let stage = Stage::of(observation);
            findings.push(Finding {
                id: "stage".to_owned(),
                level: Level::Ok,
                found: format!("an unfinished run is taken up: {}", stage.sentence()),
                advice: None,
            });
        }
        findings.extend(kubernetes::checks(context));
        findings.extend(access::checks(context));
        findings.extend(certificates::checks(context));
        findings.extend(etcd::checks(context));
        findings.extend(neighbours::checks(context));
        findings.extend(deployment::checks(context));
        let compares = !context.resumes() && goal.verb != Verb::Abort;
        if findings.iter().all(|finding| finding.level != Level::Refused) && compares {
            match hashes(&staying(context), goal) {
                Ok(finding) => findings.push(finding),
                Err(verdict) => return *verdict,
            }
        }
        let facts: Vec<Fact> = findings
            .iter()
            .filter(|finding| finding.level == Level::Refused)
            .map(|finding| Fact::new(finding.found.clone(), finding.advice.clone().unwrap_or_default()))
            .collect();
        if !facts.is_empty() {
            return Verdict::Refuse(Refusal { facts, findings });
        }
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        let (advice, unknown) = (count(Level::Advice), count(Level::Unknown));
        let mut proof = format!("{} checks passed", count(Level::Ok));
        if advice > 0 {
            proof = format!("{proof}, {advice} worth a look");
        }
        if unknown > 0 {
            proof = format!("{proof}, {unknown} could not be made");
        }
        Verdict::Done(Done { proof, findings })
    }
}

/// The observation without the member that is to go.
fn staying(context: Context<'_>) -> Observation {
    let mut observation = context.observation.clone();
    if let Some(ordinal) = context.leaving() {
        let id = context.observation.member_of_ordinal(ordinal).map(|member| member.id);
        observation.statuses.remove(&context.observation.statefulset.pod_name(ordinal));
        if let Some(members) = observation.members.known_mut() {
            members.list.retain(|member| Some(member.id) != id);
        }
    }
    observation
}

/// Hashes come last: they are dear, and asked for only where everything else is fine.
fn hashes(observation: &Observation, goal: &Goal) -> Result<Finding, Box<Verdict>> {
    let finding = |level, found, advice| Finding { id: "hashes".to_owned(), level, found, advice };
    match compare_hashes(observation, goal.hash) {
        Hashes::Ask(question) => Err(Box::new(Verdict::Look(question))),
        again @ (Hashes::Again(_) | Hashes::Compacted) => Err(Box::new(Verdict::Wait(Wait {
            until: "hashes that can be compared".to_owned(),
            seen: again.trouble().unwrap_or_default(),
            progress: None,
            limit: goal.timeout,
            wake: Wake::Members,
            way_out: "run again when the cluster is quieter, or go without with --hash none".to_owned(),
        }))),
        equal @ (Hashes::Equal { .. } | Hashes::Nothing(_)) => {
            Ok(finding(Level::Ok, equal.phrase().unwrap_or_default(), None))
        }
        differ @ Hashes::Differ { .. } => {
            let (fact, advice) = differ.difference().unwrap_or_default();
            Ok(finding(Level::Refused, fact, Some(advice)))
        }
    }
}
