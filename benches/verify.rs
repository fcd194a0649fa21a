//! Whether all members hold the same data: `verify --hash all`, and the guide's way, which lists every member's keys and
//! compares them.

use crate::figures::{Figures, Unit, head, table};
use crate::filled::{fill, filled, sizes};
use crate::harness::SET;
use crate::weigh::{self, Weighed};
use crate::{rounds, tell};

/// The guide's commands. etcdctl waits 5 s by itself, in which no large database is listed.
const LISTING: &str = r#"
for i in 0 1; do
  kubectl exec -n "$1" "etcd-$i" -c etcd -- etcdctl --command-timeout=20m get --prefix "" > "keys-$i"
  cmp keys-0 "keys-$i"
done
"#;

pub(crate) fn measure() -> String {
    let mut sizes = sizes();
    sizes.sort_unstable();
    let cluster = filled("verify", 2, 0);
    let mut rows = Vec::new();
    let mut before = 0;
    for megabytes in sizes {
        fill(&cluster, before, megabytes);
        before = megabytes;
        let (mut ours, mut listings) = (Vec::new(), Vec::new());
        for _ in 0..rounds() {
            // What the listing before left to be written is no part of what follows it.
            rustix::fs::sync();
            ours.push(weigh::etcd_scale(&["verify", "--hash", "all", "--sts", SET, "-n", cluster.name()]));
            listings.push(weigh::run(&["bash", "-euc", LISTING, "bash", cluster.name()]));
        }
        for (what, runs) in [("etcd-scale verify --hash all", ours), ("the guide's listing", listings)] {
            tell(&format!("{megabytes} MB {what}: {runs:?}"));
            rows.push([vec![format!("{megabytes} MB"), what.to_owned()], cells(&runs)].concat());
        }
    }
    let units = Weighed::UNITS.map(|(what, _)| what);
    let table = table(&head(&[&["data", "two members compared by"][..], &units[..]].concat()), &rows);
    format!("{table}\nKeys of 1 kB. Rounds: {}; medians, in turn.", rounds())
}

/// The medians of what runs took, in the order of [`Weighed::UNITS`].
pub(crate) fn cells(runs: &[Weighed]) -> Vec<String> {
    let of = |at: usize, unit: Unit| Figures::new(runs.iter().map(|run| run.figures()[at]).collect()).write(unit);
    Weighed::UNITS.iter().enumerate().map(|(at, (_, unit))| of(at, *unit)).collect()
}
