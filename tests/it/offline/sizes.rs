//! The size that is asked for.

use etcd_scale::model::Goal;
use etcd_scale::runbook::{Finding, Level, Verdict};

use super::sample::{prechecked, rok, up_to};

fn found(from: i32, to: i32) -> Finding {
    let observation = rok(from);
    let goal = Goal::resolve(&up_to(to, "run"), &observation).unwrap();
    let findings = match prechecked(observation, &goal) {
        Verdict::Refuse(refusal) => refusal.findings,
        Verdict::Done(done) => done.findings,
        other => panic!("{other:?}"),
    };
    findings.into_iter().find(|finding| finding.id == "size").expect("it is judged")
}

#[test]
fn more_than_etcd_advises_is_refused_as_a_slip() {
    assert_eq!(found(6, 7).level, Level::Ok);
    for (from, to) in [(7, 8), (2, 30), (8, 9)] {
        let refused = found(from, to);
        assert_eq!(refused.level, Level::Refused, "{refused:?}");
        assert!(refused.found.starts_with(&format!("{to} members are more than etcd is for")), "{refused:?}");
    }
}
