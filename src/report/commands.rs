//! Commands in texts, as their reader has to type them to reach the same cluster with the same program.

use std::borrow::Cow;

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
}

impl Default for Commands {
    fn default() -> Self {
        Self { program: OWN, shared: String::new(), own: String::new() }
    }
}

impl Commands {
    /// A text with the commands in it as they have to be typed: without the options, a command that is pasted would go
    /// to whatever cluster the kubeconfig names at that time.
    pub(super) fn typed<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.program == OWN && self.shared.is_empty() && self.own.is_empty() {
            return Cow::Borrowed(text);
        }
        let everything = [self.shared.as_str(), self.own.as_str()].concat();
        let named = [
            ("etcd-scale ", OWN_VERBS.as_slice(), self.program, everything.as_str()),
            ("kubectl ", KUBECTL_VERBS.as_slice(), "kubectl", self.shared.as_str()),
        ];
        let mut typed = String::with_capacity(text.len());
        // Words with the space or line end after each.
        let mut words = text.split_inclusive(char::is_whitespace).peekable();
        while let Some(word) = words.next() {
            let next = words.peek().copied().unwrap_or_default();
            let end = next.find(|end: char| !(end.is_ascii_lowercase() || end == '-')).unwrap_or(next.len());
            let (verb, rest) = next.split_at(end);
            let command = named.iter().find_map(|(name, verbs, program, options)| {
                let before = word.strip_suffix(name)?;
                // A path or a longer name ends in the same letters.
                let whole = !before.ends_with(|last: char| last.is_alphanumeric() || "/-_.".contains(last));
                (whole && verbs.contains(&verb)).then_some([before, program, " ", verb, options, rest])
            });
            match command {
                Some(command) => {
                    typed.extend(command);
                    words.next();
                }
                None => typed.push_str(word),
            }
        }
        Cow::Owned(typed)
    }
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
    }
}
