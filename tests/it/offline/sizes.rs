//! The size that is asked for.

use etcd_scale::model::{Change, Goal, Observation, Record, Request, Verb};
use etcd_scale::runbook::{Finding, Level};

use super::sample::{found, rok, up_to};

fn of_size(observation: Observation, request: &Request) -> Finding {
    found(observation, request).into_iter().find(|finding| finding.id == "size").expect("it is judged")
}

#[test]
fn more_than_etcd_advises_is_refused_as_a_slip() {
    assert_eq!(of_size(rok(6), &up_to(7, "run")).level, Level::Ok);
    for (from, to) in [(7, 8), (2, 30), (8, 9)] {
        let refused = of_size(rok(from), &up_to(to, "run"));
        assert_eq!(refused.level, Level::Refused, "{refused:?}");
        assert!(refused.found.starts_with(&format!("{to} members are more than etcd is for")), "{refused:?}");
    }
}

#[test]
fn a_large_cluster_may_shrink_step_by_step() {
    let down = Request { verb: Verb::Down, ..up_to(8, "run") };
    assert_eq!(of_size(rok(9), &down).level, Level::Advice);
}

#[test]
fn what_was_begun_before_is_finished() {
    let observation = rok(7);
    let request = up_to(8, "run");
    let goal = Goal::resolve(&request, &observation).unwrap();
    let record = Box::new(Record::opening(&goal, &observation, None));
    let peer_url = "http://rok-etcd-7.rok-etcd-cluster.rok:2380".to_owned();
    let added = Change::AddLearner { name: "rok-etcd-7".into(), peer_url };
    let begun = observation.after(&Change::OpenRun { record }).after(&added);
    assert_eq!(of_size(begun, &request).level, Level::Advice);
}
