//! Whether a user may do something: the rules of the roles that are bound to it.

use serde_json::Value;

use super::user::{MASTERS, User};
use crate::sandbox::kinds;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

const API_GROUP: &str = "rbac.authorization.k8s.io";

/// What a user asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Request<'a> {
    pub(in crate::sandbox) verb: &'a str,
    pub(in crate::sandbox) group: &'a str,
    /// The plural; empty for a request that is of no resource.
    pub(in crate::sandbox) resource: &'a str,
    pub(in crate::sandbox) subresource: &'a str,
    /// Empty for all, and for what belongs to none.
    pub(in crate::sandbox) namespace: &'a str,
    pub(in crate::sandbox) name: &'a str,
    /// The address of a request that is of no resource.
    pub(in crate::sandbox) path: &'a str,
}

/// Whether something is allowed, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Verdict {
    pub(in crate::sandbox) allowed: bool,
    /// Empty where it is not allowed, or needs no role.
    pub(in crate::sandbox) reason: String,
}

/// Whether a user may do what it asks for.
pub(in crate::sandbox) fn allowed(registry: &Registry, user: &User, request: &Request) -> Verdict {
    if user.is_in(MASTERS) {
        return Verdict { allowed: true, reason: String::new() };
    }
    let found = bound(registry, user, request.namespace)
        .into_iter()
        .find(|bound| bound.rules.iter().any(|rule| covers(rule, request)));
    match found {
        Some(bound) => Verdict { allowed: true, reason: format!("RBAC: allowed by {}", bound.by) },
        None => Verdict { allowed: false, reason: String::new() },
    }
}

impl Request<'_> {
    /// `RESOURCE` or `RESOURCE/SUBRESOURCE`, as roles name it.
    fn combined(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// The refusal of what a user asks for, in kube-apiserver's words.
    pub(in crate::sandbox) fn refused(&self, user: &User) -> Status {
        let (user, verb) = (&user.name, self.verb);
        if self.resource.is_empty() {
            let message = format!("forbidden: User \"{user}\" cannot {verb} path \"{}\"", self.path);
            return Status::new(403, "Forbidden", message);
        }
        let place = if self.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{}\"", self.namespace)
        };
        let why = format!(
            "User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\" {place}",
            self.combined(),
            self.group
        );
        let resource =
            if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) };
        Status::forbidden(&resource, self.name, &why)
    }
}

/// The rules of one role, and how a user comes by them.
pub(super) struct Bound {
    pub(super) rules: Vec<Value>,
    /// Binding, role and subject, as kube-apiserver names them.
    by: String,
}

/// All rules that a user has in a namespace, or in the cluster as a whole where it is empty.
pub(super) fn bound(registry: &Registry, user: &User, namespace: &str) -> Vec<Bound> {
    let mut bindings = registry.list(kinds::CLUSTER_ROLE_BINDINGS, None).0;
    if !namespace.is_empty() {
        bindings.extend(registry.list(kinds::ROLE_BINDINGS, Some(namespace)).0);
    }
    let mut all = Vec::new();
    for binding in bindings {
        let own = binding["metadata"]["namespace"].as_str().unwrap_or_default();
        let mut subjects = binding["subjects"].as_array().into_iter().flatten();
        let Some(subject) = subjects.find_map(|subject| matching(subject, user, own)) else { continue };
        let role = &binding["roleRef"];
        let (kind, name) = (role["kind"].as_str().unwrap_or_default(), role["name"].as_str().unwrap_or_default());
        let found = match kind {
            "ClusterRole" => registry.get(kinds::CLUSTER_ROLES, "", name),
            "Role" if !own.is_empty() => registry.get(kinds::ROLES, own, name),
            _ => continue,
        };
        // A binding to a role that is not there gives nothing.
        let Ok(found) = found else { continue };
        let binding_kind = if own.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
        let binding_name = binding["metadata"]["name"].as_str().unwrap_or_default();
        let binding_name = if own.is_empty() { binding_name.to_owned() } else { format!("{binding_name}/{own}") };
        all.push(Bound {
            rules: found["rules"].as_array().cloned().unwrap_or_default(),
            by: format!("{binding_kind} \"{binding_name}\" of {kind} \"{name}\" to {subject}"),
        });
    }
    all
}

/// The subject in words, where it means the user.
fn matching(subject: &Value, user: &User, namespace: &str) -> Option<String> {
    let (kind, name) = (subject["kind"].as_str()?, subject["name"].as_str()?);
    let ours = subject["apiGroup"].as_str().is_none_or(|group| group.is_empty() || group == API_GROUP);
    match kind {
        "User" if ours && user.name == name => Some(format!("User \"{name}\"")),
        "Group" if ours && user.is_in(name) => Some(format!("Group \"{name}\"")),
        "ServiceAccount" => {
            // One of the binding's own namespace, where it says none.
            let of = subject["namespace"].as_str().filter(|of| !of.is_empty()).unwrap_or(namespace);
            (user.service_account() == Some((of, name))).then(|| format!("ServiceAccount \"{name}/{of}\""))
        }
        _ => None,
    }
}

/// Whether a rule allows what is asked for.
fn covers(rule: &Value, request: &Request) -> bool {
    if !list(rule, "verbs").any(|verb| verb == "*" || verb == request.verb) {
        return false;
    }
    if request.resource.is_empty() {
        return list(rule, "nonResourceURLs").any(|url| match url.strip_suffix('*') {
            Some(begin) => request.path.starts_with(begin),
            None => url == request.path,
        });
    }
    let combined = request.combined();
    let mut names = list(rule, "resourceNames").peekable();
    list(rule, "apiGroups").any(|group| group == "*" || group == request.group)
        && list(rule, "resources").any(|resource| {
            let any_of_it = || resource.strip_prefix("*/").is_some_and(|sub| sub == request.subresource);
            resource == "*" || resource == combined || (!request.subresource.is_empty() && any_of_it())
        })
        && (names.peek().is_none() || names.any(|name| name == request.name))
}

