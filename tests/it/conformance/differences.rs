//! Where a real API server and the sandbox may differ, and why. What is not listed here must be the same.

/// Where a difference is to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// On Kubernetes before 1.`.0`: the sandbox has the ways of a newer one.
    Before(u32),
    /// On every real cluster.
    Everywhere,
}

/// Lines of a transcript that are not the same.
pub(super) struct Difference {
    /// In which scenarios; in all where there are none.
    pub(super) scenarios: &'static [&'static str],
    /// What a real one says, in lines that follow each other.
    pub(super) real: &'static [&'static str],
    /// What the sandbox says there.
    pub(super) sandbox: &'static [&'static str],
    pub(super) holds: Where,
    pub(super) why: &'static str,
}

/// One that a newer Kubernetes has, by the minor version that it came with.
const fn since(
    minor: u32,
    scenarios: &'static [&'static str],
    real: &'static [&'static str],
    sandbox: &'static [&'static str],
    why: &'static str,
) -> Difference {
    Difference { scenarios, real, sandbox, holds: Where::Before(minor), why }
}

pub(super) const DIFFERENCES: &[Difference] = &[
    since(
        27,
        &["defaults"],
        &[r#"/spec/podManagementPolicy: "OrderedReady""#],
        &[
            r#"/spec/persistentVolumeClaimRetentionPolicy/whenDeleted: "Retain""#,
            r#"/spec/persistentVolumeClaimRetentionPolicy/whenScaled: "Retain""#,
            r#"/spec/podManagementPolicy: "OrderedReady""#,
        ],
        "claims may be deleted with their pods",
    ),
    since(
        22,
        &["defaults"],
        &[r#"/spec/volumeClaimTemplates/0/status/phase: "Pending""#, "/status/replicas: 0"],
        &[
            r#"/spec/volumeClaimTemplates/0/status/phase: "Pending""#,
            "/status/availableReplicas: 0",
            "/status/replicas: 0",
        ],
        "pods are counted that have been ready for long enough",
    ),
    since(
        22,
        &["pod_of_a_set"],
        &[r#"/status: {"collisionCount""#],
        &[r#"/status: {"availableReplicas":1,"collisionCount""#],
        "pods are counted that have been ready for long enough",
    ),
    since(
        22,
        &["defaults"],
        &[r#"/spec/clusterIPs/0: "None""#],
        &[
            r#"/spec/clusterIPs/0: "None""#,
            r#"/spec/internalTrafficPolicy: "Cluster""#,
            r#"/spec/ipFamilies/0: "IPv4""#,
            r#"/spec/ipFamilyPolicy: "SingleStack""#,
        ],
        "Services may be of two families",
    ),
    since(
        22,
        &["defaults"],
        &[r#"/spec/clusterIPs/0: "ADDRESS""#],
        &[
            r#"/spec/clusterIPs/0: "ADDRESS""#,
            r#"/spec/internalTrafficPolicy: "Cluster""#,
            r#"/spec/ipFamilies/0: "IPv4""#,
            r#"/spec/ipFamilyPolicy: "SingleStack""#,
        ],
        "Services may be of two families",
    ),
    since(
        28,
        &["pod_of_a_set"],
        &[r#"/metadata/labels/app: "set""#],
        &[r#"/metadata/labels/app: "set""#, r#"/metadata/labels/apps.kubernetes.io/pod-index: "0""#],
        "pods bear their ordinal as a label",
    ),
    since(
        22,
        &["tables"],
        &[r#"column "Restarts" "integer""#],
        &[r#"column "Restarts" "string""#],
        "the column also tells when the last restart was",
    ),
    since(
        30,
        &["validation"],
        &["'replicas', 'template', and 'updateStrategy' are forbidden"],
        &["'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and \
           'minReadySeconds' are forbidden"],
        "more of a StatefulSet may change",
    ),
    since(
        22,
        &["verbs"],
        &[r#"in scheme "k8s.io/kubernetes/pkg/api"#],
        &[r#"in scheme "pkg/api"#],
        "the message has a path of the source in it",
    ),
    since(
        22,
        &["verbs"],
        &["expected: '=', '!=', '==', 'in', notin'"],
        &["expected: in, notin, =, ==, !=, gt, lt"],
        "the message lists more, and in another order",
    ),
    since(
        25,
        &["patches"],
        &["BadRequest: json: cannot unmarshal object"],
        &["BadRequest: error decoding patch: json: cannot unmarshal object"],
        "the message has one word more for what failed",
    ),
    since(
        22,
        &["not_started"],
        &["didn't match Pod's node affinity."],
        &["didn't match Pod's node affinity/selector."],
        "the message names the selector, too",
    ),
    Difference {
        scenarios: &["access"],
        real: &[
            r#"403 Forbidden: nosuchthings.apps is forbidden: User "conf-user" cannot list resource "nosuchthings" in API group "apps" in the namespace "NAMESPACE""#,
            r#"details: {"group":"apps","kind":"nosuchthings"}"#,
        ],
        sandbox: &["404 NotFound: the server could not find the requested resource", "details: {}"],
        holds: Where::Everywhere,
        why: "the sandbox has roles for what it serves; a resource that is not there can be told by everybody",
    },
];
