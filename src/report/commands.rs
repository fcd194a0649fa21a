//! Commands that are advised, as their reader has to type them to reach the same cluster with the same program.

use std::borrow::Cow;

use crate::model::Fact;
use crate::runbook::{Event, Finding, Outcome, Plan, PlanEnd, Trouble};

/// The name by which texts call this program.
const OWN: &str = "etcd-scale";

/// Its verbs that texts advise, and those of kubectl. Other words after the names are prose.
const OWN_VERBS: [&str; 10] =
    ["up", "down", "replace", "abort", "settle", "check", "verify", "status", "snapshot", "sandbox"];
const KUBECTL_VERBS: [&str; 9] =
    ["create", "delete", "describe", "exec", "get", "logs", "patch", "port-forward", "scale"];

/// How the reader called this program, and the options that lead to the same cluster.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    /// What was typed to call it.
    pub(super) program: &'static str,
    /// Options that kubectl knows too, each with a space before it.
    pub(super) shared: String,
    /// Options that only this program knows.
    pub(super) own: String,
    /// The options that name the StatefulSet, for commands that are told without.
    pub(super) set: String,
}

impl Default for Commands {
    fn default() -> Self {
        Self { program: OWN, shared: String::new(), own: String::new(), set: String::new() }
    }
}

impl Commands {
    /// Whether commands are to be typed just as they are.
    fn change_nothing(&self) -> bool {
        self.program == OWN && self.shared.is_empty() && self.own.is_empty() && self.set.is_empty()
    }

    /// An advice, with the commands in it as they have to be typed: without the options, a command that is pasted would
    /// go to whatever cluster the kubeconfig names at that time.
    pub(super) fn typed(&self, text: &str) -> String {
        if self.change_nothing() {
            return text.to_owned();
        }
        let everything = [self.shared.as_str(), self.own.as_str()].concat();
        let named = [
            ("etcd-scale ", OWN_VERBS.as_slice(), self.program, everything.as_str(), self.set.as_str()),
            ("kubectl ", KUBECTL_VERBS.as_slice(), "kubectl", self.shared.as_str(), ""),
        ];
        let mut typed = String::with_capacity(text.len());
        let mut read = 0;
        // Words with the space or line end after each.
        let mut words = text.split_inclusive(char::is_whitespace).peekable();
        while let Some(word) = words.next() {
            read += word.len();
            let next = words.peek().copied().unwrap_or_default();
            let end = next.find(|end: char| !(end.is_ascii_lowercase() || end == '-')).unwrap_or(next.len());
            let (verb, rest) = next.split_at(end);
            let command = named.iter().find_map(|(name, verbs, program, options, set)| {
                let before = word.strip_suffix(name)?;
                // A path or a longer name ends in the same letters.
                let whole = !before.ends_with(|last: char| last.is_alphanumeric() || "/-_.".contains(last));
                let set = if names_no_set(verb, &text[read + end..]) { set } else { "" };
                (whole && verbs.contains(&verb)).then_some([before, program, " ", verb, options, set, rest])
            });
            match command {
                Some(command) => {
                    typed.extend(command);
                    read += words.next().map_or(0, str::len);
                }
                None => typed.push_str(word),
            }
        }
        typed
    }

    /// The command for a change. What it carries in quotes goes into the cluster as it is.
    pub(super) fn command(&self, command: &str) -> String {
        match (command.find('\''), command.rfind('\'')) {
            (Some(first), Some(last)) => {
                [&self.typed(&command[..first]), &command[first..=last], &self.typed(&command[last + 1..])].concat()
            }
            _ => self.typed(command),
        }
    }

