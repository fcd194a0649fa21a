//! Who else keeps the StatefulSet as a source of its own says, and would undo a change that is not made there as well.

use super::StatefulSet;

/// A tool that makes the StatefulSet from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Such as `Argo CD`.
    pub who: &'static str,
    /// What shows it.
    pub sign: String,
    /// Whether it acts by itself, rather than when somebody runs it.
    pub by_itself: bool,
}

/// Labels and annotations that such tools leave, and whose they are.
const MARKS: &[(&str, &str, bool)] = &[
    ("argocd.argoproj.io/tracking-id", "Argo CD", true),
    ("argocd.argoproj.io/instance", "Argo CD", true),
    ("kustomize.toolkit.fluxcd.io/name", "Flux", true),
    ("helm.toolkit.fluxcd.io/name", "Flux", true),
    ("meta.helm.sh/release-name", "Helm", false),
    ("kubectl.kubernetes.io/last-applied-configuration", "kubectl apply", false),
];

/// Field managers under which they write.
const MANAGERS: &[(&str, &str, bool)] = &[
    ("argocd", "Argo CD", true),
    ("kustomize-controller", "Flux", true),
    ("helm-controller", "Flux", true),
    ("helm", "Helm", false),
];

impl StatefulSet {
    /// The tools that make the StatefulSet from a source, each once.
    pub fn sources(&self) -> Vec<Source> {
        let mut found: Vec<Source> = Vec::new();
        let mut add = |who, sign, by_itself| {
            if !found.iter().any(|source: &Source| source.who == who) {
                found.push(Source { who, sign, by_itself });
            }
        };
        for (mark, who, by_itself) in MARKS {
            if self.labels.contains_key(*mark) || self.annotations.contains_key(*mark) {
                add(*who, format!("{mark} is set"), *by_itself);
            }
        }
        for manager in &self.managers {
            if let Some((_, who, by_itself)) = MANAGERS.iter().find(|(prefix, ..)| manager.starts_with(prefix)) {
                add(*who, format!("{manager} has written it"), *by_itself);
            }
        }
        if self.labels.get("app.kubernetes.io/managed-by").is_some_and(|by| by == "Helm") {
            add("Helm", "app.kubernetes.io/managed-by is Helm".to_owned(), false);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_found_once_by_its_signs() {
        let mut set = StatefulSet::default();
        assert_eq!(set.sources(), []);
        set.labels.insert("app.kubernetes.io/managed-by".into(), "Helm".into());
        set.annotations.insert("meta.helm.sh/release-name".into(), "rok".into());
        set.managers = vec!["kubectl-edit".into(), "argocd-controller".into(), "helm".into()];
        let found: Vec<_> = set.sources().into_iter().map(|source| (source.who, source.by_itself)).collect();
        assert_eq!(found, [("Helm", false), ("Argo CD", true)]);
    }
}
