//! Clusters with as many keys as the figures are about.

use futures::StreamExt as _;
use futures::stream;

use etcd_client::{Txn, TxnOp};

use crate::etcd;
use crate::harness::{Cluster, Manifest, RUNTIME};
use crate::{numbers, tell};

/// Bytes of a value: many small keys are what costs when they are hashed or listed.
const VALUE: usize = 1000;

/// Keys of a transaction.
const AT_ONCE: u64 = 100;

/// Transactions at a time.
const TOGETHER: usize = 4;

/// Keys of a megabyte.
const KEYS_OF_MEGABYTE: u64 = 1000;

/// The sizes to measure at, in MB.
pub(crate) fn sizes() -> Vec<u64> {
    numbers("BENCH_SIZES", "1 100 1000")
}

/// The largest of them.
pub(crate) fn largest() -> u64 {
    sizes().into_iter().max().expect("BENCH_SIZES names one size at least")
}

/// So many members, with so many megabytes in keys of 1 kB.
pub(crate) fn filled(name: &str, members: usize, megabytes: u64) -> Cluster {
    // Snapshots often, so that the log of what was written here is not kept in memory whole.
    let flags = "--quota-backend-bytes=8000000000 --snapshot-count=5000";
    let cluster = Manifest::new().replicas(members).flags(flags).start(name);
    fill(&cluster, 0, megabytes);
    cluster
}

/// Writes more keys, from one size to another.
pub(crate) fn fill(cluster: &Cluster, from: u64, megabytes: u64) {
    RUNTIME.block_on(async {
        let pods = etcd::pods(cluster.name()).await;
        let member = etcd::member(&pods, "etcd-0").await;
        let firsts =
            (from * KEYS_OF_MEGABYTE..megabytes * KEYS_OF_MEGABYTE).step_by(usize::try_from(AT_ONCE).unwrap_or(1));
        let puts = stream::iter(firsts).map(|first| {
            let mut member = member.clone();
            async move {
                let value = vec![b'v'; VALUE];
                let put = |key| TxnOp::put(format!("key-{key:08}"), value.clone(), None);
                let all: Vec<_> = (first..first + AT_ONCE).map(put).collect();
                member.txn(Txn::new().and_then(all)).await.expect("the keys can be written");
            }
        });
        puts.buffer_unordered(TOGETHER).collect::<Vec<()>>().await;
    });
    if megabytes > 1 {
        tell(&format!("{}: {megabytes} MB written", cluster.name()));
    }
}
