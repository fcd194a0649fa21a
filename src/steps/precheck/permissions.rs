//! Whether the API server would allow the calls that the run needs.

use super::{Check, Context, kubernetes, volumes};
use crate::model::{
    Answer, ClaimPolicy, Join, Known, Permission, Question, RolloutPolicy, Verb, Via, may_be_by_hand,
    strategy_is_on_delete,
};
use crate::runbook::Finding;

/// How much a missing permission matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The run cannot be made without it.
    Required,
    /// Without it one check or convenience is missing; the text says which.
    Advisory(&'static str),
}

/// Group, resource, verb, whether namespaced, need.
type Row = (&'static str, &'static str, &'static str, bool, Need);

const ROWS: &[Row] = &[
    ("apps", "statefulsets", "get", true, Need::Required),
    ("apps", "statefulsets", "patch", true, Need::Required),
    ("", "pods", "list", true, Need::Required),
    ("", "pods", "get", true, Need::Required),
    ("coordination.k8s.io", "leases", "get", true, Need::Required),
    ("coordination.k8s.io", "leases", "create", true, Need::Required),
    ("coordination.k8s.io", "leases", "update", true, Need::Required),
    ("coordination.k8s.io", "leases", "delete", true, Need::Required),
    ("", "services", "get", true, Need::Required),
    ("", "persistentvolumeclaims", "list", true, Need::Required),
    // A watch begins with a list.
    ("apps", "statefulsets", "list", true, Need::Advisory("waits look every 2 s instead of at once")),
    ("apps", "statefulsets", "watch", true, Need::Advisory("waits look every 2 s instead of at once")),
    ("", "pods", "watch", true, Need::Advisory("waits look every 2 s instead of at once")),
    ("", "pods/log", "get", true, Need::Advisory("a crashing container's last lines are not shown")),
    ("", "services", "list", true, Need::Advisory("Services that lead clients to the learner are not looked for")),
    ("", "configmaps", "list", true, Need::Advisory("ConfigMaps that name the old members are not looked for")),
    ("policy", "poddisruptionbudgets", "list", true, Need::Advisory("disruption budgets are not looked at")),
    ("events.k8s.io", "events", "create", true, Need::Advisory("changes are not noted as Events on the StatefulSet")),
    ("", "nodes", "list", false, Need::Advisory("nodes for anti-affinity are not counted")),
    ("", "persistentvolumes", "get", false, Need::Advisory("volumes are not looked at")),
    ("storage.k8s.io", "storageclasses", "list", false, Need::Advisory("storage classes are not looked at")),
];

/// By the way to etcd. A WebSocket begins with a GET.
const PORT_FORWARD_ROWS: &[Row] = &[
    ("", "pods/portforward", "get", true, Need::Required),
    ("", "pods/portforward", "create", true, Need::Advisory("Kubernetes 1.35 and later ask for it as well")),
];

const EXEC_ROWS: &[Row] = &[
    ("", "pods/exec", "get", true, Need::Required),
    ("", "pods/exec", "create", true, Need::Advisory("Kubernetes 1.35 and later ask for it as well")),
];

/// Where a volume has to be made.
const VOLUME_ROWS: &[Row] = &[
    ("", "persistentvolumes", "list", false, Need::Required),
    ("", "persistentvolumes", "create", false, Need::Required),
];

/// Where claims are deleted, and with them volumes that were made by hand.
const CLAIM_ROWS: &[Row] = &[("", "persistentvolumeclaims", "delete", true, Need::Required)];
const HAND_MADE_ROWS: &[Row] = &[("", "persistentvolumes", "delete", false, Need::Required)];

/// Where the list of peers is in a ConfigMap.
const CONFIG_MAP_ROWS: &[Row] =
    &[("", "configmaps", "get", true, Need::Required), ("", "configmaps", "patch", true, Need::Required)];

fn rows(context: Context<'_>) -> impl Iterator<Item = Row> {
    let set = &context.observation.statefulset;
    let on_delete = strategy_is_on_delete(&set.strategy);
    let settles = on_delete && context.goal.rollout != RolloutPolicy::Defer;
    // The controller replaces no pod that is not ready under OrderedReady.
    let restores = (on_delete || set.ordered_ready)
        && context.grows()
        && matches!(Join::of(context.observation, context.goal), Ok(Join::Bypass { .. }));
    let claims = !set.claim_templates.is_empty()
        && (context.goal.verb == Verb::Replace || context.goal.claims == ClaimPolicy::Delete);
    let by_hand = claims && may_be_by_hand(context.observation);
    // Where a member is added, etcd may refuse it until one of the others begins anew.
    let reconnects = "where etcd refuses the new member until another one is restarted, none is";
    let delete = if settles || restores || context.goal.verb == Verb::Replace {
        Some(Need::Required)
    } else {
        context.grows().then_some(Need::Advisory(reconnects))
    };
    let delete = delete.map(|need| ("", "pods", "delete", true, need));
    let volumes: &[Row] = if volumes::to_make(context) { VOLUME_ROWS } else { &[] };
    let maps: &[Row] = if kubernetes::reads_config_map(context) { CONFIG_MAP_ROWS } else { &[] };
    let way = match context.observation.via {
        Via::PortForward => PORT_FORWARD_ROWS,
        Via::Exec => EXEC_ROWS,
        Via::Direct => &[],
    };
    let claims: &[Row] = if claims { CLAIM_ROWS } else { &[] };
    let hand_made: &[Row] = if by_hand { HAND_MADE_ROWS } else { &[] };
    let conditional = [way, volumes, maps, claims, hand_made].concat();
    ROWS.iter().copied().chain(delete).chain(conditional)
}

fn permission((group, resource, verb, namespaced, _): Row) -> Permission {
    Permission { verb: verb.to_owned(), group: group.to_owned(), resource: resource.to_owned(), namespaced }
}

fn wanted(context: Context<'_>) -> Question {
    Question::Permissions(rows(context).map(permission).collect())
}

/// The question to ask, where it has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    Some(wanted(context)).filter(|question| context.observation.answer(question).is_none())
}

pub(super) fn check(context: Context<'_>) -> Vec<Finding> {
    let mut check = Check::new("permissions");
    let Some(Answer::Permissions(answers)) = context.observation.answer(&wanted(context)) else {
        return check.end("not asked for");
    };
    let namespace = &context.observation.statefulset.namespace;
    for (row, (permission, allowed)) in rows(context).zip(answers) {
        match (allowed, row.4) {
            (Known::Known(true), _) => {}
            (Known::Known(false), Need::Required) => check.refuse(
                format!("you may not {permission} in namespace {namespace}"),
                "ask for the role in .github/rbac.yaml",
            ),
            (Known::Known(false), Need::Advisory(without)) => {
                check.unknown(&format!("what needs {permission}"), Some(&format!("not permitted; {without}")));
            }
            (Known::Unknown(why), _) => check.unknown(&format!("whether you may {permission}"), Some(why)),
        }
    }
    check.end(format!("all {} calls that the run may make are permitted", answers.len()))
}
