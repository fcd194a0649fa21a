//! Which nodes the pods may run on, by the template's own demands and by what repels pods from a node.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Node, Template};

/// The field of a node that a demand may name in place of a label.
const NAME: &str = "metadata.name";

/// One demand on a node's labels, as in `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDemand {
    /// The label, or `metadata.name`.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    pub operator: String,
    /// What the label's value is compared with.
    #[serde(default)]
    pub values: Vec<String>,
}

impl NodeDemand {
    /// The terms of a node selector, as they stand in an object: a node fits where it meets all demands of one of them.
    pub fn terms(selector: &Value) -> Vec<Vec<Self>> {
        let terms = selector["nodeSelectorTerms"].as_array().into_iter().flatten();
        let demands = |term: &Value| {
            let each = ["matchExpressions", "matchFields"].map(|field| term[field].as_array().cloned());
            let each = each.into_iter().flatten().flatten();
            each.filter_map(|demand| serde_json::from_value(demand).ok()).collect()
        };
        terms.map(demands).collect()
    }

    fn met_by(&self, node: &Node) -> bool {
        let value = if self.key == NAME { Some(&node.name) } else { node.labels.get(&self.key) };
        let number = |text: &String| text.parse::<i64>().ok();
        let compared = || Some((number(value?)?, number(self.values.first()?)?));
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => compared().is_some_and(|(value, bound)| value > bound),
            "Lt" => compared().is_some_and(|(value, bound)| value < bound),
            _ => false,
        }
    }
}

/// Whether a node fits one of these terms. A term without demands fits none.
pub(super) fn fits_any(terms: &[Vec<NodeDemand>], node: &Node) -> bool {
    terms.iter().any(|term| !term.is_empty() && term.iter().all(|demand| demand.met_by(node)))
}

/// What keeps pods away from a node that do not tolerate it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// `NoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A taint that the pods do not mind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// The taint's key; empty for all.
    pub key: String,
    /// `Exists`, or `Equal` where it is empty.
    pub operator: String,
    /// The taint's value.
    pub value: String,
    /// The taint's effect; empty for all.
    pub effect: String,
}

impl Toleration {
    fn tolerates(&self, taint: &Taint) -> bool {
        let exists = self.operator == "Exists";
        let key = if self.key.is_empty() { exists } else { self.key == taint.key };
        key && (exists || self.value == taint.value) && (self.effect.is_empty() || self.effect == taint.effect)
    }
}

impl Template {
    /// Whether a new pod may be put on a node: it takes pods, has the labels that the template demands, and no taint
    /// that the template does not tolerate. Other pods do not count here.
    pub fn may_run_on(&self, node: &Node) -> bool {
        let tolerated = |taint: &Taint| self.tolerations.iter().any(|toleration| toleration.tolerates(taint));
        node.schedulable
            && node.taints.iter().all(tolerated)
            && self.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
            && self.node_affinity.as_ref().is_none_or(|terms| fits_any(terms, node))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(labels: &[(&str, &str)]) -> Node {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Node { name: "alpha".into(), labels, schedulable: true, taints: Vec::new() }
    }

    fn demanding(terms: &Value) -> Template {
        let terms = NodeDemand::terms(&json!({"nodeSelectorTerms": terms}));
        Template { node_affinity: Some(terms), ..Template::default() }
    }

    #[test]
    fn every_operator_is_understood() {
        let node = node(&[("disk", "ssd"), ("cores", "8")]);
        for (demand, fits) in [
            (json!({"key": "disk", "operator": "In", "values": ["nvme", "ssd"]}), true),
            (json!({"key": "disk", "operator": "NotIn", "values": ["ssd"]}), false),
            (json!({"key": "zone", "operator": "NotIn", "values": ["ssd"]}), true),
            (json!({"key": "zone", "operator": "Exists"}), false),
            (json!({"key": "zone", "operator": "DoesNotExist"}), true),
            (json!({"key": "cores", "operator": "Gt", "values": ["7"]}), true),
            (json!({"key": "cores", "operator": "Lt", "values": ["8"]}), false),
            (json!({"key": "disk", "operator": "Like", "values": ["ssd"]}), false),
        ] {
            assert_eq!(demanding(&json!([{"matchExpressions": [demand]}])).may_run_on(&node), fits, "{demand}");
        }
    }

    #[test]
    fn one_term_is_enough_and_needs_all_its_demands() {
        let node = node(&[("disk", "ssd")]);
        let (has, lacks) = (json!({"key": "disk", "operator": "Exists"}), json!({"key": "gpu", "operator": "Exists"}));
        let name = json!({"key": "metadata.name", "operator": "In", "values": ["alpha"]});
        assert!(!demanding(&json!([{"matchExpressions": [has, lacks]}])).may_run_on(&node));
        assert!(demanding(&json!([{"matchExpressions": [lacks]}, {"matchFields": [name]}])).may_run_on(&node));
        assert!(!demanding(&json!([{}])).may_run_on(&node), "an empty term fits none");
    }

    #[test]
    fn taints_have_to_be_tolerated() {
        let mut node = node(&[]);
        node.taints.push(Taint { key: "etcd".into(), value: "only".into(), effect: "NoSchedule".into() });
        let with = |key: &str, operator: &str, value: &str, effect: &str| {
            let [key, operator, value, effect] = [key, operator, value, effect].map(str::to_owned);
            Template { tolerations: vec![Toleration { key, operator, value, effect }], ..Template::default() }
        };
        assert!(!Template::default().may_run_on(&node));
        assert!(with("etcd", "", "only", "NoSchedule").may_run_on(&node));
        assert!(with("etcd", "Exists", "", "").may_run_on(&node));
        assert!(with("", "Exists", "", "").may_run_on(&node));
        assert!(!with("etcd", "Equal", "other", "").may_run_on(&node));
        assert!(!with("etcd", "Exists", "", "NoExecute").may_run_on(&node));
    }
}
