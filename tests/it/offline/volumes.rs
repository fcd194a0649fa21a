//! Volumes made by hand: what a new one looks like, and what forbids it.

use etcd_scale::model::{
    Answer, Change, Goal, Known, Node, NodeDemand, Observation, Question, Record, Request, Taint,
    USED_PATHS_ANNOTATION, Volume, VolumeNeed, VolumePlace, place_of, volume_needs,
};
use etcd_scale::runbook::{Step, Trail, Verdict};
use etcd_scale::steps::{AddLearner, CreateVolume};
use serde_json::{Value, json};

use super::sample::{by_hand, prechecked, rok, up_to, with_wal};

fn goal(observation: &Observation, request: &Request) -> Goal {
    Goal::resolve(request, observation).expect("a goal")
}

fn need(observation: &Observation) -> VolumeNeed {
    let mut needs = volume_needs(observation, &goal(observation, &up_to(observation.statefulset.replicas + 1, "run")));
    assert_eq!(needs.len(), 1);
    let (claim, need) = needs.remove(0);
    assert_eq!(claim, format!("data-rok-etcd-{}", observation.statefulset.replicas));
    need
}

fn made(observation: &Observation) -> Value {
    match need(observation) {
        VolumeNeed::Make(new) => new.manifest,
        other => panic!("{other:?}"),
    }
}

fn volumes(observation: &mut Observation) -> &mut Vec<Volume> {
    observation.volumes.known_mut().unwrap()
}

fn place(observation: &Observation, others: &[Volume]) -> VolumePlace {
    let VolumeNeed::Make(new) = need(observation) else { panic!("none to make") };
    let all: Vec<Volume> = observation.volumes.known().unwrap().iter().chain(others).cloned().collect();
    place_of(&new, observation, &all)
}

fn refused(observation: &Observation, others: &[Volume]) -> String {
    match place(observation, others) {
        VolumePlace::Refused(fact) => format!("{}: {}", fact.fact, fact.advice),
        other => panic!("{other:?}"),
    }
}

fn pinned_to(node: &str) -> Value {
    json!({"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    ]}})
}

#[test]
fn it_is_modelled_on_its_neighbour() {
    assert_eq!(
        made(&by_hand(3)),
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": "etcd-volume-3",
                "labels": {
                    "app.kubernetes.io/managed-by": "Helm",
                    "statefulset.kubernetes.io/pod-name": "rok-etcd-3",
                },
                "annotations": {"meta.helm.sh/release-name": "puls8"},
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "2Gi"},
                "claimRef": {
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "rok", "name": "data-rok-etcd-3",
                },
                "hostPath": {"path": "/var/local/puls8/etcd/pod-3", "type": ""},
                // The only node without a member: the guide's own example names none.
                "nodeAffinity": pinned_to("node-3"),
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "manual",
                "volumeMode": "Filesystem",
            },
        })
    );
}

#[test]
fn a_number_that_is_no_ordinal_stays() {
    let mut observation = by_hand(3);
    for (ordinal, volume) in (0..).zip(volumes(&mut observation)) {
        volume.spec["hostPath"]["path"] = json!(format!("/disk2/etcd-2/pod-{ordinal:02}/2"));
    }
    assert_eq!(made(&observation)["spec"]["hostPath"]["path"], "/disk2/etcd-2/pod-03/2");
    // Nine is followed by ten.
    let mut observation = by_hand(10);
    volumes(&mut observation).drain(..8);
    assert_eq!(made(&observation)["spec"]["hostPath"]["path"], "/var/local/puls8/etcd/pod-10");
}

#[test]
fn what_has_no_ordinal_leads_to_no_other() {
    let mut observation = by_hand(2);
    for (volume, name) in volumes(&mut observation).iter_mut().zip(["vol-5a0-1", "vol-77-b1"]) {
        volume.spec["hostPath"]["path"] = json!(format!("/data/{name}"));
    }
    assert!(matches!(need(&observation), VolumeNeed::Refused(_)), "numbers that are no ordinals");

    let mut observation = by_hand(2);
    for volume in volumes(&mut observation) {
        volume.spec["hostPath"]["path"] = json!("/var/lib/etcd");
    }
    assert!(matches!(need(&observation), VolumeNeed::Refused(fact) if fact.advice.contains("--volume-template")));
}

