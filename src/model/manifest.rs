//! A manifest against what stands: the leaves in which they differ, as an apply would change them.
//!
//! The API server adds defaults, drops what is empty and writes quantities in a form of its own, so that a manifest and
//! the object made from it are rarely the same text. Lists of named elements are compared by name, as they are merged.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A leaf that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, such as `template.spec.containers[etcd].image`.
    pub path: String,
    /// What the one names; none where it names nothing.
    pub named: Option<Value>,
    /// What stands; none where nothing does.
    pub stands: Option<Value>,
}

impl Difference {
    /// The same, seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { path: self.path, named: self.stands, stands: self.named }
    }
}

/// Longest text of a value that is worth a place in a sentence.
const LONGEST: usize = 80;

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<Value>| match value {
            None => "nothing".to_owned(),
            Some(value) => {
                let text = value.to_string();
                match text.char_indices().nth(LONGEST) {
                    Some((end, _)) => format!("{}...", &text[..end]),
                    None => text,
                }
            }
        };
        write!(f, "{} from {} to {}", self.path, shown(&self.stands), shown(&self.named))
    }
}

/// Keys by which elements of a list are told apart, in this order.
const KEYS: &[&str] = &["name", "mountPath", "containerPort", "devicePath", "key", "topologyKey", "ip"];

/// Fields below which texts are quantities.
const QUANTITIES: &[&str] = &["requests", "limits", "capacity", "sizeLimit"];

/// The leaves that `named` names and that do not stand so, and elements of lists that only one of the two has. What
/// only stands is taken for a default.
pub fn differences(named: &Value, stands: &Value) -> Vec<Difference> {
    let mut comparison = Comparison { found: Vec::new(), whole: false };
    comparison.compare("", Some(named), Some(stands));
    comparison.found
}

/// All leaves in which two states of one object differ.
pub fn all_differences(wanted: &Value, stands: &Value) -> Vec<Difference> {
    let mut comparison = Comparison { found: Vec::new(), whole: true };
    comparison.compare("", Some(wanted), Some(stands));
    comparison.found
}

struct Comparison {
    found: Vec<Difference>,
    /// Whether what only stands counts as well.
    whole: bool,
}

impl Comparison {
    fn compare(&mut self, path: &str, named: Option<&Value>, stands: Option<&Value>) {
        match (named, stands) {
            (Some(Value::Object(named)), Some(Value::Object(stands))) => self.compare_maps(path, named, stands),
            (Some(Value::Array(named)), Some(Value::Array(stands))) => self.compare_lists(path, named, stands),
            (named, stands) => {
                let equal = named == stands
                    || is_empty(named) && is_empty(stands)
                    || matches!((named, stands), (Some(a), Some(b)) if same_quantity(path, a, b));
                if !equal {
                    self.differ(path, named, stands);
                }
            }
        }
    }

    fn compare_maps(&mut self, path: &str, named: &Map<String, Value>, stands: &Map<String, Value>) {
        let keys: BTreeSet<&String> =
            if self.whole { named.keys().chain(stands.keys()).collect() } else { named.keys().collect() };
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.compare(&path, named.get(key), stands.get(key));
        }
    }

    fn compare_lists(&mut self, path: &str, named: &[Value], stands: &[Value]) {
        let Some(key) = KEYS.iter().find(|key| tells_apart(key, named) && tells_apart(key, stands)) else {
            if named.len() != stands.len() || named.iter().any(|element| !element.is_object()) {
                if named != stands {
                    self.differ(path, Some(&Value::from(named)), Some(&Value::from(stands)));
                }
                return;
            }
            for (index, (named, stands)) in named.iter().zip(stands).enumerate() {
                self.compare(&format!("{path}[{index}]"), Some(named), Some(stands));
            }
            return;
        };
        let find = |list: &[Value], wanted: &Value| list.iter().find(|element| element[*key] == *wanted).cloned();
        for element in named {
            let path = format!("{path}[{}]", bare(&element[*key]));
            match find(stands, &element[*key]) {
                Some(other) => self.compare(&path, Some(element), Some(&other)),
                None => self.differ(&path, Some(element), None),
            }
        }
        for element in stands {
            if find(named, &element[*key]).is_none() {
                self.differ(&format!("{path}[{}]", bare(&element[*key])), None, Some(element));
            }
        }
    }

    fn differ(&mut self, path: &str, named: Option<&Value>, stands: Option<&Value>) {
        self.found.push(Difference { path: path.to_owned(), named: named.cloned(), stands: stands.cloned() });
    }
}

