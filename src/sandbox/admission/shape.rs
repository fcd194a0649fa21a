//! What sort of value stands where: the part of an API server's decoding that the rest of this program relies on.

use serde_json::Value;

use super::super::kinds::{self, Kind};
use super::super::quantity;
use super::super::status::Status;

/// The end of a path is `o`bject, `a`rray, `s`tring, `n`umber, `b`ool, `m`ap of strings, `t`ime, or an amount (`q`), by the
/// letter after it; lists are `[]`, and a map's values `{}`.
const ALL: &str = "metadata:o metadata.name:s metadata.namespace:s metadata.labels:m metadata.annotations:m \
    metadata.finalizers[]:s metadata.ownerReferences[]:o metadata.ownerReferences[].uid:s spec:? status:?";
const SPECS: &str = "spec:o status:o status.conditions[]:o";
const TEMPLATE: &str = "nodeSelector:m nodeName:s hostname:s subdomain:s restartPolicy:s schedulerName:s \
    serviceAccountName:s terminationGracePeriodSeconds:n containers[]:o initContainers[]:o volumes[].name:s \
    volumes[].persistentVolumeClaim.claimName:s volumes[].hostPath:o volumes[].emptyDir:o volumes[].configMap:o \
    volumes[].secret:o volumes[].downwardAPI.items[].fieldRef:o volumes[].projected.sources[].serviceAccountToken:o \
    volumes[].projected.sources[].downwardAPI.items[].fieldRef:o tolerations[]:o securityContext:o affinity:o";
const CONTAINER: &str = "name:s image:s imagePullPolicy:s command[]:s args[]:s workingDir:s env[].name:s env[].value:s \
    env[].valueFrom.fieldRef:o ports[].containerPort:n ports[].name:s resources.requests{}:q resources.limits{}:q \
    volumeMounts[].name:s volumeMounts[].mountPath:s readinessProbe:o livenessProbe:o startupProbe:o \
    readinessProbe.httpGet:o livenessProbe.httpGet:o startupProbe.httpGet:o readinessProbe.grpc:o livenessProbe.grpc:o \
    startupProbe.grpc:o";
const CLAIM: &str = "accessModes[]:s storageClassName:s volumeName:s volumeMode:s selector:o \
    resources.requests.storage:q";

/// Looks at an object's values.
///
/// # Errors
/// `BadRequest`, where one is of another sort than its field.
pub(super) fn check(kind: &Kind, object: &Value) -> Result<(), Status> {
    let look = |paths: &str, from: &str| -> Result<(), Status> {
        for rule in paths.split_whitespace() {
            let (path, sort) = rule.rsplit_once(':').unwrap_or((rule, "?"));
            let path = if from.is_empty() { path.to_owned() } else { format!("{from}.{path}") };
            walk(object, &path, sort).map_err(|found| refused(kind, &path, sort, found))?;
        }
        Ok(())
    };
    look(ALL, "")?;
    let pod = |spec: &str| -> Result<(), Status> {
        look(TEMPLATE, spec)?;
        for list in ["containers[]", "initContainers[]"] {
            look(CONTAINER, &format!("{spec}.{list}"))?;
        }
        Ok(())
    };
    match kind.resource().as_str() {
        kinds::PODS => {
            look(SPECS, "")?;
            pod("spec")
        }
        kinds::STATEFUL_SETS => {
            look(SPECS, "")?;
            look(
                "replicas:n serviceName:s selector:o selector.matchLabels:m minReadySeconds:n revisionHistoryLimit:n \
                 podManagementPolicy:s updateStrategy.type:s updateStrategy.rollingUpdate.partition:n ordinals.start:n \
                 template.metadata.labels:m template.metadata.annotations:m template.metadata.finalizers[]:s \
                 template.spec:o volumeClaimTemplates[].metadata.name:s volumeClaimTemplates[].metadata.labels:m \
                 volumeClaimTemplates[].metadata.annotations:m volumeClaimTemplates[].status:o \
                 persistentVolumeClaimRetentionPolicy:o",
                "spec",
            )?;
            look(CLAIM, "spec.volumeClaimTemplates[].spec")?;
            pod("spec.template.spec")
        }
        kinds::CLAIMS => {
            look(SPECS, "")?;
            look(CLAIM, "spec")
        }
        kinds::VOLUMES => {
            look(SPECS, "")?;
            look(
                "capacity.storage:q accessModes[]:s storageClassName:s claimRef.name:s claimRef.namespace:s \
                 claimRef.uid:s hostPath.path:s local.path:s nodeAffinity.required.nodeSelectorTerms[]:o",
                "spec",
            )
        }
        kinds::SERVICES => {
            look(SPECS, "")?;
            look("ports[].port:n clusterIP:s clusterIPs[]:s selector:m type:s", "spec")
        }
        kinds::QUOTAS => {
            look(SPECS, "")?;
            look("hard{}:q", "spec")
        }
        kinds::CONFIG_MAPS => look("data:m", ""),
        kinds::LEASES => {
            look("holderIdentity:s leaseDurationSeconds:n leaseTransitions:n acquireTime:t renewTime:t", "spec")
        }
        kinds::STORAGE_CLASSES => look("provisioner:s reclaimPolicy:s volumeBindingMode:s", ""),
        kinds::NODES | kinds::NAMESPACES | kinds::BUDGETS => look(SPECS, ""),
        _ => Ok(()),
    }
}