#[test]
fn where_somebody_makes_volumes_none_is_made() {
    assert!(matches!(need(&rok(2)), VolumeNeed::Provisioned(_)));
    // A class that nobody sees, and volumes that somebody made all the same.
    let mut observation = by_hand(2);
    observation.storage_classes = Known::Known(Vec::new());
    assert!(matches!(need(&observation), VolumeNeed::Make(_)));
    for volume in volumes(&mut observation) {
        volume.provisioner = Some("example.org/disks".into());
    }
    assert!(matches!(need(&observation), VolumeNeed::Unmodelled(_)));
    // Not every provisioner says its name, but they name volumes after the claim's uid.
    for volume in volumes(&mut observation) {
        volume.provisioner = None;
        volume.name = "pvc-5f0e1d2c".into();
    }
    for claim in observation.claims.known_mut().unwrap() {
        claim.volume = Some("pvc-5f0e1d2c".into());
    }
    assert!(matches!(need(&observation), VolumeNeed::Unmodelled(_)));
    for volume in volumes(&mut observation) {
        volume.spec = json!({"csi": {}});
    }
    assert!(matches!(need(&observation), VolumeNeed::Unmodelled(_)));
    observation.storage_classes = Known::Unknown("forbidden".into());
    assert!(matches!(need(&observation), VolumeNeed::Unknown(_)));
}

#[test]
fn each_on_a_node_of_its_own_leads_to_the_next_node() {
    let mut observation = by_hand(3);
    for (ordinal, volume) in (0..).zip(volumes(&mut observation)) {
        volume.spec["nodeAffinity"] = pinned_to(&format!("node-{ordinal}"));
    }
    assert_eq!(made(&observation)["spec"]["nodeAffinity"], pinned_to("node-3"));
    let nodes = observation.nodes.known_mut().unwrap();
    nodes[3].schedulable = false;
    let VolumeNeed::Refused(fact) = need(&observation) else { panic!("made on a node that takes no pods") };
    assert!(fact.fact.contains("node-3"), "{fact:?}");

    // Nodes that are not named after ordinals: any that is free, and takes such pods.
    let mut observation = by_hand(2);
    for (node, volume) in ["alpha", "beta"].iter().zip(volumes(&mut observation)) {
        volume.spec["nodeAffinity"] = pinned_to(node);
    }
    let node = |name: &str| Node { name: name.into(), labels: [].into(), schedulable: true, taints: Vec::new() };
    let control = Taint { key: "control".into(), value: String::new(), effect: "NoSchedule".into() };
    let tainted = Node { taints: vec![control], ..node("control") };
    observation.nodes = Known::Known(vec![node("alpha"), node("beta"), tainted]);
    assert!(matches!(need(&observation), VolumeNeed::Refused(_)));
    observation.nodes.known_mut().unwrap().push(node("gamma"));
    assert_eq!(made(&observation)["spec"]["nodeAffinity"], pinned_to("gamma"));

    // The guide's own volumes name no node, a run's do.
    let mut mixed = observation.clone();
    volumes(&mut mixed)[0].spec["nodeAffinity"] = Value::Null;
    assert_eq!(made(&mixed)["spec"]["nodeAffinity"], pinned_to("alpha"));

    // All on one node: there again, provided that it is there.
    for volume in volumes(&mut observation) {
        volume.spec["nodeAffinity"] = pinned_to("alpha");
    }
    assert_eq!(made(&observation)["spec"]["nodeAffinity"], pinned_to("alpha"));
    observation.nodes.known_mut().unwrap().remove(0);
    assert!(matches!(need(&observation), VolumeNeed::Refused(fact) if fact.fact.contains("alpha")));
}

