//! StatefulSets: what is valid, and what of them may change.
//!
//! A template's containers are not looked at, in a real API server either: a set with a template of which no pod can be
//! made is taken, and its pods are refused.

use serde_json::Value;

use super::super::controllers::selects;
use super::super::status::Cause;

/// What may be changed later.
const FREE: &[&str] =
    &["replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"];

pub(super) fn check(set: &Value, causes: &mut Vec<Cause>) {
    let spec = &set["spec"];
    if let Some(policy) = spec["podManagementPolicy"].as_str()
        && !matches!(policy, "OrderedReady" | "Parallel")
    {
        let why = "must be 'OrderedReady' or 'Parallel'";
        causes.push(Cause::invalid("spec.podManagementPolicy", format!("\"{policy}\""), why));
    }
    check_strategy(&spec["updateStrategy"], causes);
    let mut not_negative = |value: &Value, field: &str| {
        if let Some(number) = value.as_i64().filter(|number| *number < 0) {
            causes.push(Cause::invalid(field, number, "must be greater than or equal to 0"));
        }
    };
    not_negative(&spec["replicas"], "spec.replicas");
    not_negative(&spec["minReadySeconds"], "spec.minReadySeconds");
    not_negative(&spec["ordinals"]["start"], "spec.ordinals.start");
    for field in ["whenDeleted", "whenScaled"] {
        let policy = &spec["persistentVolumeClaimRetentionPolicy"][field];
        // A real cluster can delete claims with their pods; here nobody would do so.
        if *policy != "Retain" {
            let field = format!("spec.persistentVolumeClaimRetentionPolicy.{field}");
            causes.push(Cause::unsupported(field, policy.as_str().unwrap_or_default(), &["Retain"]));
        }
    }
    check_selector(spec, causes);
    if let Some(policy) = spec["template"]["spec"]["restartPolicy"].as_str().filter(|policy| *policy != "Always") {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

fn check_strategy(strategy: &Value, causes: &mut Vec<Cause>) {
    let rolling = &strategy["rollingUpdate"];
    let partition = &rolling["partition"];
    match strategy["type"].as_str().unwrap_or_default() {
        "RollingUpdate" => {
            if let Some(number) = partition.as_i64().filter(|number| *number < 0) {
                let field = "spec.updateStrategy.rollingUpdate.partition";
                causes.push(Cause::invalid(field, number, "must be greater than or equal to 0"));
            }
        }
        "OnDelete" => {
            if rolling.is_object() {
                let shown =
                    format!("apps.RollingUpdateStatefulSetStrategy{{Partition:{}}}", partition.as_i64().unwrap_or(0));
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                causes.push(Cause::invalid("spec.updateStrategy.rollingUpdate", shown, why));
            }
        }
        other => {
            let shown = format!(
                "apps.StatefulSetUpdateStrategy{{Type:\"{other}\", \
                 RollingUpdate:(*apps.RollingUpdateStatefulSetStrategy)(nil)}}"
            );
            causes.push(Cause::invalid("spec.updateStrategy", shown, "must be 'RollingUpdate' or 'OnDelete'"));
        }
    }
}

fn check_selector(spec: &Value, causes: &mut Vec<Cause>) {
    let selector = &spec["selector"];
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if ["matchLabels", "matchExpressions"].iter().all(|part| {
        let part = &selector[*part];
        part.is_null() || part.as_object().is_some_and(serde_json::Map::is_empty) || *part == Value::Array(Vec::new())
    }) {
        let shown = "v1.LabelSelector{MatchLabels:map[string]string(nil), \
                     MatchExpressions:[]v1.LabelSelectorRequirement(nil)}";
        causes.push(Cause::invalid("spec.selector", shown, "empty selector is invalid for statefulset"));
        return;
    }
    if !selects(selector, &spec["template"]) {
        let shown = match spec["template"]["metadata"]["labels"].as_object() {
            None => "map[string]string(nil)".to_owned(),
            Some(labels) => {
                let labels: Vec<_> = labels.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("map[string]string{{{}}}", labels.join(", "))
            }
        };
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", shown, why));
    }
}

pub(super) fn check_change(before: &Value, after: &Value, causes: &mut Vec<Cause>) {
    let rest = |set: &Value| {
        let mut rest = set["spec"].clone();
        for field in FREE {
            if let Some(fields) = rest.as_object_mut() {
                fields.remove(*field);
            }
        }
        rest
    };
    if rest(before) != rest(after) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                   'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        causes.push(Cause::forbidden("spec", why));
    }
}
