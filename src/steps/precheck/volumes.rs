//! Who makes the volume of the new member's claim, and whether one that has to be made by hand can be.

use super::{Check, Context};
use crate::model::{Question, VolumeNeed, VolumePlace, volume_needs};
use crate::runbook::Finding;
use crate::steps::create_volume::place;

/// The question to ask, where it has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    if !context.grows() || context.resumes() {
        return None;
    }
    volume_needs(context.observation, context.goal).into_iter().find_map(|(_, need)| match need {
        VolumeNeed::Make(new) => place(&new, context.observation).err(),
        _ => None,
    })
}

/// Whether a volume has to be made by hand, for which more permissions are needed.
pub(super) fn to_make(context: Context<'_>) -> bool {
    context.grows()
        && volume_needs(context.observation, context.goal).iter().any(|(_, need)| matches!(need, VolumeNeed::Make(_)))
}

pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let mut check = Check::new("volumes");
    let needs = volume_needs(context.observation, context.goal);
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