#[test]
fn what_is_there_already_is_not_taken_for_ours() {
    let observation = by_hand(3);
    let template = observation.volumes.known().unwrap()[0].clone();
    let named = Volume { name: "etcd-volume-3".into(), phase: "Available".into(), claim: None, ..template.clone() };
    assert!(refused(&observation, std::slice::from_ref(&named)).contains("etcd-volume-3 exists already"));

    let mut on_path = Volume { name: "other".into(), claim: None, ..template.clone() };
    for path in ["/var/local/puls8/etcd/pod-3", "/var/local/puls8/etcd/pod-3/", "/var/local/puls8/etcd/pod-3/data"] {
        on_path.spec["hostPath"]["path"] = json!(path);
        assert!(refused(&observation, std::slice::from_ref(&on_path)).contains("is used by volume other"), "{path}");
    }
    on_path.spec["nodeAffinity"] = pinned_to("node-1");
    assert!(matches!(place(&observation, std::slice::from_ref(&on_path)), VolumePlace::Free(_)), "on another node");

    let claim = Some(("rok".to_owned(), "data-rok-etcd-3".to_owned()));
    let mut kept = Volume { name: "mine".into(), phase: "Available".into(), claim: claim.clone(), ..template.clone() };
    kept.spec["hostPath"]["path"] = json!("/elsewhere");
    assert!(matches!(place(&observation, std::slice::from_ref(&kept)), VolumePlace::Waiting(_)));
    let mut left = Volume { phase: "Released".into(), ..kept };
    assert!(matches!(place(&observation, std::slice::from_ref(&left)), VolumePlace::Free(_)));
    left.spec["hostPath"]["path"] = json!("/var/local/puls8/etcd/pod-3");
    assert!(refused(&observation, &[left]).contains("is used by volume mine"));

    // A run that wrote down its name, and whose claim it is kept for.
    let mut ours = observation;
    let run = goal(&ours, &up_to(4, "run"));
    let record = Record::opening(&run, &ours, None);
    assert_eq!(record.volumes, ["etcd-volume-3"]);
    ours = ours.after(&Change::OpenRun { record: Box::new(record) });
    assert!(refused(&ours, std::slice::from_ref(&named)).contains("exists already"));
    assert!(matches!(place(&ours, &[Volume { claim, ..named }]), VolumePlace::Made(_)));
}

