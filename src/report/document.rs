//! Results for programs: one JSON document at the end, or one event a line as they happen.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::runbook::Event;

/// Version of both forms. It grows when a field changes its meaning or goes.
pub(super) const VERSION: u32 = 1;

/// The lines of `-o ndjson`, numbered.
#[derive(Debug, Default)]
pub(super) struct Lines {
    next: u64,
}

impl Lines {
    /// The next line, for an event or for a result that is no event.
    pub(super) fn line(&mut self, event: &impl Serialize, now: Timestamp) -> Value {
        let mut line = Map::new();
        line.insert("version".to_owned(), json!(VERSION));
        line.insert("seq".to_owned(), json!(self.next));
        line.insert("time".to_owned(), json!(now.to_string()));
        self.next += 1;
        match serde_json::to_value(event) {
            Ok(Value::Object(fields)) => line.extend(fields),
            Ok(other) => drop(line.insert("value".to_owned(), other)),
            Err(error) => drop(line.insert("unserialisable".to_owned(), json!(error.to_string()))),
        }
        Value::Object(line)
    }
}

/// What `-o json` prints at the end, gathered from a run's events.
#[derive(Debug, Default)]
pub(super) struct Document {
    fields: Map<String, Value>,
    findings: Vec<Value>,
    rehearsed: Vec<Value>,
    comparisons: Vec<Value>,
}

impl Document {
    /// Takes in an event.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { statefulset, goal, dry_run, before, .. } => {
                // A second run takes back what the first one left half-way.
                if !self.fields.is_empty() {
                    let first = std::mem::take(&mut self.fields);
                    self.fields.insert("failed".to_owned(), Value::Object(first));
                }
                self.fields.insert("statefulset".to_owned(), json!(statefulset));
                self.fields.insert("goal".to_owned(), json!(goal));
                self.fields.insert("dryRun".to_owned(), json!(dry_run));
                self.fields.insert("before".to_owned(), json!(before));
            }
            Event::StepDone { step, findings, .. } => {
                self.findings.extend(findings.iter().map(|finding| of_step(&json!(finding), &json!(step))));
            }
            Event::KeysCompared { .. } => {
                let mut comparison = json!(event);
                if let Some(fields) = comparison.as_object_mut() {
                    fields.remove("type");
                }
                self.comparisons.push(comparison);
            }
            Event::Rehearsed { change, trouble } => {
                self.rehearsed.push(json!({"change": change, "trouble": trouble}));
            }
            Event::RunEnded { summary } => {
                if let Value::Object(summary) = json!(summary) {
                    // The step that refuses is not reached, and what it found comes last.
                    if let Some(Value::Array(own)) = summary.get("findings") {
                        self.findings.extend(own.iter().map(|finding| of_step(finding, &summary["step"])));
                    }
                    self.fields.extend(summary);
                }
            }
            _ => {}
        }
    }

    /// Takes in why the run, which has failed, was not taken back.
    pub(super) fn not_taken_back(&mut self, why: Value) {
        self.fields.insert("rollback".to_owned(), why);
    }

    /// Whether no run has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The whole document.
    pub(super) fn end(self, exit_code: u8) -> Value {
        let mut document = Map::new();
        document.insert("version".to_owned(), json!(VERSION));
        document.extend(self.fields);
        document.insert("findings".to_owned(), Value::Array(self.findings));
        if !self.rehearsed.is_empty() {
            document.insert("rehearsed".to_owned(), Value::Array(self.rehearsed));
        }
        if !self.comparisons.is_empty() {
            document.insert("keyComparisons".to_owned(), Value::Array(self.comparisons));
        }
        document.insert("exitCode".to_owned(), json!(exit_code));
        Value::Object(document)
    }
}

/// A finding with the step that found it.
fn of_step(finding: &Value, step: &Value) -> Value {
    let mut finding = finding.clone();
    finding["step"] = step.clone();
    finding
}
