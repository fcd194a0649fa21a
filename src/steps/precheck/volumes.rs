//! Who makes the volume of the new member's claim, and whether one that has to be made by hand can be.

use super::{Check, Context};
use crate::model::{Answer, ClaimPolicy, Known, Question, Verb, Volume, VolumeNeed, VolumePlace, volume_needs};
use crate::runbook::Finding;
use crate::steps::create_volume::place;

/// The question to ask, where it has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    if !context.adds() || context.resumes() {
        return None;
    }
    needs(context).into_iter().find_map(|(_, need)| match need {
        VolumeNeed::Make(new) => place(&new, context.observation).err(),
        _ => None,
    })
}

/// Whether a volume has to be made by hand, for which more permissions are needed.
pub(super) fn to_make(context: Context<'_>) -> bool {
    context.adds() && needs(context).iter().any(|(_, need)| matches!(need, VolumeNeed::Make(_)))
}

/// What the claims of all members that come need.
fn needs(context: Context<'_>) -> Vec<(String, VolumeNeed)> {
    let rounds = context.goal.rounds();
    rounds.iter().flat_map(|round| volume_needs(context.observation, round)).collect()
}

/// Whether what stands there is left over from an earlier member of the same name, and is to go before.
fn goes_before(context: Context<'_>, claim: &str, volumes: &[Volume]) -> bool {
    let cleared = context.goal.verb == Verb::Replace || context.goal.claims == ClaimPolicy::Delete;
    let set = &context.observation.statefulset;
    let ours = |volume: &Volume| {
        volume.by_hand()
            && volume.claim.as_ref().is_some_and(|(namespace, name)| *namespace == set.namespace && name == claim)
    };
    cleared && volumes.iter().any(ours)
}

pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let mut check = Check::new("volumes");
    let needs = needs(context);
    let mut provisioned = Vec::new();
    let by_hand = needs.iter().any(|(_, need)| matches!(need, VolumeNeed::Make(_) | VolumeNeed::Refused(_)));
    if context.goal.volume_template.is_some() && !by_hand {
        check.refuse(
            "--volume-template was given, and it is not plain that nobody else makes the volume",
            "leave it out; a volume of your own would be in the provisioner's way",
        );
    }
    for (claim, need) in needs {
        match need {
            VolumeNeed::Provisioned(why) => provisioned.push(why),
            VolumeNeed::Unmodelled(why) => {
                check.advise(why, "make a volume for the new claim before you go on, or the new pod stays Pending");
            }
            VolumeNeed::Unknown(why) => check.unknown(&format!("who makes the volume of {claim}"), Some(&why)),
            VolumeNeed::Refused(fact) => check.refuse(fact.fact, fact.advice),
            VolumeNeed::Make(new) => match place(&new, context.observation) {
                Err(_) => check.unknown("the volumes", None),
                Ok(_) if goes_before(context, &claim, listed(context, &new.name)) => {
                    check.ok(format!(
                        "the volume of claim {claim} goes with it; a new one is made on a path of its own"
                    ));
                }
                Ok(VolumePlace::Refused(fact)) => check.refuse(fact.fact, fact.advice),
                Ok(VolumePlace::Made(volume)) => check.ok(format!("{} is there for claim {claim}", volume.name)),
                Ok(VolumePlace::Waiting(volume)) => {
                    check.advise(
                        format!("volume {} waits for claim {claim}, made by somebody else", volume.name),
                        "make sure that no earlier member has left its data there",
                    );
                }
                Ok(VolumePlace::Free(new)) => {
                    let model = new.model.as_deref().unwrap_or("your template");
                    let path = new.path().map(|path| format!(", path {path}")).unwrap_or_default();
                    check.ok(format!("{} is made for claim {claim}, modelled on {model}{path}", new.name));
                    for note in &new.notes {
                        check.advise(note.fact.clone(), note.advice.clone());
                    }
                }
            },
        }
    }
    check.end(if provisioned.is_empty() { "the pods have no claims".to_owned() } else { provisioned.join(", ") })
}

/// The cluster's volumes, as far as they were asked for with this name.
fn listed<'a>(context: Context<'a>, name: &str) -> &'a [Volume] {
    match context.observation.answer(&Question::Volumes { names: vec![name.to_owned()] }) {
        Some(Answer::Volumes(Known::Known(volumes))) => volumes,
        _ => &[],
    }
}
