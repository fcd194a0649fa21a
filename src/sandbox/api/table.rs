//! Tables: what `kubectl get` shows of each kind, which the API server decides.

use serde_json::{Value, json};

use crate::sandbox::kinds::{self, Kind};

/// A column: its name, how wide a table it is for (0 for every one, 1 for `-o wide`), and what it shows.
type Column = (&'static str, u8, fn(&Value) -> String);

/// Objects as rows. `columns` says whether to name the columns, which a watch does once.
pub(super) fn of(kind: &Kind, objects: &[&Value], version: &Value, columns: bool) -> Value {
    let shown = columns_of(&kind.resource());
    let definitions: Vec<Value> = shown
        .iter()
        .map(|(name, priority, _)| {
            let format = if *name == "Name" { "name" } else { "" };
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": priority})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<String> = shown.iter().map(|(_, _, cell)| cell(object)).collect();
            let metadata = json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
            });
            json!({"cells": cells, "object": metadata})
        })
        .collect();
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "Table", "metadata": {"resourceVersion": version},
        "columnDefinitions": if columns { json!(definitions) } else { Value::Null }, "rows": rows,
    })
}

const NAME: Column = ("Name", 0, |object| text(&object["metadata"]["name"]));
const AGE: Column = ("Age", 0, |object| age(&object["metadata"]["creationTimestamp"]));

fn columns_of(resource: &str) -> Vec<Column> {
    match resource {
        kinds::PODS => vec![
            NAME,
            ("Ready", 0, ready_containers),
            ("Status", 0, pod_status),
            ("Restarts", 0, restarts),
            AGE,
            ("IP", 1, |pod| or_none(&pod["status"]["podIP"])),
            ("Node", 1, |pod| or_none(&pod["spec"]["nodeName"])),
            ("Nominated Node", 1, |pod| or_none(&pod["status"]["nominatedNodeName"])),
            ("Readiness Gates", 1, |_| "<none>".to_owned()),
        ],
        kinds::STATEFUL_SETS => vec![
            NAME,
            ("Ready", 0, |set| {
                format!("{}/{}", number(&set["status"]["readyReplicas"]), number(&set["spec"]["replicas"]))
            }),
            AGE,
            ("Containers", 1, |set| joined(&set["spec"]["template"]["spec"]["containers"], "name")),
            ("Images", 1, |set| joined(&set["spec"]["template"]["spec"]["containers"], "image")),
        ],
        kinds::SERVICES => vec![
            NAME,
            ("Type", 0, |service| text(&service["spec"]["type"])),
            ("Cluster-IP", 0, |service| or_none(&service["spec"]["clusterIP"])),
            ("External-IP", 0, |_| "<none>".to_owned()),
            ("Port(s)", 0, ports),
            AGE,
            ("Selector", 1, |service| {
                let labels = service["spec"]["selector"].as_object().into_iter().flatten();
                let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={}", text(value))).collect();
                if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") }
            }),
        ],
        kinds::CLAIMS => vec![
            NAME,
            ("Status", 0, |claim| text(&claim["status"]["phase"])),
            ("Volume", 0, |claim| text(&claim["spec"]["volumeName"])),
            ("Capacity", 0, |claim| text(&claim["status"]["capacity"]["storage"])),
            ("Access Modes", 0, |claim| access_modes(&claim["status"]["accessModes"])),
            ("StorageClass", 0, |claim| text(&claim["spec"]["storageClassName"])),
            AGE,
            ("VolumeMode", 1, |claim| text(&claim["spec"]["volumeMode"])),
        ],
        kinds::VOLUMES => vec![
            NAME,
            ("Capacity", 0, |volume| text(&volume["spec"]["capacity"]["storage"])),
            ("Access Modes", 0, |volume| access_modes(&volume["spec"]["accessModes"])),
            ("Reclaim Policy", 0, |volume| text(&volume["spec"]["persistentVolumeReclaimPolicy"])),
            ("Status", 0, |volume| text(&volume["status"]["phase"])),
            ("Claim", 0, |volume| match &volume["spec"]["claimRef"] {
                Value::Null => String::new(),
                claim => format!("{}/{}", text(&claim["namespace"]), text(&claim["name"])),
            }),
            ("StorageClass", 0, |volume| text(&volume["spec"]["storageClassName"])),
            AGE,
        ],
        kinds::STORAGE_CLASSES => vec![
            NAME,
            ("Provisioner", 0, |class| text(&class["provisioner"])),
            ("ReclaimPolicy", 0, |class| text(&class["reclaimPolicy"])),
            ("VolumeBindingMode", 0, |class| text(&class["volumeBindingMode"])),
            AGE,
        ],
        kinds::NAMESPACES => vec![NAME, ("Status", 0, |namespace| text(&namespace["status"]["phase"])), AGE],
        kinds::NODES => vec![
            NAME,
            ("Status", 0, status_of_node),
            ("Roles", 0, |_| "<none>".to_owned()),
            AGE,
            ("Version", 0, |node| text(&node["status"]["nodeInfo"]["kubeletVersion"])),
        ],
        kinds::EVENTS => vec![
            ("Last Seen", 0, |event| age(&event["lastTimestamp"])),
            ("Type", 0, |event| text(&event["type"])),
            ("Reason", 0, |event| text(&event["reason"])),
            ("Object", 0, |event| {
                let about = &event["involvedObject"];
                format!("{}/{}", text(&about["kind"]).to_lowercase(), text(&about["name"]))
            }),
            ("Message", 0, |event| text(&event["message"])),
            ("Name", 1, |event| text(&event["metadata"]["name"])),
        ],
        kinds::FAULTS => vec![
            NAME,
            ("Fault", 0, |fault| match fault["spec"].as_object().and_then(|spec| spec.iter().next()) {
                Some((what, whom)) => {
                    let whom = [&whom["pod"], &whom["claim"], &whom["resource"]];
                    format!("{what} {}", whom.into_iter().find_map(Value::as_str).unwrap_or_default())
                }
                None => String::new(),
            }),
            AGE,
        ],
        kinds::CONFIG_MAPS => {
            vec![NAME, ("Data", 0, |map| map["data"].as_object().map_or(0, serde_json::Map::len).to_string()), AGE]
        }
        _ => vec![NAME, AGE],
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(String::new, str::to_owned)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn or_none(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("<none>").to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn joined(value: &Value, field: &str) -> String {
    list(value).iter().map(|element| text(&element[field])).collect::<Vec<_>>().join(",")
}

fn status_of_node(node: &Value) -> String {
    let ready = if is_ready(node) { "Ready" } else { "NotReady" };
    let cordoned = if node["spec"]["unschedulable"] == true { ",SchedulingDisabled" } else { "" };
    format!("{ready}{cordoned}")
}

fn is_ready(object: &Value) -> bool {
    list(&object["status"]["conditions"])
        .iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn ready_containers(pod: &Value) -> String {
    let ready = list(&pod["status"]["containerStatuses"]).iter().filter(|status| status["ready"] == true).count();
    format!("{ready}/{}", list(&pod["spec"]["containers"]).len())
}

fn restarts(pod: &Value) -> String {
    let statuses = list(&pod["status"]["containerStatuses"]);
    statuses.iter().map(|status| number(&status["restartCount"])).sum::<u64>().to_string()
}

/// The one word that kubectl has for how a pod is: the reason of the container that has trouble, or its phase.
fn pod_status(pod: &Value) -> String {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return "Terminating".to_owned();
    }
    let inits = list(&pod["status"]["initContainerStatuses"]);
    for (index, status) in inits.iter().enumerate() {
        let state = &status["state"];
        if state["terminated"]["exitCode"] == 0 {
            continue;
        }
        let reason = [&state["terminated"]["reason"], &state["waiting"]["reason"]];
        let reason = reason.into_iter().find_map(Value::as_str).filter(|reason| *reason != "PodInitializing");
        return reason.map_or_else(|| format!("Init:{index}/{}", inits.len()), |reason| format!("Init:{reason}"));
    }
    let troubled = list(&pod["status"]["containerStatuses"]).iter().rev().find_map(|status| {
        let state = &status["state"];
        state["waiting"]["reason"].as_str().or_else(|| state["terminated"]["reason"].as_str())
    });
    troubled.map_or_else(|| text(&pod["status"]["phase"]), str::to_owned)
}

fn ports(service: &Value) -> String {
    let port = |port: &Value| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        format!("{}/{protocol}", number(&port["port"]))
    };
    let ports: Vec<String> = list(&service["spec"]["ports"]).iter().map(port).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}

fn access_modes(modes: &Value) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "",
    };
    list(modes).iter().map(short).collect::<Vec<_>>().join(",")
}

