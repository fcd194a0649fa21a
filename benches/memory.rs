//! The most memory that each verb had, on a large database.

use crate::figures::{Unit, head, table};
use crate::filled::{filled, largest};
use crate::harness::SET;
use crate::weigh;

/// What is run, one after the other, from two members at rest.
const RUNS: [&[&str]; 13] = [
    &["check"],
    &["status"],
    &["verify", "--hash", "all"],
    &["verify", "--deep", "--hash", "none"],
    &["snapshot", "copy.db"],
    &["up", "--dry-run"],
    &["up", "--yes", "--pause-before", "promote"],
    &["abort", "--yes", "--claim", "delete"],
    &["up", "--yes", "--rollout", "defer"],
    &["settle", "--yes"],
    &["replace", "etcd-2", "--force", "--yes"],
    &["down", "--to", "2", "--yes"],
    &["status", "-A"],
];

pub(crate) fn measure() -> String {
    let cluster = filled("memory", 2, largest());
    let rows = RUNS.map(|run| {
        let whose = if run.contains(&"-A") { vec![] } else { vec!["--sts", SET, "-n", cluster.name()] };
        let weighed = weigh::etcd_scale(&[run, &whose[..]].concat());
        let [took, requests, bytes, memory] = weighed.figures();
        let cells = [
            Unit::Bytes.write(memory),
            Unit::Seconds.write(took),
            Unit::Count.write(requests),
            Unit::Bytes.write(bytes),
        ];
        [vec![format!("`{}`", run.join(" "))], cells.to_vec()].concat()
    });
    let table = table(&head(&["verb", "peak memory", "time", "API requests", "bytes moved"]), &rows);
    format!("{table}\nAt {} MB in keys of 1 kB, once each, one after the other on the same etcd.", largest())
}
