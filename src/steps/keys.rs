//! Keys: which of them the voters hold differently, where hashes do not prove that they hold the same.
//!
//! Voters with one hash at one compact revision hold the same keys, so one of them speaks for all. The hash that most
//! voters have is what the others are compared with, and of as many the leader's; nobody says here which of them is right.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::hashes::{Voter, voters};
use crate::model::{Answer, DifferentKey, HeldKey, KeyComparison, KeyHolder, Known, Observation, Question};
use crate::runbook::{Finding, Level};

/// What helps where members hold different keys.
pub(super) const UNTIL_KNOWN: &str =
    "do not change the cluster until it is known which member is right; the others then join anew, empty";

/// The longest part of a key that is shown.
const SHOWN: usize = 200;

/// Voters that are known to hold the same.
struct Alike {
    /// Their hash and its compact revision; none where it was not asked for.
    hash: Option<(u32, i64)>,
    voters: Vec<Voter>,
}

impl Alike {
    fn names(&self) -> String {
        self.voters.iter().map(|voter| voter.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn holder(&self) -> Option<KeyHolder> {
        self.voters.first().map(|voter| KeyHolder { member: voter.member, pod: voter.pod.clone() })
    }
}

/// Compares the keys of voters that no hash proves to hold the same. Findings, or what must be asked first.
pub(super) fn compare_keys(observation: &Observation) -> Result<Vec<Finding>, Question> {
    if !observation.via.streams() {
        let via = observation.via;
        return Ok(vec![finding(Level::Refused, format!("keys not compared: {via} cannot stream them"))]);
    }
    let (alike, revision) = match voters(observation) {
        Ok((voters, revision)) => (alike(voters, revision, observation), revision),
        Err(why) => return Ok(vec![finding(Level::Refused, format!("keys not compared: {why}"))]),
    };
    let [reference, others @ ..] = alike.as_slice() else {
        return Ok(Vec::new());
    };
    if others.is_empty() {
        let found = "nothing is left to compare: equal hashes are proof of equal keys".to_owned();
        return Ok(if reference.voters.len() > 1 { vec![finding(Level::Ok, found)] } else { Vec::new() });
    }
    let mut findings = Vec::new();
    for other in others {
        let (Some(one), Some(two)) = (reference.holder(), other.holder()) else { continue };
        let question = Question::Keys { revision, reference: one, other: two };
        match observation.answer(&question) {
            None => return Err(question),
            Some(Answer::Keys(comparison)) => findings.extend(told(comparison, revision, reference, other)),
            Some(_) => findings.push(finding(Level::Refused, "the answer was none to this question".to_owned())),
        }
    }
    Ok(findings)
}

/// Voters by what they are known to hold. First those that the others are compared with: the most, and of as many those
/// with the leader, also where it was not hashed.
fn alike(voters: Vec<Voter>, revision: i64, observation: &Observation) -> Vec<Alike> {
    let mut all: Vec<Alike> = Vec::new();
    for voter in voters {
        let question = Question::Hash { member: voter.member, pod: voter.pod.clone(), revision };
        let hash = match observation.answer(&question) {
            Some(Answer::Hash(Known::Known(hash))) => Some((hash.hash, hash.compact_revision)),
            _ => None,
        };
        match all.iter_mut().find(|alike| hash.is_some() && alike.hash == hash) {
            Some(alike) => alike.voters.push(voter),
            None => all.push(Alike { hash, voters: vec![voter] }),
        }
    }
    all.sort_by_key(|alike| {
        let leads = alike.voters.iter().any(|voter| voter.leads);
        Reverse((alike.voters.len(), leads))
    });
    all
}

/// What came of one comparison.
fn told(comparison: &KeyComparison, revision: i64, reference: &Alike, other: &Alike) -> Vec<Finding> {
    let KeyComparison { compared, differing, first, broken_off } = comparison;
    let (one, two) = (reference.names(), other.names());
    let mut findings = Vec::new();
    if let Some(why) = broken_off {
        let found = format!(
            "not all keys on {two} could be compared with those on {one} at revision {revision}: {why}; {differing} of \
             the {compared} that were differ"
        );
        let advice = "run the same command again; where the cluster was compacted meanwhile, it takes a newer revision";
        findings.push(Finding { advice: Some(advice.to_owned()), ..finding(Level::Refused, found) });
    } else if *differing > 0 {
        let found =
            format!("{differing} of {compared} keys on {two} differ from those on {one} at revision {revision}");
        findings.push(Finding { advice: Some(UNTIL_KNOWN.to_owned()), ..finding(Level::Refused, found) });
    } else {
        let found = format!("all {compared} keys on {two} are equal to those on {one} at revision {revision}");
        let hashes_differ = reference.hash.zip(other.hash).is_some_and(|(one, two)| one.1 == two.1);
        findings.push(if hashes_differ {
            let advice = "the hashes differ for earlier revisions, which they cover back to the last compaction; etcd \
                          before 3.4.34 and 3.5.16 hashes those differently from newer ones";
            Finding { advice: Some(advice.to_owned()), ..finding(Level::Advice, found) }
        } else {
            finding(Level::Ok, found)
        });
    }
    let (one, two) = (name(reference), name(other));
    findings.extend(first.iter().map(|different| Finding {
        id: "key".to_owned(),
        level: Level::Refused,
        found: sentence(different, one, two),
        advice: None,
    }));
    findings
}

fn name(alike: &Alike) -> &str {
    alike.voters.first().map_or("", |voter| &voter.name)
}

/// How two members hold one key.
fn sentence(different: &DifferentKey, reference: &str, other: &str) -> String {
    let DifferentKey { key, reference: one, other: two, values_differ } = different;
    let mut text = format!("\"{}\": ", abbreviated(key));
    let (one, two) = match (one, two) {
        (Some(one), Some(two)) => (one, two),
        (Some(held), None) => return text + &only(held, reference, other),
        (None, Some(held)) => return text + &only(held, other, reference),
        (None, None) => return text,
    };
    let _ = write!(text, "{reference} and {other} have ");
    let mut parts = Vec::new();
    if *values_differ {
        parts.push(format!("different values ({} and {} bytes)", one.bytes, two.bytes));
    }
    let numbers = [
        ("mod revision", one.mod_revision, two.mod_revision),
        ("version", one.version, two.version),
        ("create revision", one.create_revision, two.create_revision),
    ];
    for (what, one, two) in numbers {
        if one != two {
            parts.push(format!("{what} {one} and {two}"));
        } else if what == "mod revision" {
            parts.push(format!("{what} {one}"));
        }
    }
    if one.lease != two.lease {
        let lease = |held: &HeldKey| held.lease.clone().unwrap_or_else(|| "none".to_owned());
        parts.push(format!("lease {} and {}", lease(one), lease(two)));
    }
    text + &parts.join(", ")
}

fn only(held: &HeldKey, has: &str, lacks: &str) -> String {
    format!("missing on {lacks}; {has} has {} bytes, mod revision {}", held.bytes, held.mod_revision)
}

/// A key that is too long to show has its beginning shown. It is ASCII.
fn abbreviated(key: &str) -> String {
    match key.get(..SHOWN) {
        Some(beginning) if key.len() > SHOWN => format!("{beginning}...({} more)", key.len() - SHOWN),
        _ => key.to_owned(),
    }
}

fn finding(level: Level, found: String) -> Finding {
    Finding { id: "keys".to_owned(), level, found, advice: None }
}
