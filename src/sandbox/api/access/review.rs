//! `SelfSubjectAccessReview` and `SelfSubjectRulesReview`: a user asks what it may do.

use serde_json::{Value, json};

use super::rules::{Request, allowed, bound};
use super::user::{MASTERS, User};
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

const API_VERSION: &str = "authorization.k8s.io/v1";

/// Answers a `SelfSubjectAccessReview`.
///
/// # Errors
/// When it does not say what it asks for, or says it twice.
pub(in crate::sandbox) fn access_review(registry: &Registry, user: &User, review: &Value) -> Result<Value, Status> {
    let spec = &review["spec"];
    let (of_resource, of_path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let text = |of: &'_ Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    let invalid = |why: &str| {
        let message = format!("SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: {why}");
        Err(Status::new(422, "Invalid", message))
    };
    let verdict = match (of_resource.is_object(), of_path.is_object()) {
        (true, false) => {
            let [verb, group, resource, subresource, namespace, name] =
                ["verb", "group", "resource", "subresource", "namespace", "name"].map(|field| text(of_resource, field));
            let request = Request {
                verb: &verb,
                group: &group,
                resource: &resource,
                subresource: &subresource,
                namespace: &namespace,
                name: &name,
                path: "",
            };
            allowed(registry, user, &request)
        }
        (false, true) => {
            let (verb, path) = (text(of_path, "verb"), text(of_path, "path"));
            allowed(registry, user, &Request { verb: &verb, path: &path, ..Request::default() })
        }
        (false, false) => {
            return invalid(
                "spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or \
                 resourceAttributes must be specified",
            );
        }
        (true, true) => {
            return invalid(
                "spec.nonResourceAttributes: Invalid value: cannot be specified in combination with resourceAttributes",
            );
        }
    };
    let mut status = json!({"allowed": verdict.allowed});
    if !verdict.reason.is_empty() {
        status["reason"] = json!(verdict.reason);
    }
    Ok(json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": API_VERSION, "metadata": {"creationTimestamp": null},
        "spec": spec, "status": status,
    }))
}

/// Answers a `SelfSubjectRulesReview`.
///
/// # Errors
/// When it names no namespace.
pub(in crate::sandbox) fn rules_review(registry: &Registry, user: &User, review: &Value) -> Result<Value, Status> {
    let namespace = review["spec"]["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let mut rules: Vec<Value> = bound(registry, user, namespace).into_iter().flat_map(|bound| bound.rules).collect();
    if user.is_in(MASTERS) {
        // Whatever has become of the roles that say so.
        rules.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        rules.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    let (mut of_resources, mut of_paths): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for rule in rules {
        let some = |field: &str| rule[field].as_array().is_some_and(|list| !list.is_empty());
        let to = if some("resources") {
            &mut of_resources
        } else if some("nonResourceURLs") {
            &mut of_paths
        } else {
            continue;
        };
        if !to.contains(&rule) {
            to.push(rule);
        }
    }
    Ok(json!({
        "kind": "SelfSubjectRulesReview", "apiVersion": API_VERSION, "metadata": {"creationTimestamp": null},
        "spec": {}, "status": {"resourceRules": of_resources, "nonResourceRules": of_paths, "incomplete": false},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_learns_what_it_may_do() {
        let registry = Registry::new();
        super::super::create(&registry).unwrap();
        let nobody = User::new("x", &["system:authenticated"]);
        let admin = User::new("a", &[MASTERS]);
        let ask = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "n"}}});
        let status = |user| access_review(&registry, user, &ask).unwrap()["status"].clone();
        assert_eq!(status(&nobody), json!({"allowed": false}));
        assert_eq!(status(&admin), json!({"allowed": true}));
        let path = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/api"}}});
        assert_eq!(access_review(&registry, &nobody, &path).unwrap()["status"]["allowed"], true);
        assert_eq!(access_review(&registry, &nobody, &json!({"spec": {}})).unwrap_err().code, 422);
        assert_eq!(access_review(&registry, &nobody, &json!(7)).unwrap_err().code, 422);
    }

    #[test]
    fn a_user_learns_its_rules() {
        let registry = Registry::new();
        super::super::create(&registry).unwrap();
        let ask = json!({"spec": {"namespace": "n"}});
        let rules = |user: &User| rules_review(&registry, user, &ask).unwrap()["status"].clone();
        let nobody = rules(&User::new("x", &["system:authenticated"]));
        assert_eq!(nobody["resourceRules"].as_array().unwrap().len(), 1);
        assert_eq!(nobody["nonResourceRules"].as_array().unwrap().len(), 2);
        let admin = rules(&User::new("a", &[MASTERS, "system:authenticated"]));
        let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        assert!(admin["resourceRules"].as_array().unwrap().contains(&all));
        assert_eq!(
            rules_review(&registry, &User::new("x", &[]), &json!({})).unwrap_err().message,
            "no namespace on request"
        );
    }
}
