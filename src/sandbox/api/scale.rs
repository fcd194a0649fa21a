//! The scale of a StatefulSet: its size alone, for `kubectl scale`.

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::address::nothing_there;
use super::answer::json;
use super::objects::Call;
use super::patch::Patch;
use crate::sandbox::kinds;
use crate::sandbox::registry::{Part, Registry};
use crate::sandbox::status::Status;

/// Reads or writes a scale.
///
/// # Errors
/// With the `Status` that tells why not.
pub(super) fn answer(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { method, address, query, .. } = call;
    if address.kind.resource() != kinds::STATEFUL_SETS {
        return Err(nothing_there());
    }
    let (namespace, name) = (&address.namespace, &address.name);
    if method == Method::GET {
        return Ok(json(200, &of(&*registry.get(kinds::STATEFUL_SETS, namespace, name)?)));
    }
    let patch = match *method {
        Method::PATCH => Patch::parse(&call.content_type, &call.body)?,
        _ => Patch::Merge(
            serde_json::from_slice(&call.body)
                .map_err(|error| Status::bad_request(format!("error decoding: {error}")))?,
        ),
    };
    let set = registry.update(
        kinds::STATEFUL_SETS,
        namespace,
        name,
        Part::Whole,
        query.dry_run("UpdateOptions")?,
        |set| {
            let mut scale = of(set);
            patch.apply(&mut scale)?;
            let replicas = match &scale["spec"]["replicas"] {
                Value::Null => 0,
                value => value.as_i64().ok_or_else(|| Status::bad_request("spec.replicas has to be a number"))?,
            };
            set["spec"]["replicas"] = json!(replicas);
            set["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
            Ok(())
        },
    )?;
    Ok(json(200, &of(&set)))
}

fn of(set: &Value) -> Value {
    let meta = &set["metadata"];
    let labels = set["spec"]["selector"]["matchLabels"].as_object();
    let selector = labels.into_iter().flatten().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("")));
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"], "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {"replicas": set["spec"]["replicas"]},
        "status": {
            "replicas": set["status"]["replicas"].as_u64().unwrap_or_default(),
            "selector": selector.collect::<Vec<_>>().join(","),
        },
    });
    // Nothing is left out, as everywhere in this kind.
    if scale["spec"]["replicas"] == 0 {
        scale["spec"] = json!({});
    }
    scale
}
