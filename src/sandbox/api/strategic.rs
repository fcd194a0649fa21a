//! Strategic merge patches: Kubernetes' own kind of patch, which merges lists by the keys of their elements.

use serde_json::{Map, Value};

use crate::sandbox::status::Status;

/// The key by which elements of a list are told apart; none where a patch replaces the list. From the patch strategies
/// of Kubernetes' own types, for the kinds served here.
fn merge_key(field: &str, element: &Value) -> Option<&'static str> {
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets" => Some("name"),
        // Containers and Services both have ports.
        "ports" if element.get("containerPort").is_some() => Some("containerPort"),
        "ports" => Some("port"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        "topologySpreadConstraints" => Some("topologyKey"),
        "hostAliases" | "podIPs" => Some("ip"),
        "conditions" | "addresses" => Some("type"),
        "ownerReferences" => Some("uid"),
        _ => None,
    }
}

/// Lists of plain values that are merged as sets.
fn is_set(field: &str) -> bool {
    field == "finalizers"
}

/// Applies a patch to an object.
///
/// # Errors
/// When the patch contains a directive that is none.
pub(super) fn apply(object: &mut Value, patch: &Value) -> Result<(), Status> {
    let Some(patch) = patch.as_object() else {
        return Err(Status::bad_request("a strategic merge patch has to be an object"));
    };
    merge_object(object, patch)
}

fn merge_object(object: &mut Value, patch: &Map<String, Value>) -> Result<(), Status> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            let rest = patch.iter().filter(|(field, _)| !field.starts_with('$'));
            *object = Value::Object(rest.map(|(field, value)| (field.clone(), value.clone())).collect());
            return Ok(());
        }
        Some("delete") => {
            *object = Value::Null;
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(Status::bad_request(format!("unknown patch type: {other}"))),
    }
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let fields = object.as_object_mut().expect("made one above");
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|field, _| kept.iter().any(|name| name == field));
    }
    for (field, value) in patch {
        if let Some(field) = field.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(list) = fields.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|element| !gone.contains(element));
            }
            continue;
        }
        if field.starts_with('$') {
            continue;
        }
        match value {
            Value::Null => {
                fields.remove(field);
            }
            Value::Object(value) => {
                let standing = fields.entry(field.clone()).or_insert(Value::Null);
                merge_object(standing, value)?;
                if standing.is_null() {
                    fields.remove(field);
                }
            }
            Value::Array(elements) => {
                let standing = fields.entry(field.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(field, standing, elements)?;
            }
            other => {
                fields.insert(field.clone(), other.clone());
            }
        }
    }
    for (field, order) in patch {
        if let (Some(field), Some(order)) = (field.strip_prefix("$setElementOrder/"), order.as_array())
            && let Some(list) = fields.get_mut(field).and_then(Value::as_array_mut)
        {
            sort(field, list, order);
        }
    }
    Ok(())
}

fn merge_list(field: &str, standing: &mut Value, patch: &[Value]) -> Result<(), Status> {
    if !standing.is_array() {
        *standing = Value::Array(Vec::new());
    }
    let list = standing.as_array_mut().expect("made one above");
    if is_set(field) {
        for element in patch {
            if !list.contains(element) {
                list.push(element.clone());
            }
        }
        return Ok(());
    }
    let Some(key) = patch.iter().chain(list.iter()).find_map(|element| merge_key(field, element)) else {
        *standing = Value::Array(patch.to_vec());
        return Ok(());
    };
    if patch.iter().any(|element| element["$patch"] == "replace") {
        *standing = Value::Array(patch.iter().filter(|element| element["$patch"] != "replace").cloned().collect());
        return Ok(());
    }
    let before = list.clone();
    for element in patch {
        let Some(fields) = element.as_object() else {
            return Err(Status::bad_request(format!("an element of {field} is not an object")));
        };
        let Some(name) = fields.get(key) else {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{}", bare(value))).collect();
            let message = format!("map: map[{}] does not contain declared merge key: {key}", fields.join(" "));
            return Err(Status::new(500, "", message));
        };
        let at = list.iter().position(|standing| standing.get(key) == Some(name));
        match (at, element["$patch"].as_str()) {
            (Some(at), Some("delete")) => {
                list.remove(at);
            }
            (None, Some("delete")) => {}
            (Some(at), _) => merge_object(&mut list[at], fields)?,
            (None, _) => {
                let mut new = Value::Null;
                merge_object(&mut new, fields)?;
                list.push(new);
            }
        }
    }
    let ranks = |order: &[Value]| -> Vec<Option<usize>> {
        let place = |element: &Value| order.iter().position(|other| other.get(key) == element.get(key));
        list.iter().map(place).collect()
    };
    let order = order(&ranks(patch), &ranks(&before));
    *list = order.into_iter().map(|at| list[at].clone()).collect();
    Ok(())
}

