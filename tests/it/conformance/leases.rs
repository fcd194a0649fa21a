//! What the program under test writes besides the StatefulSet: its lock, a Lease, and its Events.

use serde_json::json;

use super::room::Room;

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn leases() {
    let room = Room::enter("leases");
    let spec = |holder: &str, transitions: u32| {
        json!({
            "holderIdentity": holder, "leaseDurationSeconds": 10, "acquireTime": "2026-01-01T00:00:00.123456Z",
            "renewTime": "2026-01-01T00:00:00.000000Z", "leaseTransitions": transitions,
        })
    };
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lock"}, "spec": spec("me", 0),
    });
    let first = room.post("leases", &lease).shows(&["/spec/holderIdentity", "/spec/leaseTransitions"]);
    // Times keep all their digits.
    for field in ["acquireTime", "renewTime"] {
        room.note(format!("  {field} has {} letters", first.body["spec"][field].as_str().map_or(0, str::len)));
    }
    room.post("leases", &lease);
    room.title("renewed by version");
    let mut next = first.body.clone();
    next["spec"]["renewTime"] = json!("2026-01-01T00:00:03.000000Z");
    let second = room.put("leases/lock", &next);
    room.put("leases/lock", &next);
    room.title("taken over");
    let mut taken = second.body.clone();
    taken["spec"] = spec("you", 1);
    let third = room.put("leases/lock", &taken).shows(&["/spec/holderIdentity"]);
    room.title("released");
    let uid = &third.body["metadata"]["uid"];
    let preconditions = |version: &str| json!({"preconditions": {"uid": uid, "resourceVersion": version}});
    room.delete("leases/lock", &preconditions(&second.version()));
    room.delete("leases/lock", &preconditions(&third.version())).shows(&["/status"]);
    room.delete("leases/lock", &preconditions(&third.version()));
    room.put("leases/lock", &taken);
    room.title("wrong");
    let mut wrong = lease.clone();
    wrong["spec"]["renewTime"] = json!("yesterday");
    room.brief("POST", "leases", "application/json", &wrong);
    wrong["spec"] = json!({"leaseDurationSeconds": 0});
    room.post("leases", &wrong);
    wrong["spec"] = json!({"leaseDurationSeconds": "10"});
    room.brief("POST", "leases", "application/json", &wrong);
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn events_of_both_names() {
    let room = Room::enter("events_of_both_names");
    let newer = format!("/apis/events.k8s.io/v1/namespaces/{}/events", room.name());
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "set.1", "namespace": room.name()},
        "regarding": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "set", "namespace": room.name()},
        "type": "Normal", "reason": "ScaledUp", "action": "patch", "note": "from 1 to 3",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "conf", "reportingInstance": "conf-1",
    });
    let fields = ["/apiVersion", "/regarding/name", "/note", "/reason", "/action", "/reportingController"];
    room.post(&newer, &event).shows(&fields);
    room.post(&newer, &event);
    room.title("by the older name");
    let fields =
        ["/apiVersion", "/involvedObject/name", "/message", "/reason", "/reportingComponent", "/source", "/count"];
    room.get("events/set.1").shows(&fields);
    room.title("told again");
    let again = json!({"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}});
    room.patch(&format!("{newer}/set.1"), super::room::MERGE, &again).shows(&["/series/count", "/note"]);
    room.get("events/set.1").shows(&["/series/count", "/message"]);
    room.leave();
}
