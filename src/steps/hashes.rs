//! Key-value hashes: whether the voters hold the same data at one revision.
//!
//! Hashing stops writes through the hashed member while it runs, so followers come first, one at a time, and the
//! leader only where that was quick or was agreed to. Hashes of different compact revisions do not compare
//! (etcd's own corruption check has the same rule, server/etcdserver/corrupt.go).

use crate::model::{Answer, Hash, HashPolicy, Known, MemberId, Observation, Question};

/// Below this a follower's hash was quick enough to ask the leader for one too, in milliseconds.
const QUICK_MS: u64 = 50;

/// Why hashes do not compare.
pub(super) const COMPACTED: &str = "the members were compacted at different revisions";

/// What the hashes say.
#[derive(Debug, Clone, PartialEq)]
pub enum Hashes {
    /// One more has to be asked for.
    Ask(Question),
    /// Those that were compared are equal.
    Equal {
        /// At this revision.
        revision: i64,
        /// Names of the members that were hashed.
        hashed: Vec<String>,
        /// Names of those that were not.
        not_hashed: Vec<String>,
        /// The slowest, in milliseconds.
        slowest_ms: u64,
    },
    /// There was nothing to compare; the text says why.
    Nothing(String),
    /// Two members hold different data.
    Differ {
        /// At this revision.
        revision: i64,
        /// Member names and hashes.
        hashes: Vec<(String, u32)>,
    },
    /// The members were compacted at different revisions, so their hashes do not compare.
    Compacted,
    /// They could not be compared this time; the text says why.
    Again(String),
}

/// A voter that is asked, and the pod to ask it in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Voter {
    pub(super) member: MemberId,
    /// As a person would call it.
    pub(super) name: String,
    pub(super) pod: String,
    pub(super) leads: bool,
}

/// All voters in the order in which they are asked, the leader last, and the newest revision that all of them have.
///
/// # Errors
/// With the reason, where one of them is not known well enough.
pub(super) fn voters(observation: &Observation) -> Result<(Vec<Voter>, i64), String> {
    let Some(members) = observation.members.known() else {
        return Err("the member list is not known".to_owned());
    };
    let mut voters = Vec::new();
    let mut common = None;
    for voter in members.voters() {
        let (Some(status), Some(pod)) = (observation.status_of(voter.id), observation.pod_of(voter)) else {
            return Err(format!("{} does not answer", voter.called()));
        };
        common = Some(common.map_or(status.revision, |revision: i64| revision.min(status.revision)));
        let (member, name, pod) = (voter.id, voter.called(), pod.name.clone());
        voters.push(Voter { member, name, pod, leads: status.leads() });
    }
    voters.sort_by_key(|voter| (voter.leads, voter.pod.clone()));
    Ok((voters, common.unwrap_or_default()))
}

/// Compares the voters' hashes at the newest revision that all of them have.
pub fn compare_hashes(observation: &Observation, policy: HashPolicy) -> Hashes {
    if policy == HashPolicy::None {
        return Hashes::Nothing("not hashed, as asked (--hash none)".to_owned());
    }
    let (voters, revision) = match voters(observation) {
        Ok(voters) => voters,
        Err(why) => return Hashes::Again(why),
    };
    if voters.len() < 2 {
        return Hashes::Nothing("one voter, nothing to compare".to_owned());
    }
    let mut answers: Vec<(String, Hash)> = Vec::new();
    let mut not_hashed = Vec::new();
    for Voter { member, name, pod, leads } in voters {
        let question = Question::Hash { member, pod, revision };
        let answer = observation.answer(&question);
        let quick = answers.iter().all(|(_, hash)| hash.took_ms < QUICK_MS);
        if answer.is_none() && leads && policy == HashPolicy::Followers && !quick {
            not_hashed.push(name);
            continue;
        }
        match answer {
            None => return Hashes::Ask(question),
            Some(Answer::Hash(Known::Known(hash))) => answers.push((name, *hash)),
            Some(Answer::Hash(Known::Unknown(why))) => return Hashes::Again(format!("{name}: {why}")),
            Some(_) => return Hashes::Again("the answer was none to this question".to_owned()),
        }
    }
    let slowest_ms = answers.iter().map(|(_, hash)| hash.took_ms).max().unwrap_or_default();
    let compact = answers.first().map(|(_, hash)| hash.compact_revision);
    if answers.iter().any(|(_, hash)| Some(hash.compact_revision) != compact) {
        return Hashes::Compacted;
    }
    let first = answers.first().map(|(_, hash)| hash.hash);
    if answers.iter().any(|(_, hash)| Some(hash.hash) != first) {
        return Hashes::Differ {
            revision,
            hashes: answers.into_iter().map(|(name, hash)| (name, hash.hash)).collect(),
        };
    }
    let hashed = answers.into_iter().map(|(name, _)| name).collect();
    Hashes::Equal { revision, hashed, not_hashed, slowest_ms }
}