/// The order of a merged list, given each element's place in the patch, or what it orders, and in the list as it stood.
/// What is named comes in the order that it is named in, and before the others where there is no telling; an element
/// that is not named stays before a named one that it stood before.
fn order(named: &[Option<usize>], stood: &[Option<usize>]) -> Vec<usize> {
    let mut first: Vec<usize> = (0..named.len()).filter(|at| named[*at].is_some()).collect();
    first.sort_by_key(|at| named[*at]);
    let mut others: Vec<usize> = (0..named.len()).filter(|at| named[*at].is_none()).collect();
    others.sort_by_key(|at| stood[*at]);
    let (mut first, mut others) = (first.into_iter().peekable(), others.into_iter().peekable());
    let mut order = Vec::new();
    loop {
        let other_first = match (first.peek(), others.peek()) {
            (Some(first), Some(other)) => stood[*other].zip(stood[*first]).is_some_and(|(other, first)| other < first),
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return order,
        };
        order.extend(if other_first { others.next() } else { first.next() });
    }
}

/// A value as it is without quotes.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Brings a list in the order that the patch asks for.
fn sort(field: &str, list: &mut [Value], asked: &[Value]) {
    let place = |element: &Value| {
        asked.iter().position(|wanted| match wanted.as_object() {
            Some(_) => merge_key(field, wanted).is_some_and(|key| wanted.get(key) == element.get(key)),
            None => wanted == element,
        })
    };
    let named: Vec<_> = list.iter().map(place).collect();
    let stood: Vec<_> = (0..list.len()).map(Some).collect();
    let elements: Vec<Value> = order(&named, &stood).into_iter().map(|at| list[at].clone()).collect();
    for (slot, element) in list.iter_mut().zip(elements) {
        *slot = element;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn patched(mut object: Value, patch: &Value) -> Value {
        apply(&mut object, patch).unwrap();
        object
    }

    #[test]
    fn containers_and_variables_are_merged_by_name() {
        let object = json!({"containers": [
            {"name": "a", "image": "x", "env": [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}]},
            {"name": "b", "image": "y"},
        ]});
        let patch = json!({"containers": [{"name": "a", "env": [{"name": "TWO", "value": "3"}, {"name": "NEW", "value": "4"}]}]});
        let expected = json!({"containers": [
            {"name": "a", "image": "x", "env": [
                {"name": "ONE", "value": "1"}, {"name": "TWO", "value": "3"}, {"name": "NEW", "value": "4"},
            ]},
            {"name": "b", "image": "y"},
        ]});
        assert_eq!(patched(object, &patch), expected);
    }

    #[test]
    fn what_a_patch_adds_comes_before_what_it_does_not_name() {
        let object = json!({"env": [{"name": "A"}, {"name": "B"}]});
        let names = |value: Value| -> Vec<String> {
            value["env"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        let patch = json!({"env": [{"name": "A", "value": "1"}, {"name": "C"}]});
        assert_eq!(names(patched(object.clone(), &patch)), ["A", "C", "B"]);
        assert_eq!(names(patched(object, &json!({"env": [{"name": "D"}]}))), ["D", "A", "B"]);
    }

    #[test]
    fn elements_are_deleted_and_ordered_by_directives() {
        let object = json!({"volumes": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
        let patch = json!({
            "$setElementOrder/volumes": [{"name": "c"}, {"name": "a"}],
            "volumes": [{"name": "b", "$patch": "delete"}],
        });
        assert_eq!(patched(object, &patch), json!({"volumes": [{"name": "c"}, {"name": "a"}]}));
    }

    #[test]
    fn lists_without_a_key_are_replaced_and_null_removes() {
        let object = json!({"args": ["a", "b"], "x": {"y": 1, "z": 2}, "finalizers": ["one"]});
        let patch = json!({"args": ["c"], "x": {"y": null}, "finalizers": ["two"]});
        assert_eq!(patched(object, &patch), json!({"args": ["c"], "x": {"z": 2}, "finalizers": ["one", "two"]}));
    }

    #[test]
    fn a_union_keeps_only_the_keys_that_it_is_told_to() {
        let object = json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}});
        let patch = json!({"updateStrategy": {"$retainKeys": ["type"], "type": "OnDelete"}});
        assert_eq!(patched(object, &patch), json!({"updateStrategy": {"type": "OnDelete"}}));
    }

    #[test]
    fn ports_of_containers_and_of_services_have_keys_of_their_own() {
        let object = json!({"ports": [{"containerPort": 1, "name": "x"}]});
        let patch = json!({"ports": [{"containerPort": 1, "name": "y"}]});
        assert_eq!(patched(object, &patch), json!({"ports": [{"containerPort": 1, "name": "y"}]}));
    }
}
