//! Whether a new member needs volumes that nobody else makes.

use serde_json::Value;

use super::super::{ClaimTemplate, DataDir, Fact, Goal, Known, Observation, StorageClass};
use super::models::{from_neighbour, from_template};
use super::{NewVolume, Volume};

/// What one claim of the new member needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeNeed {
    /// The cluster makes its volume.
    Provisioned(String),
    /// Nobody makes its volume, and it cannot be told what it should look like.
    Unmodelled(String),
    /// It cannot be told who makes its volume.
    Unknown(String),
    /// This volume has to be made.
    Make(Box<NewVolume>),
    /// A volume has to be made, and a fact stands in the way.
    Refused(Fact),
}

/// What each claim of the new member needs. Which other volumes there are in the cluster does not count yet.
pub fn volume_needs(observation: &Observation, goal: &Goal) -> Vec<(String, VolumeNeed)> {
    let set = &observation.statefulset;
    let ordinal = goal.ordinal(set.start);
    let etcd = set.template.etcd();
    let mut needs: Vec<(String, VolumeNeed)> = Vec::new();
    for template in &set.claim_templates {
        let claim = format!("{}-{}-{ordinal}", template.name, set.name);
        let holds_data = etcd.is_some_and(|(_, container)| {
            set.template.data_dir(container, &set.claim_templates) == DataDir::OnClaim(template.name.clone())
        });
        let own = goal.volume_template.as_ref().filter(|_| holds_data);
        let mut need = need(observation, goal, template, &claim, own);
        if let VolumeNeed::Make(new) = &mut need {
            let before = needs.iter().find_map(|(_, need)| match need {
                VolumeNeed::Make(other) if other.is_on_nodes() => Some((&other.name, &other.manifest["spec"])),
                _ => None,
            });
            if let Some((name, spec)) = before {
                new.put_beside(name, spec);
            }
        }
        needs.push((claim, need));
    }
    needs
}

/// The names of the volumes that a run will make, for its record.
pub fn volumes_to_make(observation: &Observation, goal: &Goal) -> Vec<String> {
    let rounds = goal.rounds();
    let needs = rounds.iter().filter(|round| round.adds()).flat_map(|round| volume_needs(observation, round));
    needs
        .filter_map(|(_, need)| match need {
            VolumeNeed::Make(new) => Some(new.name),
            _ => None,
        })
        .collect()
}

fn need(
    observation: &Observation,
    goal: &Goal,
    template: &ClaimTemplate,
    claim: &str,
    own: Option<&Value>,
) -> VolumeNeed {
    let Some(classes) = observation.storage_classes.known() else {
        let why = observation.storage_classes.reason().unwrap_or_default();
        return VolumeNeed::Unknown(format!("the storage classes could not be read: {why}"));
    };
    let named = template.storage_class.as_deref();
    let why = match (class_of(template, classes), named) {
        (Some(class), _) if !provisions(class) => format!("storage class {} makes no volumes by itself", class.name),
        (Some(class), _) => {
            return VolumeNeed::Provisioned(format!("storage class {} makes the volume of {claim}", class.name));
        }
        (None, Some("")) => format!("claim {} asks for no storage class", template.name),
        (None, name) => {
            format!("storage class {} of claim {} does not exist", name.unwrap_or("(default)"), template.name)
        }
    };
    let (neighbours, unknown) = neighbours(observation, goal, &template.name);
    // Something outside makes volumes for a class that nobody sees.
    if let Some((_, volume)) = neighbours.last()
        && volume.provisioned()
    {
        return VolumeNeed::Unmodelled(why);
    }
    if let Some(own) = own {
        return match from_template(observation, goal, claim, own, neighbours.last().map(|(_, volume)| *volume)) {
            Ok(new) => VolumeNeed::Make(Box::new(new)),
            Err(fact) => VolumeNeed::Refused(fact),
        };
    }
    match neighbours.last() {
        Some((_, volume)) if volume.by_hand() => match from_neighbour(observation, goal, claim, &neighbours) {
            Ok(new) => VolumeNeed::Make(Box::new(new)),
            Err(fact) => VolumeNeed::Refused(fact),
        },
        Some(_) => VolumeNeed::Unmodelled(why),
        None => match unknown {
            // Its pod would stay Pending, with a learner waiting for it.
            Some(reason) => VolumeNeed::Refused(Fact::new(
                format!("{why}, and the volumes of the other claims could not be read: {reason}"),
                "ask for the permission to get, list and create persistentvolumes (a ClusterRole, see .github/rbac.yaml)",
            )),
            None => VolumeNeed::Unmodelled(why),
        },
    }
}

/// Whether a volume of the members' claims is, or may be, made by hand: where the volumes cannot be read, unless the storage
/// class of every claim is known to make its own.
pub fn may_be_by_hand(observation: &Observation) -> bool {
    let templates = &observation.statefulset.claim_templates;
    match &observation.volumes {
        Known::Known(volumes) => volumes.iter().any(Volume::by_hand),
        Known::Unknown(_) => !observation.storage_classes.is_known_and(|classes| {
            templates.iter().all(|template| class_of(template, classes).is_some_and(provisions))
        }),
    }
}

fn class_of<'a>(template: &ClaimTemplate, classes: &'a [StorageClass]) -> Option<&'a StorageClass> {
    match &template.storage_class {
        Some(name) => classes.iter().find(|class| class.name == *name),
        None => classes.iter().find(|class| class.default),
    }
}

fn provisions(class: &StorageClass) -> bool {
    class.provisioner != "kubernetes.io/no-provisioner"
}

/// The volumes of the present ordinals' claims of one template, the nearest last, and why they are not known.
fn neighbours<'a>(
    observation: &'a Observation,
    goal: &Goal,
    template: &str,
) -> (Vec<(i32, &'a Volume)>, Option<String>) {
    let set = &observation.statefulset;
    let (Some(claims), Some(volumes)) = (observation.claims.known(), observation.volumes.known()) else {
        let reason = observation.claims.reason().or(observation.volumes.reason()).unwrap_or_default();
        return (Vec::new(), Some(reason.to_owned()));
    };
    let found = set.ordinals(goal.from).filter_map(|ordinal| {
        let name = format!("{template}-{}-{ordinal}", set.name);
        let bound = claims.iter().find(|claim| claim.name == name)?.volume.as_ref()?;
        Some((ordinal, volumes.iter().find(|volume| volume.name == *bound)?))
    });
    (found.collect(), None)
}