/// Whether every element has the key, each with another value.
fn tells_apart(key: &str, list: &[Value]) -> bool {
    let values: Option<Vec<String>> = list.iter().map(|element| element.get(key).map(Value::to_string)).collect();
    values.is_some_and(|values| {
        let distinct: BTreeSet<&String> = values.iter().collect();
        distinct.len() == values.len()
    })
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the API server does not keep.
fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Bool(set)) => !set,
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.values().all(|value| is_empty(Some(value))),
    }
}

fn same_quantity(path: &str, one: &Value, other: &Value) -> bool {
    let below = path.split(['.', '[']).any(|part| QUANTITIES.contains(&part));
    below
        && match (quantity(&bare(one)), quantity(&bare(other))) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(other.abs()),
            _ => false,
        }
}

/// A quantity as Kubernetes writes them (`apimachinery/pkg/api/resource`).
fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        "Pi" => 1024f64.powi(5),
        "Ei" => 1024f64.powi(6),
        _ => return text.parse().ok(),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(found: &[Difference]) -> Vec<&str> {
        found.iter().map(|difference| difference.path.as_str()).collect()
    }

    #[test]
    fn defaults_and_other_spellings_are_no_difference() {
        let named = json!({
            "replicas": 2,
            "paused": false,
            "template": {"spec": {
                "containers": [
                    {"name": "b", "resources": {"limits": {"cpu": 1, "memory": "1024Mi"}}},
                    {"name": "a", "env": [{"name": "EMPTY", "value": ""}], "securityContext": {}},
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }},
            "volumeClaimTemplates": [{"metadata": {"name": "data", "creationTimestamp": null}}],
        });
        let stands = json!({
            "replicas": 2,
            "podManagementPolicy": "OrderedReady",
            "template": {"spec": {
                "dnsPolicy": "ClusterFirst",
                "containers": [
                    {"name": "a", "env": [{"name": "EMPTY"}], "imagePullPolicy": "Always"},
                    {"name": "b", "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}}},
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "status": {"phase": "Pending"}}],
        });
        assert_eq!(differences(&named, &stands), []);
        assert_eq!(
            paths(&all_differences(&named, &stands)),
            [
                "podManagementPolicy",
                "template.spec.containers[a].imagePullPolicy",
                "template.spec.dnsPolicy",
                "volumeClaimTemplates[0].status",
            ]
        );
    }

    #[test]
    fn what_an_apply_would_change_is_found_by_name() {
        let named = json!({"containers": [
            {"name": "etcd", "image": "etcd:3.5", "args": ["a", "b"], "env": [{"name": "NEW", "value": "1"}]},
        ]});
        let stands = json!({"containers": [
            {"name": "etcd", "image": "etcd:3.4", "args": ["a"], "env": [{"name": "OLD", "value": "1"}]},
            {"name": "added", "image": "x"},
        ]});
        let found = differences(&named, &stands);
        assert_eq!(
            paths(&found),
            [
                "containers[etcd].args",
                "containers[etcd].env[NEW]",
                "containers[etcd].env[OLD]",
                "containers[etcd].image",
                "containers[added]",
            ]
        );
        assert_eq!(found[3].to_string(), r#"containers[etcd].image from "etcd:3.4" to "etcd:3.5""#);
    }

    #[test]
    fn a_volume_that_is_mounted_twice_is_told_apart_by_its_place() {
        let named = json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b", "readOnly": true}]);
        let stands = json!([{"name": "v", "mountPath": "/b"}, {"name": "v", "mountPath": "/a"}]);
        assert_eq!(paths(&differences(&named, &stands)), ["[/b].readOnly"]);
    }

    #[test]
    fn quantities_are_numbers() {
        assert_eq!(quantity("500m"), quantity("0.5"));
        assert_eq!(quantity("1Gi"), quantity("1024Mi"));
        assert_eq!(quantity("1e3"), quantity("1k"));
        assert_eq!(quantity("one"), None);
        assert!(!same_quantity("env[SIZE].value", &json!("1000m"), &json!("1")), "only where quantities are");
    }
}
