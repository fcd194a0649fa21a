//! Discovery: which kinds there are, which version this is, and whether it is well.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::answer::{json, respond};
use crate::sandbox::kinds::{self, Kind};
use crate::sandbox::registry::Registry;

/// The Kubernetes whose ways the sandbox has.
pub(super) const VERSION: (&str, &str) = ("1", "32");

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Kinds that are asked for and not kept.
const REVIEWS: &[(&str, &str)] =
    &[("selfsubjectaccessreviews", "SelfSubjectAccessReview"), ("selfsubjectrulesreviews", "SelfSubjectRulesReview")];

/// What a user may ask about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Review {
    /// Whether it may do one thing.
    Access,
    /// All that it may do in a namespace.
    Rules,
}

/// Which review an address is for; none where it is for none.
pub(super) fn review(path: &str) -> Option<Review> {
    match path.trim_end_matches('/') {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => Some(Review::Access),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => Some(Review::Rules),
        _ => None,
    }
}

const REVIEW_GROUP: &str = "authorization.k8s.io";

/// The answer for an address that tells about the server itself; none where it is not one of them.
pub(super) fn answer(registry: &Registry, path: &str) -> Option<Response<Body>> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let all = registry.kinds();
    match parts.as_slice() {
        [] => Some(json(200, &json!({"paths": ["/api", "/apis", "/healthz", "/livez", "/readyz", "/version"]}))),
        ["healthz" | "livez" | "readyz", ..] => Some(respond(200, "text/plain", Body::from("ok"))),
        ["version"] => Some(json(200, &version())),
        ["api"] => Some(json(200, &json!({"kind": "APIVersions", "versions": ["v1"]}))),
        ["apis"] => Some(json(
            200,
            &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(&all).values().collect::<Vec<_>>()}),
        )),
        ["apis", group] => {
            let mut groups = groups(&all);
            let mut found = groups.remove(*group)?;
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            Some(json(200, &found))
        }
        ["api", "v1"] => Some(json(200, &resources(&all, "", "v1"))),
        ["apis", group, version] => {
            let known = groups(&all);
            let versions = known.get(*group)?["versions"].as_array()?;
            versions.iter().any(|known| known["version"] == *version).then_some(())?;
            Some(json(200, &resources(&all, group, version)))
        }
        // Empty, but there: kubectl then goes by the types that it was built with.
        ["openapi", "v2"] => Some(respond(200, OPENAPI_TYPE, Body::from(openapi()))),
        _ => None,
    }
}

fn version() -> Value {
    let (major, minor) = VERSION;
    json!({
        "major": major, "minor": minor, "gitVersion": format!("v{major}.{minor}.0+etcd-scale.sandbox"),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "",
        "compiler": "", "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn groups(all: &[Arc<Kind>]) -> BTreeMap<String, Value> {
    let reviews = std::iter::once((REVIEW_GROUP.to_owned(), "v1".to_owned()));
    let kinds = all.iter().filter(|kind| !kind.group.is_empty());
    let mut groups: BTreeMap<String, Value> = BTreeMap::new();
    for (group, version) in kinds.map(|kind| (kind.group.clone(), kind.version.clone())).chain(reviews) {
        let entry = json!({"groupVersion": format!("{group}/{version}"), "version": version});
        let known = groups
            .entry(group.clone())
            .or_insert_with(|| json!({"name": group, "versions": [], "preferredVersion": entry}));
        if let Some(versions) = known["versions"].as_array_mut()
            && !versions.contains(&entry)
        {
            versions.push(entry);
        }
    }
    groups
}

fn resources(all: &[Arc<Kind>], group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    for kind in all.iter().filter(|kind| kind.group == group && kind.version == version) {
        let mut entry = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": VERBS,
        });
        if !kind.short.is_empty() {
            entry["shortNames"] = json!(kind.short);
        }
        if kind.in_all {
            entry["categories"] = json!(["all"]);
        }
        list.push(entry);
        let below = |name: &str, kind_name: &str, verbs: &[&str]| {
            json!({
                "name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": kind_name, "verbs": verbs,
            })
        };
        if kind.has_status {
            list.push(below("status", &kind.kind, &["get", "patch", "update"]));
        }
        match kind.resource().as_str() {
            kinds::STATEFUL_SETS => {
                let mut scale = below("scale", "Scale", &["get", "patch", "update"]);
                scale["group"] = json!("autoscaling");
                scale["version"] = json!("v1");
                list.push(scale);
            }
            kinds::PODS => {
                for stream in ["attach", "exec", "portforward"] {
                    let options = match stream {
                        "attach" => "PodAttachOptions",
                        "exec" => "PodExecOptions",
                        _ => "PodPortForwardOptions",
                    };
                    list.push(below(stream, options, &["create", "get"]));
                }
                list.push(below("log", "Pod", &["get"]));
                let mut eviction = below("eviction", "Eviction", &["create"]);
                eviction["group"] = json!("policy");
                eviction["version"] = json!("v1");
                list.push(eviction);
            }
            _ => {}
        }
    }
    if group == REVIEW_GROUP {
        for (plural, kind) in REVIEWS {
            list.push(json!({
                "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind,
                "verbs": ["create"],
            }));
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
}

const OPENAPI_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// An `OpenAPI` document without definitions, in the one encoding that kubectl reads: `swagger: "2.0"`, an `info` with
/// title and version, and empty `paths`, as protobuf fields 1, 2 and 8.
fn openapi() -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).expect("short")];
        bytes.extend_from_slice(content);
        bytes
    };
    let info = [field(1, b"Kubernetes"), field(2, b"v1.32.0")].concat();
    [field(1, b"2.0"), field(2, &info), field(8, b"")].concat()
}
