//! The list of peers in etcd's configuration file, from a ConfigMap.

use etcd_scale::model::{
    Answer, Change, ConfigMap, EnvSource, EnvVar, Known, Mount, Observation, Question, VolumeKind, patch_operations,
};
use etcd_scale::runbook::Verdict;
use serde_json::{Value, json};

use super::peer_list::{all_three, change, judged, refused, with_learner};
use super::sample::{by_hand, peer};

/// Two members whose etcd is started like this, with the files of ConfigMap `etcd-conf`.
fn started(command: &[&str], data: &[(&str, String)]) -> Observation {
    let map = |data: &[(&str, String)]| ConfigMap {
        version: "7".into(),
        immutable: false,
        owner: None,
        data: data.iter().map(|(key, text)| ((*key).to_owned(), text.clone())).collect(),
    };
    answered(&by_file(command), &map(data))
}

fn by_file(command: &[&str]) -> Observation {
    let mut observation = by_hand(2);
    let template = &mut observation.statefulset.template;
    template.volumes =
        [("conf".to_owned(), VolumeKind::ConfigMap { name: "etcd-conf".into(), items: Vec::new() })].into();
    let container = &mut template.containers[0];
    container.command = command.iter().map(|word| (*word).to_owned()).collect();
    container.mounts.push(Mount { volume: "conf".into(), path: "/etc/etcd".into(), ..Mount::default() });
    container.env.push(EnvVar { name: "POD".into(), source: EnvSource::From("field metadata.name".into()) });
    observation
}

fn answered(observation: &Observation, map: &ConfigMap) -> Observation {
    let mut observation = observation.clone();
    for keys in [&["etcd.yaml"][..], &["rok-etcd-1.yaml", "rok-etcd-2.yaml"]] {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let question = Question::ConfigMap { name: "etcd-conf".into(), keys };
        observation.answers.push((question, Answer::ConfigMap(Known::Known(Some(map.clone())))));
    }
    observation
}

fn file(name: &str, peers: &str) -> String {
    let url = format!("http://{name}.rok-etcd-cluster.rok:2380");
    format!("# of {name}\nname: {name}\ninitial-advertise-peer-urls: {url}\ninitial-cluster: {peers} # all\nx: 1\n")
}

fn joined(name: &str) -> String {
    file(name, &all_three()).replace("initial-cluster:", "initial-cluster-state: existing\ninitial-cluster:")
}

fn two() -> String {
    [0, 1].map(peer).join(",")
}

const EACH_ITS_OWN: &[&str] = &["etcd", "--config-file=/etc/etcd/$(POD).yaml"];

/// Walks from the learner to the raised StatefulSet: the guard, the ConfigMap, then the pod.
fn walked(observation: &Observation) -> Vec<Value> {
    let (observation, goal) = with_learner(observation);
    let guard = change(&observation, &goal);
    assert!(matches!(&guard, Change::PatchStatefulSet { from: 2, to: 2, .. }), "{guard:?}");
    let observation = observation.after(&guard);
    let patch = change(&observation, &goal);
    assert!(matches!(&patch, Change::PatchConfigMap { name, .. } if name == "etcd-conf"), "{patch:?}");
    let operations = patch_operations(&patch, &observation).unwrap();
    let observation = observation.after(&patch);
    let raise = change(&observation, &goal);
    // etcd reads no variable beside its file, so none of them is touched.
    assert!(matches!(&raise, Change::PatchStatefulSet { from: 2, to: 3, env, .. } if env.is_empty()), "{raise:?}");
    assert!(matches!(judged(&observation.after(&raise), &goal), Verdict::Done(_)));
    operations
}

#[test]
fn a_new_pods_own_file_is_made_after_its_neighbours() {
    let observation = started(EACH_ITS_OWN, &[("rok-etcd-1.yaml", file("rok-etcd-1", &two()))]);
    assert_eq!(
        walked(&observation),
        [
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}),
            json!({"op": "add", "path": "/data/rok-etcd-2.yaml", "value": joined("rok-etcd-2")}),
        ]
    );
}

#[test]
fn a_file_that_is_there_for_the_new_pod_is_patched() {
    let own = file("rok-etcd-2", &two());
    let observation = started(EACH_ITS_OWN, &[("rok-etcd-2.yaml", own.clone())]);
    assert_eq!(
        walked(&observation),
        [
            json!({"op": "test", "path": "/data/rok-etcd-2.yaml", "value": own}),
            json!({"op": "replace", "path": "/data/rok-etcd-2.yaml", "value": joined("rok-etcd-2")}),
        ]
    );
    // One that is right already needs no ConfigMap to be changed.
    let (observation, goal) = with_learner(&started(EACH_ITS_OWN, &[("rok-etcd-2.yaml", joined("rok-etcd-2"))]));
    assert!(matches!(change(&observation, &goal), Change::PatchStatefulSet { from: 2, to: 3, .. }));
}

#[test]
fn the_file_that_the_command_makes_its_own_of_is_patched() {
    let command = "sed \"s/NAME/$POD/\" /etc/etcd/etcd.yaml > /tmp/e.yaml; exec etcd --config-file=/tmp/e.yaml";
    let observation = started(&["sh", "-c", command], &[("etcd.yaml", file("NAME", &two()))]);
    let operations = walked(&observation);
    assert_eq!(operations[1]["value"], joined("NAME"));
}

#[test]
fn what_cannot_be_patched_is_refused_by_name() {
    let each = |data: &[(&str, String)]| refused(&started(EACH_ITS_OWN, data));
    assert!(each(&[]).contains("ConfigMap etcd-conf has no key rok-etcd-2.yaml, from which pod rok-etcd-2 would read"));
    // Under another's name it would start as a second of that one.
    let other = each(&[("rok-etcd-2.yaml", file("rok-etcd-1", &two()))]);
    assert!(other.contains("names its member rok-etcd-1 instead of rok-etcd-2"), "{other}");
    let shared =
        refused(&started(&["etcd", "--config-file=/etc/etcd/etcd.yaml"], &[("etcd.yaml", file("one", &two()))]));
    assert!(shared.contains("key etcd.yaml of ConfigMap etcd-conf, which pod rok-etcd-2 reads, names its member one"));
    let url = file("rok-etcd-2", &two()).replace("urls: http://rok-etcd-2", "urls: http://rok-etcd-1");
    assert!(each(&[("rok-etcd-2.yaml", url)]).contains("gives its member the peer URL http://rok-etcd-1"));
    let none = each(&[("rok-etcd-2.yaml", "name: rok-etcd-2\n".into())]);
    assert!(none.contains("key rok-etcd-2.yaml of ConfigMap etcd-conf has no initial-cluster"), "{none}");

    let map = ConfigMap {
        version: "7".into(),
        immutable: true,
        owner: None,
        data: [("rok-etcd-1.yaml".to_owned(), file("rok-etcd-1", &two()))].into(),
    };
    assert!(refused(&answered(&by_file(EACH_ITS_OWN), &map)).contains("the ConfigMap is immutable"));

    let mut secret = by_file(EACH_ITS_OWN);
    secret.statefulset.template.volumes = [("conf".to_owned(), VolumeKind::Other("secret".into()))].into();
    let place = "the etcd configuration file /etc/etcd/$(POD).yaml, which is on a volume of kind secret";
    assert!(refused(&secret).contains(place), "{}", refused(&secret));
}
