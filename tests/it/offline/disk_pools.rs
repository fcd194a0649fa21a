//! Pools of disks whose configuration the etcd keeps: one in trouble stops a scale-up before it begins.

use etcd_scale::model::{Answer, DiskPool, Known, Question};
use etcd_scale::runbook::{Finding, Level};

use super::sample::{found, rok, up_to};

fn findings(pools: Known<Option<Vec<DiskPool>>>, ignore: bool) -> Vec<Finding> {
    let mut observation = rok(2);
    observation.answers.push((Question::DiskPools, Answer::DiskPools(pools)));
    let mut request = up_to(3, "run");
    request.ignore_diskpools = ignore;
    found(observation, &request).into_iter().filter(|finding| finding.id == "disk-pools").collect()
}

fn pool(name: &str, status: &str) -> DiskPool {
    DiskPool { name: name.into(), node: "node-1".into(), status: status.into() }
}

#[test]
fn one_that_is_not_online_stops_the_run() {
    let levels = |findings: &[Finding]| findings.iter().map(|finding| finding.level).collect::<Vec<_>>();
    let online = || pool("a", "Online");
    assert_eq!(levels(&findings(Known::Known(Some(vec![online()])), false)), [Level::Ok]);
    for status in ["Unknown", "Degraded", ""] {
        let pools = || Known::Known(Some(vec![online(), pool("b", status)]));
        let refused = findings(pools(), false);
        assert_eq!(levels(&refused), [Level::Refused]);
        assert!(refused[0].found.starts_with("DiskPool b on node node-1 is not Online"), "{refused:?}");
        assert_eq!(levels(&findings(pools(), true)), [Level::Advice]);
    }
    assert_eq!(levels(&findings(Known::Unknown("forbidden".into()), false)), [Level::Unknown]);
    assert_eq!(findings(Known::Known(None), false), [], "nothing is said where there are none");
}
