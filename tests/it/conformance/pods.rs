//! Pods by themselves: what is asked of a node, and what it says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::room::Room;
use super::sets::{Rest, Set, container, events, pod, rests, wait};
use super::watch::Watch;
use crate::harness::eventually;

const IDLE: &str = "trap exit TERM; while :; do sleep 1000 & wait; done";

/// The addresses that a pod finds for a name, by whatever it has to ask with: lines of which some are addresses.
const ASK: &str = "if command -v getent > /dev/null; then getent ahostsv4 $1 | cut -d ' ' -f 1; \
                   else nslookup -type=a $1 | sed -n '3,$s/^Address: *//p'; fi";

fn ready(pod: &Value) -> bool {
    crate::harness::is_up(pod)
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn exec_and_logs() {
    let room = Room::enter("exec_and_logs");
    let mut two = pod("pod", &format!("echo out; echo err >&2; {IDLE}"));
    two["spec"]["containers"].as_array_mut().expect("containers").push(container("two", IDLE));
    room.make("pods", &two);
    room.until("pods/pod", "the pod to be ready", ready);
    room.title("exec");
    for command in [
        &["sh", "-c", "echo out; echo err >&2"][..],
        &["sh", "-c", "echo out; exit 3"],
        &["sh", "-c", "echo $HOSTNAME"],
        &["hostname"],
        &["no-such-command"],
    ] {
        // The runtime's words for what it cannot start are its own.
        let exec = [&["exec", "pod", "-c", "one", "--"], command].concat();
        if command[0] == "no-such-command" {
            let said = room.try_kubectl(&exec);
            room.note(format!("  no such command: {}", said.is_err_and(|said| said.contains("no-such-command"))));
        } else {
            drop(room.kubectl(&exec));
        }
    }
    drop(room.kubectl(&["exec", "pod", "-c", "none", "--", "true"]));
    drop(room.kubectl(&["exec", "none", "--", "true"]));
    room.title("logs");
    eventually("both lines", || {
        let said = room.try_kubectl(&["logs", "pod", "-c", "one"]);
        if said.as_ref().is_ok_and(|said| said.lines().count() == 2) { Ok(()) } else { Err(format!("{said:?}")) }
    });
    let lines = room.try_kubectl(&["logs", "pod", "-c", "one"]).unwrap_or_default();
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    room.note(format!("  {lines:?}"));
    for what in [
        "pods/pod/log?container=two",
        "pods/pod/log",
        "pods/pod/log?container=none",
        "pods/pod/log?container=one&previous=true",
        "pods/none/log",
    ] {
        let answer = room.get(what);
        if answer.code == 200 {
            room.note(format!("  {:?}", answer.text));
        }
    }
    room.title("a container that ends, and comes again");
    let mut ends = pod("ends", "echo started; exit 2");
    ends["spec"]["containers"][0]["name"] = json!("one");
    room.make("pods", &ends);
    let is_again = |pod: &Value| {
        let status = &pod["status"]["containerStatuses"][0];
        status["restartCount"].as_u64().is_some_and(|count| count > 0)
            && status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    };
    let ended = room.until("pods/ends", "a container that was started again", is_again);
    let status = &ended["status"]["containerStatuses"][0];
    let last = &status["lastState"]["terminated"];
    room.note(format!("  {} {} {}", ended["status"]["phase"], last["exitCode"], last["reason"]));
    let previous = eventually("the log of the process before", || {
        let previous = room.send("GET", "pods/ends/log?previous=true", &[], Vec::new());
        // The kubelet may just have cleared away the container that the pod's status still names.
        if previous.text.starts_with("unable to retrieve") { Err(previous.text) } else { Ok(previous) }
    });
    room.note(format!("  previous: {} {:?}", previous.code, previous.text));
    let tail = room.send("GET", "pods/ends/log?tailLines=1&limitBytes=4", &[], Vec::new());
    room.note(format!("  the last four letters: {} {:?}", tail.code, tail.text));
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn port_forward() {
    let room = Room::enter("port_forward");
    let listen = "/tmp/etcd --data-dir /tmp/data --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://127.0.0.1:2379";
    let mut server = pod("server", &format!("exec {}", listen.trim_start_matches("/tmp/")));
    server["spec"]["containers"][0]["readinessProbe"] = json!({"tcpSocket": {"port": 2379}, "periodSeconds": 1});
    room.make("pods", &server);
    room.until("pods/server", "the pod to be ready", ready);
    let mut forward = Command::new("kubectl")
        .args(["port-forward", "-n", room.name(), "pod/server", ":2379"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kubectl must be on the PATH");
    let mut line = String::new();
    let mut said = BufReader::new(forward.stdout.take().expect("its output is piped"));
    said.read_line(&mut line).expect("it says where it listens");
    // Forwarding from 127.0.0.1:PORT -> 2379
    let address = line.split_whitespace().nth(2).unwrap_or_default();
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    drop(forward.kill());
    drop(forward.wait());
    // etcd 3.5 says more of it than 3.4.
    let healthy = answer.lines().last().is_some_and(|body| body.contains("\"health\":\"true\""));
    room.note(format!("{} healthy: {healthy}", answer.lines().next().unwrap_or_default()));
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn deletion() {
    let room = Room::enter("deletion");
    Set::new("set").replicas(1).start(&room);
    let again = |delete: &dyn Fn()| {
        let uid = room.look("pods/set-0")["metadata"]["uid"].clone();
        let watch = Watch::begin(&room, "pods");
        delete();
        room.until("pods/set-0", "another pod", |pod| pod["metadata"]["uid"] != uid);
        rests(&room, "set", Rest::all(1));
        watch.tell_in_order();
    };
    room.title("as kubectl does");
    again(&|| {
        room.delete("pods/set-0", &Value::Null).shows(&["/metadata/deletionGracePeriodSeconds"]);
    });
    room.title("by its uid");
    room.delete("pods/set-0", &json!({"preconditions": {"uid": "11111111-2222-3333-4444-555555555555"}}));
    room.title("by force");
    again(&|| {
        let force = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        let answer = room.delete("pods/set-0", &force);
        drop(answer);
    });
    room.title("dry");
    let answer = room.delete("pods/set-0?dryRun=All", &Value::Null);
    room.note(format!("  marked in the answer: {}", answer.body["metadata"]["deletionTimestamp"].is_string()));
    let pod = room.look("pods/set-0");
    room.note(format!("  marked: {}", pod["metadata"]["deletionTimestamp"].is_string()));
    room.title("evicted");
    again(&|| {
        let eviction = json!({"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "set-0", "namespace": room.name()}});
        room.post("pods/set-0/eviction", &eviction);
    });
    events(&room, "set");
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn not_started() {
    let room = Room::enter("not_started");
    room.title("no room in the quota");
    let quota = json!({"metadata": {"name": "quota"}, "spec": {"hard": {"pods": "1"}}});
    room.make("resourcequotas", &quota);
    room.until("resourcequotas/quota", "the quota to be counted", |quota| quota["status"]["used"]["pods"] == "0");
    Set::new("set").replicas(1).start(&room);
    room.post("pods", &pod("more", IDLE));
    room.change("statefulsets/set", &json!({"spec": {"replicas": 2}}));
    eventually("the refusal", || {
        let list = room.look("events?fieldSelector=involvedObject.name%3Dset");
        let events = list["items"].as_array().cloned().unwrap_or_default();
        if events.iter().any(|event| event["reason"] == "FailedCreate") { Ok(()) } else { Err(format!("{events:?}")) }
    });
    events(&room, "set");
    room.title("room again");
    room.delete("resourcequotas/quota", &Value::Null);
    wait(&room, "set", Rest::all(2));
    room.title("no node that fits");
    let mut nowhere = pod("nowhere", IDLE);
    nowhere["spec"]["nodeSelector"] = json!({"conf.test/none": ""});
    room.make("pods", &nowhere);
    let unschedulable = |pod: &Value| pod["status"]["conditions"][0]["reason"] == "Unschedulable";
    room.until("pods/nowhere", "the pod to be looked at", unschedulable);
    room.get("pods/nowhere").shows(&["/status/phase", "/status/conditions/0/type", "/status/conditions/0/message"]);
    room.title("an image that is not there");
    let mut imageless = pod("imageless", IDLE);
    imageless["spec"]["containers"][0]["image"] = json!("nowhere.invalid/none:0");
    room.make("pods", &imageless);
    room.until("pods/imageless", "the node to complain", |pod| {
        pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImageNeverPull"
    });
    room.get("pods/imageless").shows(&["/status/phase", "/status/containerStatuses/0/state/waiting"]);
    room.title("no such account");
    let mut accountless = pod("accountless", IDLE);
    accountless["spec"]["serviceAccountName"] = json!("none");
    room.post("pods", &accountless);
    room.leave();
}

#[test]
#[ignore = "needs a Kubernetes cluster"]
fn names() {
    let room = Room::enter("names");
    room.make("pods", &{
        let mut asker = pod("asker", IDLE);
        asker["metadata"]["labels"]["app"] = json!("asker");
        asker
    });
    let service = |name: &str, publish: bool| {
        json!({
            "metadata": {"name": name},
            "spec": {
                "clusterIP": "None", "publishNotReadyAddresses": publish, "selector": {"app": "set"},
                "ports": [{"port": 2379}],
            },
        })
    };
    room.make("services", &service("set", true));
    room.make("services", &service("ready", false));
    // Ready where it has been told so.
    let probe = json!({"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 1});
    room.make("statefulsets", &Set::new("set").replicas(2).probe(probe).object());
    room.until("pods/asker", "the asker to be ready", ready);
    for pod in ["pods/set-0", "pods/set-1"] {
        room.until(pod, "it to run", |pod| pod["status"]["containerStatuses"][0]["started"] == true);
    }
    let known = |name: &str, count: usize| {
        let full = name.replace("NAMESPACE", room.name());
        let found = eventually(&format!("{name} to have {count} addresses"), || {
            let ask = ["exec", "asker", "--", "sh", "-c", ASK, "sh", &full];
            let said = room.try_kubectl(&ask).unwrap_or_else(|said| said);
            let mut addresses: Vec<_> = said.lines().filter(|line| line.parse::<Ipv4Addr>().is_ok()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            if addresses.len() == count { Ok(count) } else { Err(format!("{said:?}")) }
        });
        room.note(format!("  {name}: {found}"));
    };
    room.title("none is ready");
    known("set-0.set.NAMESPACE.svc.cluster.local", 1);
    known("set-1.set.NAMESPACE.svc.cluster.local", 1);
    known("set", 2);
    known("ready", 0);
    known("set-0.ready.NAMESPACE.svc.cluster.local", 0);
    room.title("one is ready");
    drop(room.kubectl(&["exec", "set-0", "--", "touch", "/tmp/ready"]));
    room.until("pods/set-0", "it to be ready", ready);
    known("ready", 1);
    known("set", 2);
    known("set-0.ready.NAMESPACE.svc.cluster.local", 0);
    known("set-9.set.NAMESPACE.svc.cluster.local", 0);
    room.title("one is gone");
    room.change("statefulsets/set", &json!({"spec": {"replicas": 1}}));
    room.until_gone("pods/set-1");
    known("set", 1);
    room.leave();
}
