//! The kinds of objects that the API server serves.

use std::sync::Arc;

use serde_json::Value;

pub(super) const CONFIG_MAPS: &str = "configmaps";
pub(super) const EVENTS: &str = "events";
pub(super) const NAMESPACES: &str = "namespaces";
pub(super) const NODES: &str = "nodes";
pub(super) const CLAIMS: &str = "persistentvolumeclaims";
pub(super) const VOLUMES: &str = "persistentvolumes";
pub(super) const PODS: &str = "pods";
pub(super) const QUOTAS: &str = "resourcequotas";
pub(super) const SECRETS: &str = "secrets";
pub(super) const SERVICE_ACCOUNTS: &str = "serviceaccounts";
pub(super) const SERVICES: &str = "services";
pub(super) const REVISIONS: &str = "controllerrevisions.apps";
pub(super) const STATEFUL_SETS: &str = "statefulsets.apps";
pub(super) const STORAGE_CLASSES: &str = "storageclasses.storage.k8s.io";
pub(super) const CLUSTER_ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
pub(super) const CLUSTER_ROLE_BINDINGS: &str = "clusterrolebindings.rbac.authorization.k8s.io";
pub(super) const ROLES: &str = "roles.rbac.authorization.k8s.io";
pub(super) const ROLE_BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";
/// Events by their newer name, of which none are kept: they are those of the older name.
pub(super) const NEWER_EVENTS: &str = "events.events.k8s.io";
pub(super) const LEASES: &str = "leases.coordination.k8s.io";
pub(super) const BUDGETS: &str = "poddisruptionbudgets.policy";
pub(super) const CUSTOM_KINDS: &str = "customresourcedefinitions.apiextensions.k8s.io";
/// The sandbox's own: trouble on demand.
pub(super) const FAULTS: &str = "faults.sandbox.etcd-scale.io";

/// One kind of object.
#[expect(clippy::struct_field_names, reason = "the field is what Kubernetes calls it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// Empty for the core group.
    pub(super) group: String,
    pub(super) version: String,
    /// As in addresses: `statefulsets`.
    pub(super) plural: String,
    pub(super) singular: String,
    /// As in objects: `StatefulSet`.
    pub(super) kind: String,
    pub(super) namespaced: bool,
    pub(super) short: Vec<String>,
    /// Whether `kubectl get all` shows it.
    pub(super) in_all: bool,
    /// Whether its status is written apart from the rest.
    pub(super) has_status: bool,
}

impl Kind {
    /// `PLURAL` or `PLURAL.GROUP`: the name that messages, roles and this program's constants have for it.
    pub(super) fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `KIND` or `KIND.GROUP`, as messages about invalid objects have it.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// Whether objects have a generation: those with a controller that follows what they ask for, and all of declared
    /// kinds. Others, pods among them, have none.
    pub(super) fn counts_generations(&self) -> bool {
        matches!(self.group.as_str(), "apps" | "policy" | "apiextensions.k8s.io") && self.has_status
            || !self.is_built_in()
    }

    /// Whether it is not one that somebody has declared.
    pub(super) fn is_built_in(&self) -> bool {
        BUILT_IN.iter().any(|(group, _, plural, ..)| self.group == *group && self.plural == *plural)
    }

    /// As in objects: `apps/v1`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The kind that a `CustomResourceDefinition` declares; none where it lacks a name or a served version.
    pub(super) fn declared(definition: &Value) -> Option<Self> {
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let versions = spec["versions"].as_array()?;
        let version = versions.iter().find(|version| version["served"] == true)?;
        let short = spec["names"]["shortNames"].as_array().into_iter().flatten();
        Some(Self {
            group: text(&spec["group"])?,
            version: text(&version["name"])?,
            plural: text(&spec["names"]["plural"])?,
            singular: text(&spec["names"]["singular"]).unwrap_or_default(),
            kind: text(&spec["names"]["kind"])?,
            namespaced: spec["scope"] == "Namespaced",
            short: short.filter_map(text).collect(),
            in_all: false,
            has_status: version["subresources"]["status"].is_object(),
        })
    }
}

/// Group, version, plural, kind, short names, and what else it is: `n`amespaced, in `a`ll, with a `s`tatus.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static str);

const BUILT_IN: &[Row] = &[
    ("", "v1", "configmaps", "ConfigMap", &["cm"], "n"),
    ("", "v1", "endpoints", "Endpoints", &["ep"], "n"),
    ("", "v1", "events", "Event", &["ev"], "n"),
    ("", "v1", "namespaces", "Namespace", &["ns"], "s"),
    ("", "v1", "nodes", "Node", &["no"], "s"),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", &["pvc"], "ns"),
    ("", "v1", "persistentvolumes", "PersistentVolume", &["pv"], "s"),
    ("", "v1", "pods", "Pod", &["po"], "nas"),
    ("", "v1", "resourcequotas", "ResourceQuota", &["quota"], "ns"),
    ("", "v1", "secrets", "Secret", &[], "n"),
    ("", "v1", "serviceaccounts", "ServiceAccount", &["sa"], "n"),
    ("", "v1", "services", "Service", &["svc"], "nas"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", &["crd", "crds"], "s"),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", &[], "n"),
    ("apps", "v1", "statefulsets", "StatefulSet", &["sts"], "nas"),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", &["hpa"], "nas"),
    ("coordination.k8s.io", "v1", "leases", "Lease", &[], "n"),
    ("events.k8s.io", "v1", "events", "Event", &["ev"], "n"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", &["pdb"], "ns"),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", &[], ""),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", &[], ""),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", &[], "n"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", &[], "n"),
    ("sandbox.etcd-scale.io", "v1", "faults", "Fault", &[], "n"),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", &["sc"], ""),
];

/// The kinds that are there from the start.
pub(super) fn built_in() -> Vec<Arc<Kind>> {
    let kinds = BUILT_IN.iter().map(|(group, version, plural, kind, short, traits)| {
        Arc::new(Kind {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
            plural: (*plural).to_owned(),
            singular: kind.to_lowercase(),
            kind: (*kind).to_owned(),
            namespaced: traits.contains('n'),
            short: short.iter().map(|name| (*name).to_owned()).collect(),
            in_all: traits.contains('a'),
            has_status: traits.contains('s'),
        })
    });
    kinds.collect()
}
