//! `status` beside `kubectl get pods`, which tells less.

use crate::figures::{head, table};
use crate::harness::{Manifest, SET};
use crate::rounds;
use crate::verify::cells;
use crate::weigh::{self, Weighed};

pub(crate) fn measure() -> String {
    let cluster = Manifest::new().replicas(3).start("status");
    let (mut ours, mut kubectls) = (Vec::new(), Vec::new());
    for _ in 0..2 * rounds() {
        ours.push(weigh::etcd_scale(&["status", "--sts", SET, "-n", cluster.name()]));
        kubectls.push(weigh::run(&["kubectl", "get", "pods", "-n", cluster.name()]));
    }
    let rows: Vec<_> = [("etcd-scale status", ours), ("kubectl get pods", kubectls)]
        .map(|(what, runs)| [vec![what.to_owned()], cells(&runs)].concat())
        .to_vec();
    let units = Weighed::UNITS.map(|(what, _)| what);
    let table = table(&head(&[&["three members"][..], &units[..]].concat()), &rows);
    format!("{table}\nRounds: {}; medians, in turn.", 2 * rounds())
}