fn list<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::user::AUTHENTICATED;
    use super::*;

    /// A namespace in which `x` may read pods, their commands, and one ConfigMap, and a service account is bound to
    /// `view`.
    fn registry() -> Registry {
        let registry = Registry::new();
        let create = |resource, namespace, object| registry.create(resource, namespace, object, false).unwrap();
        create(kinds::NAMESPACES, "", json!({"metadata": {"name": "here"}}));
        super::super::create(&registry).unwrap();
        create(
            kinds::ROLES,
            "here",
            json!({"metadata": {"name": "r"}, "rules": [
                {"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["get", "list"]},
                {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["*"]},
                {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["patch"]},
            ]}),
        );
        create(
            kinds::ROLE_BINDINGS,
            "here",
            json!({"metadata": {"name": "rb"},
            "roleRef": {"apiGroup": API_GROUP, "kind": "Role", "name": "r"},
            "subjects": [{"apiGroup": API_GROUP, "kind": "User", "name": "x"}]}),
        );
        create(
            kinds::ROLE_BINDINGS,
            "here",
            json!({"metadata": {"name": "viewers"},
            "roleRef": {"apiGroup": API_GROUP, "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "sa"}]}),
        );
        create(
            kinds::ROLE_BINDINGS,
            "here",
            json!({"metadata": {"name": "nothing"},
            "roleRef": {"apiGroup": API_GROUP, "kind": "Role", "name": "gone"},
            "subjects": [{"kind": "User", "name": "x"}]}),
        );
        registry
    }

    fn reason(user: &User, request: &Request) -> Option<String> {
        let verdict = allowed(&registry(), user, request);
        verdict.allowed.then_some(verdict.reason)
    }

    #[test]
    fn a_role_allows_what_its_rules_say_where_it_is_bound() {
        let x = User::new("x", &[AUTHENTICATED]);
        let pods = Request { verb: "get", resource: "pods", namespace: "here", ..Request::default() };
        let by = "RBAC: allowed by RoleBinding \"rb/here\" of Role \"r\" to User \"x\"";
        assert_eq!(reason(&x, &pods).as_deref(), Some(by));
        assert!(reason(&x, &Request { subresource: "exec", ..pods }).is_some());
        assert!(reason(&x, &Request { subresource: "log", ..pods }).is_none());
        assert!(reason(&x, &Request { verb: "delete", ..pods }).is_none());
        assert!(reason(&x, &Request { namespace: "there", ..pods }).is_none());
        assert!(reason(&x, &Request { namespace: "", ..pods }).is_none());
        let map = Request { verb: "update", resource: "configmaps", namespace: "here", ..Request::default() };
        assert!(reason(&x, &Request { name: "one", ..map }).is_some());
        assert!(reason(&x, &Request { name: "two", ..map }).is_none());
        assert!(reason(&x, &Request { verb: "list", ..map }).is_none());
        let scale = Request { verb: "patch", group: "apps", resource: "statefulsets", namespace: "here", ..pods };
        assert!(reason(&x, &Request { subresource: "scale", ..scale }).is_some());
        assert!(reason(&x, &scale).is_none());
    }

    #[test]
    fn a_cluster_role_is_bound_in_one_namespace_and_groups_in_all() {
        let account = User::new("system:serviceaccount:here:sa", &[AUTHENTICATED]);
        let pods = Request { verb: "list", resource: "pods", namespace: "here", ..Request::default() };
        let by = "RBAC: allowed by RoleBinding \"viewers/here\" of ClusterRole \"view\" to ServiceAccount \"sa/here\"";
        assert_eq!(reason(&account, &pods).as_deref(), Some(by));
        assert!(reason(&account, &Request { resource: "secrets", ..pods }).is_none());
        assert!(reason(&User::new("system:serviceaccount:there:sa", &[]), &pods).is_none());
        assert_eq!(reason(&User::new("root", &[MASTERS]), &pods).as_deref(), Some(""));
        let api = Request { verb: "get", path: "/api/v1", ..Request::default() };
        let by = "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \
            \"system:authenticated\"";
        assert_eq!(reason(&account, &api).as_deref(), Some(by));
        let stranger = User::new("system:anonymous", &["system:unauthenticated"]);
        assert!(reason(&stranger, &api).is_none());
        assert!(reason(&stranger, &Request { path: "/version", ..api }).is_some());
    }

    #[test]
    fn refusals_are_in_kube_apiservers_words() {
        let x = User::new("x", &[]);
        let list = Request { verb: "list", resource: "pods", namespace: "y", ..Request::default() };
        let said = |request: &Request| request.refused(&x).message;
        let expected =
            "pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" in the namespace \"y\"";
        assert_eq!(said(&list), expected);
        let one = Request {
            verb: "patch",
            group: "apps",
            resource: "statefulsets",
            subresource: "scale",
            name: "q",
            ..Request::default()
        };
        let expected = "statefulsets.apps \"q\" is forbidden: User \"x\" cannot patch resource \"statefulsets/scale\" in \
            API group \"apps\" at the cluster scope";
        assert_eq!(said(&one), expected);
        let path = Request { verb: "get", path: "/metrics", ..Request::default() };
        assert_eq!(said(&path), "forbidden: User \"x\" cannot get path \"/metrics\"");
    }
}
