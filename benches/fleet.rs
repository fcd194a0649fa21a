//! `status -A` over many etcds, in a sandbox of its own whatever `KUBECONFIG` names.

use std::process::Command;
use std::thread;

use crate::figures::{head, table};
use crate::harness::{Cluster, Manifest};
use crate::verify::cells;
use crate::weigh::{self, PROGRAM, Weighed};
use crate::{numbers, rounds, tell};

/// Says that this is the one inside.
const INSIDE: &str = "BENCH_INSIDE_SANDBOX";

/// How many are made at a time.
const TOGETHER: usize = 5;

pub(crate) fn measure() -> String {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let this = std::env::current_exe().expect("its own path");
    let mut command = Command::new(PROGRAM);
    command.args(["sandbox", "run", "--"]).arg(this).arg("fleet").env(INSIDE, "true");
    let status = command.status().expect("the sandbox starts");
    assert!(status.success(), "the sandbox ended with {status}");
    // The one inside has told all and written it down.
    String::new()
}

fn inside() -> String {
    let mut fleet: Vec<Cluster> = Vec::new();
    let mut rows = Vec::new();
    for many in numbers("BENCH_FLEET", "1 10 100") {
        while (fleet.len() as u64) < many {
            let more = TOGETHER.min(usize::try_from(many).unwrap_or(usize::MAX) - fleet.len());
            thread::scope(|scope| {
                let started: Vec<_> =
                    (0..more).map(|_| scope.spawn(|| Manifest::new().replicas(1).start("fleet"))).collect();
                fleet.extend(started.into_iter().map(|thread| thread.join().expect("it starts")));
            });
        }
        let runs: Vec<_> = (0..rounds()).map(|_| weigh::etcd_scale(&["status", "-A"])).collect();
        tell(&format!("{many}: {runs:?}"));
        rows.push([vec![many.to_string()], cells(&runs)].concat());
    }
    let units = Weighed::UNITS.map(|(what, _)| what);
    let table = table(&head(&[&["StatefulSets"][..], &units[..]].concat()), &rows);
    format!("{table}\n`status -A` in the sandbox, each etcd of one member. Rounds: {}; medians.", rounds())
}