/// Follows a path, and gives back what is of another sort.
fn walk<'a>(value: &'a Value, path: &str, sort: &str) -> Result<(), &'a Value> {
    if value.is_null() {
        return Ok(());
    }
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    if step.is_empty() {
        return if is_of(value, sort) { Ok(()) } else { Err(value) };
    }
    let field = step.trim_end_matches(['[', ']', '{', '}']);
    let value = &value.as_object().ok_or(value)?.get(field).unwrap_or(&Value::Null);
    if value.is_null() {
        Ok(())
    } else if step.ends_with("[]") {
        value.as_array().ok_or(*value)?.iter().try_for_each(|entry| match entry {
            Value::Null => Err(*value),
            entry => walk(entry, rest, sort),
        })
    } else if step.ends_with("{}") {
        value.as_object().ok_or(*value)?.values().try_for_each(|entry| walk(entry, rest, sort))
    } else {
        walk(value, rest, sort)
    }
}

fn is_of(value: &Value, sort: &str) -> bool {
    match sort {
        "o" => value.is_object(),
        "a" => value.is_array(),
        "s" => value.is_string(),
        "n" => value.is_i64(),
        "b" => value.is_boolean(),
        "t" => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        "m" => value.as_object().is_some_and(|map| map.values().all(|value| value.is_string() || value.is_null())),
        // An amount may be written as a number.
        "q" => value.is_number() || value.as_str().is_some_and(|text| quantity::thousandths(text).is_some()),
        _ => true,
    }
}

fn refused(kind: &Kind, path: &str, sort: &str, found: &Value) -> Status {
    let begin = format!("{0} in version \"{1}\" cannot be handled as a {0}", kind.kind, kind.version);
    if sort == "q" && found.is_string() {
        let rule = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
        return Status::bad_request(format!("{begin}: quantities must match the regular expression {rule}"));
    }
    if let ("t", Value::String(text)) = (sort, found) {
        let form = "2006-01-02T15:04:05.000000Z07:00";
        return Status::bad_request(format!(
            "{begin}: parsing time \"{text}\" as \"{form}\": cannot parse \"{text}\" as \"2006\""
        ));
    }
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wanted = match sort {
        "n" => "int32",
        "s" => "string",
        "b" => "bool",
        "m" => "map[string]string",
        _ => "struct",
    };
    let field = path.replace(['[', ']', '{', '}'], "");
    Status::bad_request(format!(
        "{begin}: json: cannot unmarshal {found} into Go struct field {}.{field} of type {wanted}",
        kind.kind
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_another_sort_are_refused_and_never_a_panic() {
        let registry = super::super::super::registry::Registry::new();
        let kind = registry.kind(kinds::STATEFUL_SETS).unwrap();
        let wrong = [
            json!({"metadata": {"labels": "x"}}),
            json!({"metadata": {}, "spec": 3}),
            json!({"metadata": {}, "spec": {"template": {"metadata": {"labels": []}}}}),
            json!({"metadata": {}, "spec": {"template": {"spec": {"containers": [1]}}}}),
            json!({"metadata": {}, "spec": {"template": {"spec": {"containers": [null]}}}}),
            json!({"metadata": {}, "spec": {"replicas": "2"}}),
        ];
        for object in wrong {
            assert_eq!(check(&kind, &object).unwrap_err().code, 400, "{object}");
        }
        check(&kind, &json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 2, "template": null}})).unwrap();
    }
}