fn age(since: &Value) -> String {
    let Some(Ok(since)) = since.as_str().map(str::parse::<jiff::Timestamp>) else { return "<unknown>".to_owned() };
    let seconds = jiff::Timestamp::now().duration_since(since).as_secs().max(0);
    // As short as kubectl has it: two units while they are small, one when they are not.
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 if seconds % 60 != 0 => format!("{}m{}s", seconds / 60, seconds % 60),
        120..10_800 => format!("{}m", seconds / 60),
        10_800..28_800 if seconds % 3600 >= 60 => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
        10_800..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_kubectls_word_for_its_state() {
        let waiting = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}});
        let running = json!({"state": {"running": {}}, "ready": true, "restartCount": 2});
        let mut pod = json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{}, {}]},
            "status": {"phase": "Running", "containerStatuses": [running, running]},
        });
        assert_eq!(pod_status(&pod), "Running");
        assert_eq!(ready_containers(&pod), "2/2");
        assert_eq!(restarts(&pod), "4");
        pod["status"]["containerStatuses"][1] = waiting;
        assert_eq!(pod_status(&pod), "CrashLoopBackOff");
        assert_eq!(ready_containers(&pod), "1/2");
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(pod_status(&pod), "Terminating");
    }

    #[test]
    fn a_cordoned_node_says_so() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let mut node = json!({"spec": {}, "status": {"conditions": ready}});
        assert_eq!(status_of_node(&node), "Ready");
        node["spec"]["unschedulable"] = json!(true);
        assert_eq!(status_of_node(&node), "Ready,SchedulingDisabled");
        node["status"]["conditions"] = json!([]);
        assert_eq!(status_of_node(&node), "NotReady,SchedulingDisabled");
    }
}
