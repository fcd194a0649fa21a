//! A member to replace, and all that has to go with it.

use serde::{Deserialize, Serialize};

use super::{MemberId, Observation};

/// A member to replace, and what it ran on. All of it has to be gone before the member that takes its place is added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replaced {
    /// The ordinal of its pod.
    pub ordinal: i32,
    /// The member; none where it had been removed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// The uid of its pod; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The uids of its claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
}

impl Replaced {
    /// What an ordinal runs on now.
    pub fn of(observation: &Observation, ordinal: i32) -> Self {
        let names = observation.claim_names(ordinal);
        let claims = observation.claims.known().into_iter().flatten();
        Self {
            ordinal,
            member: observation.member_of_ordinal(ordinal).map(|member| member.id),
            pod: observation.pod(ordinal).map(|pod| pod.uid.clone()),
            claims: claims.filter(|claim| names.contains(&claim.name)).map(|claim| claim.uid.clone()).collect(),
        }
    }
}
