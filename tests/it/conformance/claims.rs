//! Claims of pods: bound, left over, taken again, and those that nobody can fill.

use serde_json::{Value, json};

use super::room::Room;
use super::sets::{Rest, Set, rests};

/// Volumes that stand ready, as there need not be anybody who makes some. Dropped, they go.
struct Volumes<'a> {
    room: &'a Room,
    class: String,
    count: usize,
}

impl<'a> Volumes<'a> {
    fn new(room: &'a Room, count: usize) -> Self {
        let class = room.name().to_owned();
        room.make(
            "storageclasses",
            &json!({"metadata": {"name": class}, "provisioner": "kubernetes.io/no-provisioner"}),
        );
        let volumes = Self { room, class, count };
        for number in 0..count {
            let volume = json!({
                "metadata": {"name": volumes.name(number)},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Mi"}, "storageClassName": volumes.class,
                    "hostPath": {"path": format!("/tmp/{}", volumes.name(number)), "type": "DirectoryOrCreate"},
                },
            });
            room.make("persistentvolumes", &volume);
        }
        volumes
    }

    fn name(&self, number: usize) -> String {
        format!("{}-{number}", self.class)
    }
}

impl Drop for Volumes<'_> {
    fn drop(&mut self) {
        let all = (0..self.count).map(|number| format!("persistentvolumes/{}", self.name(number)));
        for what in all.chain([format!("storageclasses/{}", self.class)]) {
            self.room.send("DELETE", &what, &[], Vec::new());
        }
    }
}

fn claims(room: &Room) {
    let list = room.look("persistentvolumeclaims");
    for claim in list["items"].as_array().into_iter().flatten() {
        let (meta, bound) = (&claim["metadata"], claim["spec"]["volumeName"].is_string());
        let owned = !meta["ownerReferences"].is_null();
        let phase = &claim["status"]["phase"];
        room.note(format!(
            "  claim {} {phase}, bound {bound}, owned {owned}, {} {}",
            meta["name"], meta["labels"], meta["finalizers"]
        ));
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn left_over() {
    let room = Room::enter("left_over");
    let volumes = Volumes::new(&room, 2);
    Set::new("set").replicas(2).claim(&volumes.class).start(&room);
    room.title("two claims");
    claims(&room);
    for pod in ["set-0", "set-1"] {
        drop(room.kubectl(&["exec", pod, "--", "sh", "-c", "hostname > /data/name; ls /data"]));
    }
    room.title("one left over");
    room.change("statefulsets/set", &json!({"spec": {"replicas": 1}}));
    rests(&room, "set", Rest::all(1));
    claims(&room);
    let left = room.look("persistentvolumeclaims/data-set-1")["metadata"]["uid"].clone();
    room.title("and used again");
    room.change("statefulsets/set", &json!({"spec": {"replicas": 2}}));
    rests(&room, "set", Rest::all(2));
    let used = room.look("persistentvolumeclaims/data-set-1")["metadata"]["uid"].clone();
    room.note(format!("  the same claim: {}", left == used));
    drop(room.kubectl(&["exec", "set-1", "--", "cat", "/data/name"]));
    room.title("in use, a claim that is deleted stays");
    let answer = room.delete("persistentvolumeclaims/data-set-1", &Value::Null);
    room.note(format!("  on its way out: {}", answer.body["metadata"]["deletionTimestamp"].is_string()));
    drop(answer);
    room.get("persistentvolumeclaims/data-set-1").shows(&["/status/phase", "/metadata/finalizers"]);
    room.change("statefulsets/set", &json!({"spec": {"replicas": 1}}));
    room.until_gone("persistentvolumeclaims/data-set-1");
    room.title("the set deleted, its claims left");
    room.delete("statefulsets/set", &Value::Null);
    room.until_gone("pods/set-0");
    claims(&room);
    let bound =
        room.look("persistentvolumeclaims/data-set-0")["spec"]["volumeName"].as_str().unwrap_or_default().to_owned();
    room.title("the last claim deleted, its volume kept");
    room.delete("persistentvolumeclaims/data-set-0", &Value::Null);
    room.until_gone("persistentvolumeclaims/data-set-0");
    let volume = room.until(&format!("persistentvolumes/{bound}"), "the volume to be free", |volume| {
        volume["status"]["phase"] == "Released"
    });
    room.note(format!("  volume {} of {}", volume["status"]["phase"], volume["spec"]["claimRef"]["name"]));
    drop(volumes);
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn unfilled() {
    let room = Room::enter("unfilled");
    let volumes = Volumes::new(&room, 0);
    for (title, name, class) in [
        ("a class that nobody provisions", "none", volumes.class.as_str()),
        ("a class that is not there", "missing", "conf-there-is-none"),
    ] {
        room.title(title);
        let set = Set::new(name).replicas(1).claim(class);
        room.make("statefulsets", &set.object());
        let what = format!("pods/{name}-0");
        room.until(&what, "the scheduler to give up", |pod| {
            pod["status"]["conditions"][0]["reason"] == "Unschedulable"
        });
        room.get(&what).shows(&["/status/phase", "/status/conditions/0/message"]);
        let told = crate::harness::eventually("what is said about the claim", || {
            let list = room.look(&format!("events?fieldSelector=involvedObject.name%3Ddata-{name}-0"));
            list["items"][0]["reason"].as_str().map(str::to_owned).ok_or_else(|| list.to_string())
        });
        drop(told);
        super::sets::events(&room, &format!("data-{name}-0"));
        claims(&room);
    }
    drop(volumes);
    room.leave();
}
