//! The rules of sets, whatever is asked of them and in whatever order the node gets to its pods.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::super::kinds;
use super::super::object::{controller, is_ready, is_terminating, name, uid};
use super::super::world::{World, image, node, set};
use super::identity::ordinal;
use super::rollout::revision;

/// What somebody does to a set.
#[derive(Debug, Clone)]
enum Act {
    Scale(u64),
    Template(u8),
    Partition(u64),
    DeletePod(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0_u64..5).prop_map(Act::Scale),
        (0_u8..3).prop_map(Act::Template),
        (0_u64..5).prop_map(Act::Partition),
        (0_usize..5).prop_map(Act::DeletePod),
    ]
}

fn world(replicas: u64, start: u64, policy: &str) -> World {
    let mut world = World::new();
    let mut set = set(replicas);
    set["spec"]["podManagementPolicy"] = json!(policy);
    set["spec"]["ordinals"] = json!({"start": start});
    world.create(kinds::STATEFUL_SETS, "x", set);
    world.settle();
    world.changes();
    world
}

fn policy() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("OrderedReady"), Just("Parallel")]
}

fn the_set(world: &World) -> Value {
    Value::clone(&world.get(kinds::STATEFUL_SETS, "web").unwrap())
}

/// Turns with a node that gets to some of its pods only, until all rests.
fn settle_slowly(world: &mut World, luck: &[bool], mut look: impl FnMut(&mut World)) {
    let mut luck = luck.iter().copied().cycle();
    let mut at_rest = 0;
    for turn in 0..3000 {
        world.turn();
        look(world);
        // Luck may repeat itself with the pods' number, so now and then the node gets to all.
        node(&world.registry, |_| luck.next().unwrap_or(true) || turn % 5 == 0);
        look(world);
        // A node that happened to get to nothing is no rest.
        at_rest = if world.rests() { at_rest + 1 } else { 0 };
        if at_rest > 10 {
            return;
        }
    }
    panic!("the cluster does not come to rest");
}

fn luck() -> impl Strategy<Value = Vec<bool>> {
    // At least one of them is luck.
    prop::collection::vec(any::<bool>(), 1..12).prop_map(|mut luck| {
        luck.push(true);
        luck
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done, in the end there are the pods that are wanted, of the revisions that are wanted.
    #[test]
    fn sets_converge(policy in policy(), start in 0_u64..3, acts in prop::collection::vec(act(), 1..6), luck in luck()) {
        let mut world = world(2, start, policy);
        for act in acts {
            let _ = match act {
                Act::Scale(to) => world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(to)),
                Act::Template(number) => world.patch(kinds::STATEFUL_SETS, "web", image(&format!("good:{number}"))),
                Act::Partition(at) => world.patch(kinds::STATEFUL_SETS, "web", |set| {
                    set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(at);
                }),
                Act::DeletePod(index) => {
                    if let Some(pod) = world.pods().get(index) {
                        world.delete(kinds::PODS, pod);
                    }
                    continue;
                }
            };
            world.turn();
            node(&world.registry, |pod| uid(pod).as_bytes().first().is_some_and(|byte| byte % 2 == 0));
        }
        settle_slowly(&mut world, &luck, |world| {
            for change in world.changes() {
                // Claims are never deleted by a set.
                assert!(change.key.resource != kinds::CLAIMS || change.after.is_some());
            }
        });
        let set = the_set(&world);
        let (replicas, partition) = (
            set["spec"]["replicas"].as_u64().unwrap(),
            set["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_u64().unwrap(),
        );
        let mut pods = world.list(kinds::PODS);
        pods.sort_by_key(|pod| ordinal(&set, pod));
        let names: Vec<_> = pods.iter().map(|pod| name(pod).to_owned()).collect();
        let wanted: Vec<_> = (start..start + replicas).map(|ordinal| format!("web-{ordinal}")).collect();
        prop_assert_eq!(names, wanted);
        for (index, pod) in pods.iter().enumerate() {
            prop_assert!(is_ready(pod) && !is_terminating(pod));
            if index as u64 >= partition {
                prop_assert_eq!(revision(pod), set["status"]["updateRevision"].as_str().unwrap());
            }
        }
        let status = &set["status"];
        prop_assert_eq!(status["replicas"].as_u64(), Some(replicas));
        prop_assert_eq!(status["readyReplicas"].as_u64().unwrap_or_default(), replicas);
        prop_assert_eq!(&status["observedGeneration"], &set["metadata"]["generation"]);
        prop_assert!(partition > 0 || status["currentRevision"] == status["updateRevision"]);
    }

    /// A rollout takes one pod at a time, the highest first, and none below the partition.
    #[test]
    fn rollouts_are_one_by_one_from_the_top(
        policy in policy(), start in 0_u64..3, replicas in 1_u64..5, partition in 0_u64..5, luck in luck()
    ) {
        let mut world = world(replicas, start, policy);
        let before = world.list(kinds::PODS);
        world.patch(kinds::STATEFUL_SETS, "web", |set| {
            set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(partition);
            image("good:2")(set);
        }).unwrap();
        let mut deleted = Vec::new();
        let set = the_set(&world);
        settle_slowly(&mut world, &luck, |world| {
            let pods = world.list(kinds::PODS);
            let healthy = pods.iter().filter(|pod| is_ready(pod) && !is_terminating(pod)).count() as u64;
            assert!(healthy + 1 >= replicas, "more than one pod is replaced");
            for change in world.changes().into_iter().filter(|change| change.key.resource == kinds::PODS) {
                if change.after.is_none() {
                    deleted.push(ordinal(&set, &change.before.unwrap()).unwrap());
                }
            }
        });
        let expected: Vec<_> = (start + partition.min(replicas)..start + replicas).rev().map(u64::cast_signed).collect();
        prop_assert_eq!(deleted, expected);
        for pod in &before {
            let below = ordinal(&set, pod).unwrap().cast_unsigned() < start + partition;
            let after = world.get(kinds::PODS, name(pod)).unwrap();
            prop_assert_eq!(below, uid(pod) == uid(&after));
        }
    }

    /// In order: a pod is created when all before it are ready, and deleted when all after it are gone.
    #[test]
    fn ordered_sets_keep_their_order(start in 0_u64..3, from in 0_u64..5, to in 0_u64..5, luck in luck()) {
        let mut world = world(from, start, "OrderedReady");
        world.patch(kinds::STATEFUL_SETS, "web", |set| set["spec"]["replicas"] = json!(to)).unwrap();
        let set = the_set(&world);
        let mut known = world.pods();
        settle_slowly(&mut world, &luck, |world| {
            let pods = world.list(kinds::PODS);
            for pod in &pods {
                assert!(controller(pod).is_some_and(|owner| owner["uid"] == uid(&set)));
                let of = ordinal(&set, pod);
                if !known.contains(&name(pod).to_owned()) {
                    let ready = |other: &&std::sync::Arc<Value>| ordinal(&set, other) < of && !is_ready(other);
                    assert!(!pods.iter().any(|other| ready(&other)), "one before it is not ready");
                    known.push(name(pod).to_owned());
                }
                if is_terminating(pod) {
                    assert!(!pods.iter().any(|other| ordinal(&set, other) > of), "one after it is still there");
                }
            }
        });
        prop_assert_eq!(world.pods().len() as u64, to);
    }
}
