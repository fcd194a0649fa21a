//! `status` of several StatefulSets: a line for each, or the list of their documents.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::commands::Commands;
use super::escape::escape;
use super::status::Status;
use super::table::table;
use crate::model::{Known, Members, Observation};
use crate::runbook::Trouble;

/// HEALTH comes last: a fact may be long.
const HEADER: [&str; 7] = ["NAMESPACE", "NAME", "PODS", "MEMBERS", "STAGE", "NEXT", "HEALTH"];

/// What stands for a cell that could not be read.
const UNKNOWN: &str = "unknown";

/// What `status` shows of several.
pub(super) struct Statuses {
    /// For programs: what `status` of each gives, or why it could not be read.
    pub(super) documents: Vec<Value>,
    lines: Vec<[String; HEADER.len()]>,
}

impl Statuses {
    pub(super) fn of(found: &BTreeMap<(String, String), Result<Observation, Trouble>>, commands: &Commands) -> Self {
        let (mut documents, mut lines) = (Vec::new(), Vec::new());
        for ((namespace, name), read) in found {
            let (document, cells) = match read {
                Ok(observation) => {
                    let status = Status::of(observation, commands);
                    (json!(status), cells(observation, &status))
                }
                Err(trouble) => (
                    json!({"statefulset": format!("{namespace}/{name}"), "trouble": trouble}),
                    [UNKNOWN, UNKNOWN, UNKNOWN, "-", &trouble.message].map(str::to_owned),
                ),
            };
            let [pods, members, stage, next, health] = cells;
            documents.push(document);
            lines.push(
                [namespace.clone(), name.clone(), pods, members, stage, next, health].map(|cell| one_line(&cell)),
            );
        }
        Self { documents, lines }
    }

    /// The lines for people.
    pub(super) fn text(&self) -> String {
        table(HEADER, &self.lines)
    }
}

/// What follows the name.
fn cells(observation: &Observation, status: &Status) -> [String; 5] {
    let set = &observation.statefulset;
    let ready = observation.pods.iter().filter(|pod| pod.fully_ready()).count();
    [
        format!("{ready}/{}", set.replicas),
        members(&observation.members),
        status.standing.stage_word(),
        status.way.verb.map_or("-", |verb| verb.word()).to_owned(),
        status.first_fact().unwrap_or_else(|| "ok".to_owned()),
    ]
}

/// The number of voters, and that of learners where there are any.
fn members(members: &Known<Members>) -> String {
    let Some(members) = members.known() else { return UNKNOWN.to_owned() };
    let (voters, learners) = (members.voters().count(), members.learners().count());
    if learners == 0 { voters.to_string() } else { format!("{voters}+{learners}") }
}

/// A cell in one line, whatever an API server or a member has put into its words.
fn one_line(text: &str) -> String {
    escape(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}