/// What the newest member must still be asked to prove that it holds what the others held before the run: its hash at
/// the first revision that was hashed, which is compared only while nothing was compacted since.
pub(super) fn compare_with_first(observation: &Observation, newest: MemberId, pod: &str) -> Hashes {
    let first = observation.answers.iter().find_map(|(question, answer)| match (question, answer) {
        (Question::Hash { revision, member, .. }, Answer::Hash(Known::Known(hash))) if *member != newest => {
            Some((*revision, *hash))
        }
        _ => None,
    });
    let Some((revision, before)) = first else {
        return Hashes::Nothing("nothing was hashed before".to_owned());
    };
    let question = Question::Hash { member: newest, pod: pod.to_owned(), revision };
    match observation.answer(&question) {
        None => Hashes::Ask(question),
        Some(Answer::Hash(Known::Known(hash))) if hash.compact_revision != before.compact_revision => {
            Hashes::Nothing("compacted since".to_owned())
        }
        Some(Answer::Hash(Known::Known(hash))) if hash.hash != before.hash => {
            Hashes::Differ { revision, hashes: vec![("before".to_owned(), before.hash), (pod.to_owned(), hash.hash)] }
        }
        Some(Answer::Hash(Known::Known(hash))) => {
            Hashes::Equal { revision, hashed: vec![pod.to_owned()], not_hashed: Vec::new(), slowest_ms: hash.took_ms }
        }
        Some(_) => Hashes::Nothing("compacted since".to_owned()),
    }
}

impl Hashes {
    /// A phrase on equal or skipped hashes, for a proof.
    pub fn phrase(&self) -> Option<String> {
        match self {
            Self::Equal { revision, hashed, not_hashed, slowest_ms } => {
                let mut text = format!(
                    "key-value hashes equal on {} at revision {revision} (slowest {slowest_ms} ms)",
                    hashed.join(", ")
                );
                if !not_hashed.is_empty() {
                    use std::fmt::Write as _;
                    let _ = write!(
                        text,
                        "; leader {} not hashed, it would stop writes (--hash all)",
                        not_hashed.join(", ")
                    );
                }
                Some(text)
            }
            Self::Nothing(why) => Some(format!("key-value hashes not compared: {why}")),
            Self::Compacted => Some(format!("key-value hashes not compared: {COMPACTED}")),
            _ => None,
        }
    }

    /// Why they could not be compared this time.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Again(why) => Some(why.clone()),
            Self::Compacted => Some(COMPACTED.to_owned()),
            _ => None,
        }
    }

    /// The fact and the advice where two members differ.
    pub fn difference(&self) -> Option<(String, String)> {
        let Self::Differ { revision, hashes } = self else { return None };
        let list: Vec<_> = hashes.iter().map(|(name, hash)| format!("{name} {hash:08x}")).collect();
        Some((
            format!("the members hold different data at revision {revision}: {}", list.join(", ")),
            "do not change the cluster; see which keys differ with `etcd-scale verify --deep`".to_owned(),
        ))
    }
}
