//! `clear-claims`: delete claims that no pod should start with, where that was asked for, and the volumes that were made
//! for them by hand.

use crate::model::{
    Answer, Change, Claim, ClaimPolicy, Goal, Known, Observation, Question, Record, Verb, Volume, is_used,
    may_be_by_hand,
};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict, Wait, Wake};

/// Deletes left-over claims.
pub struct ClearClaims;

impl Step for ClearClaims {
    fn name(&self) -> &'static str {
        "clear-claims"
    }

    fn purpose(&self) -> &'static str {
        "deal with claims that are left over"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let growing = goal.verb == Verb::Up;
        if growing && (set.replicas != goal.from || observation.member_of_ordinal(goal.ordinal(set.start)).is_some()) {
            return Verdict::done("the new member's claims are its own");
        }
        let ordinals = if growing {
            let ordinal = goal.ordinal(set.start);
            ordinal..ordinal + 1
        } else {
            set.start + goal.to..set.start + goal.from
        };
        let names: Vec<String> = ordinals.flat_map(|ordinal| observation.claim_names(ordinal)).collect();
        if names.is_empty() {
            return Verdict::done("the pods have no claims");
        }
        if goal.claims == ClaimPolicy::Keep {
            let Some(claims) = observation.claims.known() else { return Verdict::done("claims are kept") };
            let there: Vec<&str> = claims
                .iter()
                .map(|claim| claim.name.as_str())
                .filter(|name| names.iter().any(|own| own == name))
                .collect();
            return match there.as_slice() {
                [] => Verdict::done("no claim is left over"),
                left if growing => Verdict::Refuse(left_over(left, &set.namespace)),
                left => Verdict::done(format!(
                    "{} {} kept, and must go before the next scale-up (up --claim delete)",
                    left.join(", "),
                    if left.len() == 1 { "is" } else { "are" }
                )),
            };
        }
        match clear(observation, goal, &names, |_| true) {
            Some(verdict) => verdict,
            None => Verdict::done(format!("{} {} gone", names.join(", "), if names.len() == 1 { "is" } else { "are" })),
        }
    }
}

/// A claim of an earlier member stands where a new one would start.
fn left_over(claims: &[&str], namespace: &str) -> Refusal {
    Refusal::because(
        format!(
            "claim {} exists already: the new member would start with what an earlier one left in it",
            claims.join(", ")
        ),
        format!(
            "when its data is not needed, say --claim delete, or: kubectl delete pvc -n {namespace} {}",
            claims.join(" ")
        ),
    )
}

/// The next thing to do until the claims of these names, as far as they are `meant`, are gone with the volumes that were
/// made for them by hand. None when they are.
pub(super) fn clear(
    observation: &Observation,
    goal: &Goal,
    names: &[String],
    meant: impl Fn(&Claim) -> bool,
) -> Option<Verdict> {
    let set = &observation.statefulset;
    let Some(claims) = observation.claims.known() else {
        let why = observation.claims.reason().unwrap_or_default();
        return Some(wait(goal, format!("the claims could not be read: {why}")));
    };
    let mut there = claims.iter().filter(|claim| names.contains(&claim.name) && meant(claim));
    if let Some(claim) = there.clone().find(|claim| !claim.terminating) {
        return Some(Verdict::Change(Proposal {
            change: Change::DeleteClaim {
                claim: claim.name.clone(),
                uid: claim.uid.clone(),
                volume: claim.volume.clone(),
            },
            reason: "a member that starts with another's data crashes, or worse, takes it for its own".to_owned(),
        }));
    }
    if let Some(claim) = there.next() {
        return Some(wait(goal, format!("claim {} is still in use", claim.name)));
    }
    // Where volumes are made by hand nobody else clears them away.
    let made = Record::of_run(goal, observation).map(|record| record.volumes).unwrap_or_default();
    if made.is_empty() && !may_be_by_hand(observation) {
        return None;
    }
    let question = Question::Volumes { names: made.clone() };
    let volumes = match observation.answer(&question) {
        None => return Some(Verdict::Look(question)),
        Some(Answer::Volumes(Known::Known(volumes))) => volumes,
        Some(Answer::Volumes(Known::Unknown(why))) => {
            return Some(wait(goal, format!("the volumes could not be read: {why}")));
        }
        Some(_) => return None,
    };
    let orphaned = |volume: &&Volume| {
        let kept_for = volume.claim.as_ref().filter(|(namespace, _)| *namespace == set.namespace);
        let left = match volume.claim_uid() {
            Some(uid) => !claims.iter().any(|claim| claim.uid == uid),
            None => goal.verb == Verb::Abort && made.contains(&volume.name),
        };
        volume.by_hand() && kept_for.is_some_and(|(_, claim)| names.contains(claim)) && left
    };
    let volume = volumes.iter().find(orphaned)?;
    match is_used(volume, observation) {
        Err(why) => Some(Verdict::Refuse(Refusal::because(
            format!("the annotation {} cannot be understood: {why}", crate::model::USED_PATHS_ANNOTATION),
            "it lists the paths of removed members as a JSON array, of texts or of objects with path and node; mend it",
        ))),
        Ok(false) if volume.claim_uid().is_some() => Some(Verdict::Change(Proposal {
            change: Change::NoteUsedPath { path: volume.path().unwrap_or_default().to_owned(), nodes: volume.nodes() },
            reason: "no volume may be made where a removed member's data lies".to_owned(),
        })),
        Ok(_) => Some(Verdict::Change(Proposal {
            change: Change::DeleteVolume { volume: volume.name.clone(), uid: volume.uid.clone() },
            reason: "its claim is gone, and nobody else clears away what was made by hand".to_owned(),
        })),
    }
}

fn wait(goal: &Goal, seen: String) -> Verdict {
    Verdict::Wait(Wait {
        until: "the claims to go".to_owned(),
        seen,
        progress: None,
        limit: goal.timeout,
        wake: Wake::Kubernetes,
        way_out: "see which pod uses it with `kubectl describe pvc`, and run the same command again".to_owned(),
    })
}