#[test]
fn a_path_of_a_removed_member_is_never_used_again() {
    let mut observation = by_hand(3);
    let mut remember = |text: &str| {
        observation.statefulset.annotations.insert(USED_PATHS_ANNOTATION.to_owned(), text.to_owned());
        observation.clone()
    };
    let observation = remember(r#"["/var/local/puls8/etcd/pod-3", "/var/local/puls8/etcd/pod-3.2"]"#);
    let VolumePlace::Free(new) = place(&observation, &[]) else { panic!("not free") };
    assert_eq!(new.path(), Some("/var/local/puls8/etcd/pod-3.3"));
    assert!(new.notes.iter().any(|note| note.advice.contains("clear /var/local/puls8/etcd/pod-3 ")), "{:?}", new.notes);
    // On another node it is another place.
    let elsewhere = remember(r#"[{"path": "/var/local/puls8/etcd/pod-3", "node": "node-1"}]"#);
    let VolumePlace::Free(new) = place(&elsewhere, &[]) else { panic!("not free") };
    assert_eq!(new.path(), Some("/var/local/puls8/etcd/pod-3"));
    let here = remember(r#"[{"path": "/var/local/puls8/etcd", "node": "node-3"}]"#);
    assert!(matches!(place(&here, &[]), VolumePlace::Refused(_)), "all paths like it are within");
    let here = remember(r#"[{"path": "/var/local/puls8/etcd/pod-3/", "node": "node-3"}, "/else"]"#);
    let VolumePlace::Free(new) = place(&here, &[]) else { panic!("not free") };
    assert_eq!(new.path(), Some("/var/local/puls8/etcd/pod-3.2"));
    let unreadable = remember("pod-3");
    assert!(refused(&unreadable, &[]).contains("cannot be understood"));
}

#[test]
fn an_own_template_is_taken_as_it_is() {
    let observation = by_hand(3);
    let mut request = up_to(4, "run");
    let template = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "fast-{ordinal}", "uid": "u"},
        "spec": {"local": {"path": "/fast/etcd-{ordinal}"}, "nodeAffinity": pinned_to("node-{ordinal}"), "mine": true},
    });
    request.volume_template = Some(template.clone());
    let needs = volume_needs(&observation, &goal(&observation, &request));
    let (_, VolumeNeed::Make(new)) = &needs[0] else { panic!("{needs:?}") };
    assert_eq!(new.manifest["metadata"], json!({"name": "fast-3"}));
    assert_eq!(new.manifest["spec"]["local"]["path"], "/fast/etcd-3");
    assert_eq!(new.manifest["spec"]["nodeAffinity"], pinned_to("node-3"));
    assert_eq!(new.manifest["spec"]["claimRef"]["name"], "data-rok-etcd-3");
    assert_eq!(new.manifest["spec"]["mine"], true);

    for (pointer, value, fact) in [
        ("/kind", json!("Pod"), "no PersistentVolume"),
        ("/spec", json!({"claimRef": {"name": "data-rok-etcd-2"}}), "for another claim"),
    ] {
        let mut wrong = template.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        request.volume_template = Some(wrong);
        let needs = volume_needs(&observation, &goal(&observation, &request));
        assert!(matches!(&needs[0].1, VolumeNeed::Refused(found) if found.fact.contains(fact)), "{needs:?}");
    }

    // Its path is the operator's choice, so it is not changed behind their back.
    request.volume_template = Some(template);
    let mut used = observation;
    used.statefulset.annotations.insert(USED_PATHS_ANNOTATION.to_owned(), r#"["/fast/etcd-3"]"#.to_owned());
    let needs = volume_needs(&used, &goal(&used, &request));
    let (_, VolumeNeed::Make(new)) = &needs[0] else { panic!("{needs:?}") };
    assert!(matches!(place_of(new, &used, &[]), VolumePlace::Refused(_)));

    // Where a provisioner is at work it is refused and not left out in silence.
    let provisioned = rok(3);
    assert!(precheck(&provisioned, &request).iter().any(|fact| fact.contains("--volume-template was given")));
}

/// The facts for which precheck refuses, its looks answered as a plan would assume.
fn precheck(observation: &Observation, request: &Request) -> Vec<String> {
    let goal = goal(observation, request);
    match prechecked(observation.clone(), &goal) {
        Verdict::Refuse(refusal) => refusal.facts.into_iter().map(|fact| fact.fact).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn it_is_made_before_the_learner_is_added() {
    let mut observation = by_hand(3);
    let goal = goal(&observation, &up_to(4, "run"));
    let trail = Trail::default();
    let Verdict::Look(question) = CreateVolume.judge(&observation, &goal, &trail) else { panic!("no look") };
    let answer = question.assumed(&observation);
    observation.answers.push((question, answer));
    let Verdict::Change(proposal) = CreateVolume.judge(&observation, &goal, &trail) else { panic!("no change") };
    assert!(matches!(&proposal.change, Change::CreateVolume { name, .. } if name == "etcd-volume-3"));
    assert!(matches!(AddLearner.judge(&observation, &goal, &trail), Verdict::Change(_)));
    assert_eq!(precheck(&observation, &up_to(4, "run")), Vec::<String>::new());
}

/// The next change of the step, its looks answered as a plan would assume.
fn next_change(observation: &mut Observation, goal: &Goal) -> Option<Change> {
    loop {
        match CreateVolume.judge(observation, goal, &Trail::default()) {
            Verdict::Look(question) => {
                let answer = question.assumed(observation);
                observation.answers.push((question, answer));
            }
            Verdict::Change(proposal) => return Some(proposal.change),
            Verdict::Done(_) => return None,
            other => panic!("{other:?}"),
        }
    }
}

fn name_and_node(change: Option<Change>) -> (String, Value) {
    match change {
        Some(Change::CreateVolume { name, manifest, .. }) => (name, manifest["spec"]["nodeAffinity"].clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pod_with_two_claims_gets_two_volumes_on_one_node() {
    let mut observation = with_wal(by_hand(3));
    let goal = goal(&observation, &up_to(4, "run"));
    let record = Record::opening(&goal, &observation, None);
    assert_eq!(record.volumes, ["etcd-volume-3", "etcd-wal-3"]);
    observation = observation.after(&Change::OpenRun { record: Box::new(record) });
    let before = observation.clone();

    let first = next_change(&mut observation, &goal).expect("a volume");
    assert_eq!(name_and_node(Some(first.clone())), ("etcd-volume-3".to_owned(), pinned_to("node-3")));
    observation = observation.after(&first);
    let second = next_change(&mut observation, &goal).expect("another volume");
    assert_eq!(name_and_node(Some(second.clone())), ("etcd-wal-3".to_owned(), pinned_to("node-3")));
    let Change::CreateVolume { claim, manifest, .. } = &second else { panic!() };
    assert_eq!(
        (claim.as_str(), &manifest["spec"]["hostPath"]["path"]),
        ("wal-rok-etcd-3", &json!("/var/local/puls8/wal/pod-3"))
    );
    observation = observation.after(&second);
    assert_eq!(next_change(&mut observation, &goal), None);

    // Killed between the two: what is there is taken for its own, and the other goes beside it, although the pods have
    // moved meanwhile and another node has the fewest.
    let mut cut_off = before.after(&first);
    for (pod, node) in cut_off.pods.iter_mut().zip(["node-3", "node-3", "node-1"]) {
        pod.node = Some(node.to_owned());
    }
    assert_eq!(name_and_node(next_change(&mut cut_off, &goal)), ("etcd-wal-3".to_owned(), pinned_to("node-3")));
}

#[test]
fn a_second_volume_follows_the_first_to_its_node() {
    // The first are all on one node, the second on none: alone they would go to the node with the fewest pods.
    let mut observation = with_wal(by_hand(3));
    for volume in volumes(&mut observation).iter_mut().take(3) {
        volume.spec["nodeAffinity"] = pinned_to("node-1");
    }
    let goal = goal(&observation, &up_to(4, "run"));
    let nodes = volume_needs(&observation, &goal).into_iter().map(|(_, need)| match need {
        VolumeNeed::Make(new) => new.manifest["spec"]["nodeAffinity"].clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(nodes.collect::<Vec<_>>(), [pinned_to("node-1"), pinned_to("node-1")]);
}

#[test]
fn the_pods_own_demands_on_a_node_count() {
    let demand = |operator: &str, nodes: &[&str]| {
        let demand = json!({"key": "kubernetes.io/hostname", "operator": operator, "values": nodes});
        Some(NodeDemand::terms(&json!({"nodeSelectorTerms": [{"matchExpressions": [demand]}]})))
    };
    // Where the neighbours name none: the quietest of those that the pods may run on.
    let mut observation = by_hand(3);
    observation.statefulset.template.node_affinity = demand("NotIn", &["node-3"]);
    assert_eq!(made(&observation)["spec"]["nodeAffinity"], pinned_to("node-0"));

    // Each on a node of its own: the next is not one for them.
    for (ordinal, volume) in (0..).zip(volumes(&mut observation)) {
        volume.spec["nodeAffinity"] = pinned_to(&format!("node-{ordinal}"));
    }
    assert!(
        matches!(need(&observation), VolumeNeed::Refused(fact) if fact.fact.contains("node-3, which is not there"))
    );

    // All on one, which takes such pods no more.
    for volume in volumes(&mut observation) {
        volume.spec["nodeAffinity"] = pinned_to("node-3");
    }
    assert!(precheck(&observation, &up_to(4, "run")).concat().contains("node node-3, on which the volume's path is"));

    // By a zone that no node is in.
    for volume in volumes(&mut observation) {
        let zone = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["west"]});
        volume.spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}});
    }
    assert!(
        matches!(need(&observation), VolumeNeed::Refused(fact) if fact.fact.contains("no node that takes the pods"))
    );
    let west = observation.nodes.known_mut().unwrap();
    west[0].labels.insert("topology.kubernetes.io/zone".into(), "west".into());
    assert!(matches!(need(&observation), VolumeNeed::Make(_)));

    // None at all.
    let mut observation = by_hand(3);
    observation.statefulset.template.node_affinity = demand("In", &["none-such"]);
    assert!(precheck(&observation, &up_to(4, "run")).concat().contains("none of the 4 nodes takes the new pod"));
}

#[test]
fn volumes_that_may_not_be_read_refuse_the_run() {
    let mut observation = by_hand(3);
    observation.volumes = Known::Unknown("persistentvolumes is forbidden".into());
    let facts = precheck(&observation, &up_to(4, "run")).concat();
    assert!(
        facts.contains("makes no volumes by itself, and the volumes of the other claims could not be read"),
        "{facts}"
    );
    assert!(facts.contains("persistentvolumes is forbidden"), "{facts}");
    assert!(matches!(need(&observation), VolumeNeed::Refused(fact) if fact.advice.contains("ClusterRole")));

    // They may be read, but not listed: another on the same path cannot be ruled out.
    let mut observation = by_hand(3);
    let question = Question::Volumes { names: vec!["etcd-volume-3".into()] };
    observation.answers.push((question, Answer::Volumes(Known::Unknown("list is forbidden".into()))));
    let facts = precheck(&observation, &up_to(4, "run")).concat();
    assert!(facts.contains("and the volumes could not be read: list is forbidden"), "{facts}");
}
