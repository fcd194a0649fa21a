//! How long a writing client has to wait at the worst while a large database gets one member more, hashes included.

use std::time::Duration;

use crate::figures::{Unit, head, table};
use crate::filled::{filled, largest};
use crate::harness::SET;
use crate::weigh;
use crate::writer::{ANSWER, Writer};

pub(crate) fn measure() -> String {
    let cluster = filled("gap", 2, largest());
    let pods: Vec<_> = (0..2).map(|at| format!("{SET}-{at}")).collect();
    let begin = || Writer::on(cluster.name(), &pods, |at| (format!("written/{at}"), at.to_string()));
    let idle = begin();
    std::thread::sleep(Duration::from_secs(10));
    let mut rows = vec![row("nothing, for 10 s", idle)];
    // One after the other on the same data: 2 to 3 members, 3 to 4, and the old members' restarts come in the second.
    let runs: [&[&str]; 4] = [
        &["up", "--yes", "--rollout", "defer"],
        &["up", "--yes", "--rollout", "guarded"],
        &["verify", "--hash", "followers"],
        &["verify", "--hash", "all"],
    ];
    for run in runs {
        let name = cluster.name();
        let writer = begin();
        weigh::etcd_scale(&[run, &["--sts", SET, "-n", name]].concat());
        rows.push(row(&format!("`etcd-scale {}`", run.join(" ")), writer));
    }
    let table = table(&head(&["meanwhile", "longest time without a write", "99 % of writes within", "writes"]), &rows);
    format!(
        "{table}\nAt {} MB in keys of 1 kB, once each, one after the other: 2 to 3 members, then 3 to 4. A member that hashes \
         acknowledges no writes meanwhile: after {} ms the client goes on to another one.",
        largest(),
        ANSWER.as_millis()
    )
}

fn row(what: &str, writer: Writer) -> Vec<String> {
    let gaps = writer.end();
    let write = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| Unit::Seconds.write(figure));
    vec![what.to_owned(), write(gaps.most()), write(gaps.percentile(99)), gaps.count().to_string()]
}
