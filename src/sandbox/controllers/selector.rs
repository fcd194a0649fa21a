//! Selectors: of objects by their labels, and of nodes.

use serde_json::{Value, json};

use super::object::{list, name};

/// Whether a `LabelSelector` selects an object. One that is empty selects all, one that is not there none.
pub(in crate::sandbox) fn selects(selector: &Value, object: &Value) -> bool {
    let Some(selector) = selector.as_object() else { return false };
    let labels = &object["metadata"]["labels"];
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    equal.into_iter().flatten().all(|(key, value)| labels[key] == *value)
        && selector.get("matchExpressions").into_iter().flat_map(list).all(|expression| holds(expression, labels))
}

/// Whether an expression of a selector holds for labels.
fn holds(expression: &Value, labels: &Value) -> bool {
    let value = &labels[expression["key"].as_str().unwrap_or_default()];
    let among = || list(&expression["values"]).any(|other| other == value);
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok());
    let wanted = || number(&expression["values"][0]);
    match expression["operator"].as_str() {
        Some("In") => !value.is_null() && among(),
        Some("NotIn") => value.is_null() || !among(),
        Some("Exists") => !value.is_null(),
        Some("DoesNotExist") => value.is_null(),
        Some("Gt") => number(value).zip(wanted()).is_some_and(|(value, wanted)| value > wanted),
        Some("Lt") => number(value).zip(wanted()).is_some_and(|(value, wanted)| value < wanted),
        _ => false,
    }
}

/// Whether a `NodeSelector` (terms, of which one must hold) selects a node.
fn selects_node(selector: &Value, node: &Value) -> bool {
    list(&selector["nodeSelectorTerms"]).any(|term| {
        let fields = json!({"metadata.name": name(node)});
        let empty = list(&term["matchExpressions"]).next().is_none() && list(&term["matchFields"]).next().is_none();
        !empty
            && list(&term["matchExpressions"]).all(|expression| holds(expression, &node["metadata"]["labels"]))
            && list(&term["matchFields"]).all(|expression| holds(expression, &fields))
    })
}

/// Whether a pod may run on a node, by its node selector and its required node affinity.
pub(super) fn pod_fits(pod: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let wanted = pod["spec"]["nodeSelector"].as_object();
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    wanted.into_iter().flatten().all(|(key, value)| labels[key] == *value)
        && (required.is_null() || selects_node(required, node))
}

/// Whether a volume can be had on a node.
pub(super) fn volume_fits(volume: &Value, node: &Value) -> bool {
    let required = &volume["spec"]["nodeAffinity"]["required"];
    required.is_null() || selects_node(required, node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_hold_as_in_kubernetes() {
        let object = json!({"metadata": {"name": "n", "labels": {"a": "1", "b": "x"}}});
        let by = |key: &str, operator: &str, values: &[&str]| {
            selects(&json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}), &object)
        };
        assert!(by("a", "In", &["1", "2"]) && !by("a", "In", &["2"]) && !by("c", "In", &["2"]));
        assert!(by("c", "NotIn", &["2"]) && !by("a", "NotIn", &["1"]));
        assert!(by("a", "Exists", &[]) && by("c", "DoesNotExist", &[]));
        assert!(by("a", "Gt", &["0"]) && !by("b", "Gt", &["0"]) && by("a", "Lt", &["2"]));
        assert!(selects(&json!({}), &object) && !selects(&Value::Null, &object));
        let one = json!({"required": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]}});
        assert!(volume_fits(&json!({"spec": {"nodeAffinity": one}}), &object));
    }
}