    /// The same event, with every command that it advises as it has to be typed.
    pub(super) fn in_event<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        if self.change_nothing() {
            return Cow::Borrowed(event);
        }
        let mut event = event.clone();
        match &mut event {
            Event::Planned { plan } => self.plan(plan),
            Event::ChangeStarted { command, .. } => *command = self.command(command),
            Event::ChangeFailed { trouble, .. }
            | Event::ObserveFailed { trouble }
            | Event::Rehearsed { trouble: Some(trouble), .. } => self.trouble(trouble),
            Event::StepDone { findings, .. } => self.findings(findings),
            Event::RunEnded { summary } => {
                summary.plan.iter_mut().for_each(|plan| self.plan(plan));
                match &mut summary.outcome {
                    Outcome::Refused { facts, findings, .. } => {
                        self.facts(facts);
                        self.findings(findings);
                    }
                    Outcome::Failed { trouble, .. } => self.trouble(trouble),
                    Outcome::TimedOut { way_out: advice, .. } | Outcome::Contradiction { advice, .. } => {
                        *advice = self.typed(advice);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Cow::Owned(event)
    }

    fn plan(&self, plan: &mut Plan) {
        for planned in &mut plan.changes {
            planned.command = self.command(&planned.command);
            planned.undo = self.typed(&planned.undo);
        }
        if let PlanEnd::Refused { facts, .. } = &mut plan.end {
            self.facts(facts);
        }
    }

    pub(super) fn facts(&self, facts: &mut [Fact]) {
        for fact in facts {
            fact.advice = self.typed(&fact.advice);
        }
    }

    pub(super) fn trouble(&self, trouble: &mut Trouble) {
        trouble.advice = trouble.advice.as_deref().map(|advice| self.typed(advice));
    }

    fn findings(&self, findings: &mut [Finding]) {
        for finding in findings {
            finding.advice = finding.advice.as_deref().map(|advice| self.typed(advice));
        }
    }
}

/// Whether a command of this program's, of which `rest` is what follows the verb, is about a StatefulSet and does not
/// say which.
fn names_no_set(verb: &str, rest: &str) -> bool {
    let options = rest.split(['`', ')', ';', '\n', '\u{1b}']).next().unwrap_or_default().trim();
    let options_only = options.is_empty() || options.starts_with("--");
    verb != "sandbox" && options_only && !options.contains("--sts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_lead_to_the_same_cluster_by_the_same_name() {
        let commands = Commands {
            program: "kubectl etcd-scale",
            shared: " --context lab".to_owned(),
            own: " --via exec".to_owned(),
            set: String::new(),
        };
        for (text, typed) in [
            ("look with `etcd-scale status`", "look with `kubectl etcd-scale status --context lab --via exec`"),
            (
                "Go on with: etcd-scale up --sts a\nor",
                "Go on with: kubectl etcd-scale up --context lab --via exec --sts a\nor",
            ),
            (
                "\u{1b}[2m-> etcd-scale verify\u{1b}[0m",
                "\u{1b}[2m-> kubectl etcd-scale verify --context lab --via exec\u{1b}[0m",
            ),
            ("(kubectl delete pvc -n a b)", "(kubectl delete --context lab pvc -n a b)"),
            ("`kubectl describe pod`, then", "`kubectl describe --context lab pod`, then"),
            ("which etcd-scale does not edit", "which etcd-scale does not edit"),
            ("as kubectl apply does", "as kubectl apply does"),
            ("/usr/bin/etcd-scale up", "/usr/bin/etcd-scale up"),
            ("of etcd-scale", "of etcd-scale"),
        ] {
            assert_eq!(commands.typed(text), typed);
            assert_eq!(Commands::default().typed(text), text);
        }
        for (command, typed) in [
            (
                "kubectl patch statefulset -n a b -p '{\"args\":\"kubectl get it'\\''s\"}'",
                "kubectl patch --context lab statefulset -n a b -p '{\"args\":\"kubectl get it'\\''s\"}'",
            ),
            ("echo '{}' | kubectl create -f -", "echo '{}' | kubectl create --context lab -f -"),
        ] {
            assert_eq!(commands.command(command), typed);
        }
    }

    #[test]
    fn a_command_that_names_no_statefulset_is_about_the_one_at_hand() {
        let commands = Commands { set: " --sts a -n b".to_owned(), ..Commands::default() };
        for (text, typed) in [
            ("look with `etcd-scale status`", "look with `etcd-scale status --sts a -n b`"),
            ("again: etcd-scale verify", "again: etcd-scale verify --sts a -n b"),
            ("with `etcd-scale verify --deep` then", "with `etcd-scale verify --sts a -n b --deep` then"),
            ("(etcd-scale up --to 3 --sts c -n d), or", "(etcd-scale up --to 3 --sts c -n d), or"),
            ("etcd-scale status --sts c -n d", "etcd-scale status --sts c -n d"),
            ("end it: etcd-scale sandbox down", "end it: etcd-scale sandbox down"),
            ("`kubectl describe pvc`, or `kubectl get`", "`kubectl describe pvc`, or `kubectl get`"),
        ] {
            assert_eq!(commands.typed(text), typed);
        }
    }
}
