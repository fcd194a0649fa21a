//! `create-volume`: make the volume of the new member's claim, where nobody else makes it.

use crate::model::{
    Answer, Change, Goal, Known, NewVolume, Observation, Question, Volume, VolumeNeed, VolumePlace, place_of,
    volume_needs,
};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Makes volumes before the learner is added, so that nothing is left unstarted when one is refused.
pub struct CreateVolume;

impl Step for CreateVolume {
    fn name(&self) -> &'static str {
        "create-volume"
    }

    fn purpose(&self) -> &'static str {
        "make the new member's volume, where nobody else makes it"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let mut proofs = Vec::new();
        // The volume of the same pod that was made first. The pods may have moved meanwhile, and another node be chosen.
        let mut beside: Option<Volume> = None;
        for (claim, need) in volume_needs(observation, goal) {
            let bound = observation.claims.known().into_iter().flatten().find(|there| there.name == claim);
            if let Some(volume) = bound.filter(|claim| claim.phase == "Bound").and_then(|claim| claim.volume.as_ref()) {
                proofs.push(format!("claim {claim} is bound to volume {volume}"));
                let known = observation.volumes.known().into_iter().flatten().find(|known| known.name == *volume);
                beside = beside.or(known.cloned());
                continue;
            }
            let mut new = match need {
                VolumeNeed::Provisioned(why) => {
                    proofs.push(format!("none to make: {why}"));
                    continue;
                }
                VolumeNeed::Unmodelled(why) | VolumeNeed::Unknown(why) => {
                    proofs.push(format!("none made for {claim}: {why}"));
                    continue;
                }
                VolumeNeed::Refused(fact) => return Verdict::Refuse(Refusal::because(fact.fact, fact.advice)),
                VolumeNeed::Make(new) => new,
            };
            if let Some(other) = &beside {
                new.put_beside(&other.name, &other.spec);
            }
            match place(&new, observation) {
                Err(question) => return Verdict::Look(question),
                Ok(VolumePlace::Refused(fact)) => return Verdict::Refuse(Refusal::because(fact.fact, fact.advice)),
                Ok(VolumePlace::Made(volume)) => {
                    proofs.push(format!("volume {} is there for claim {claim}", volume.name));
                    beside = beside.or(Some(volume));
                }
                Ok(VolumePlace::Waiting(volume)) => {
                    proofs.push(format!("volume {} waits for claim {claim}, made by somebody else", volume.name));
                    beside = beside.or(Some(volume));
                }
                Ok(VolumePlace::Free(new)) => return Verdict::Change(proposal(*new)),
            }
        }
        if proofs.is_empty() {
            proofs.push("the pods have no claims".to_owned());
        }
        Verdict::done(proofs.join("; "))
    }
}

fn proposal(new: NewVolume) -> Proposal {
    let model = new.model.as_ref().map_or_else(|| "your template".to_owned(), |model| format!("volume {model}"));
    let place = new.path().map(|path| format!(", path {path}")).unwrap_or_default();
    let notes: Vec<_> = new.notes.iter().map(|note| format!("; {}", note.fact)).collect();
    Proposal {
        reason: format!("nobody else makes it; modelled on {model}{place}{}", notes.concat()),
        change: Change::CreateVolume { name: new.name, claim: new.claim, manifest: new.manifest },
    }
}

/// What stands where a volume is to be made.
///
/// # Errors
/// The question that has to be answered first.
pub(super) fn place(new: &NewVolume, observation: &Observation) -> Result<VolumePlace, Question> {
    let question = Question::Volumes { names: vec![new.name.clone()] };
    match observation.answer(&question) {
        Some(Answer::Volumes(Known::Known(volumes))) => Ok(place_of(new, observation, volumes)),
        Some(Answer::Volumes(Known::Unknown(why))) => Ok(VolumePlace::Refused(crate::model::Fact::new(
            format!("a volume has to be made for claim {}, and the volumes could not be read: {why}", new.claim),
            "another volume on the same path must be ruled out first; ask for the permission to list volumes",
        ))),
        _ => Err(question),
    }
}
