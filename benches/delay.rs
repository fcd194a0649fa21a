//! How long a learner that could vote has to wait until it does, by an observer's watch.

use std::time::Duration;

use crate::figures::{Figures, Unit, head, table};
use crate::filled::filled;
use crate::harness::SET;
use crate::observer::Observer;
use crate::{rounds, weigh};

/// How often the observer looks: half the error of what is measured.
const LOOK: Duration = Duration::from_millis(10);

/// Sizes of the database, in MB.
const SIZES: [u64; 2] = [1, 100];

pub(crate) fn measure() -> String {
    let rows = SIZES.map(|megabytes| {
        let delays: Vec<f64> = (0..rounds())
            .map(|_| {
                let cluster = filled("delay", 2, megabytes);
                let observer = Observer::on(cluster.name(), SET, 2, LOOK);
                weigh::etcd_scale(&["up", "--sts", SET, "-n", cluster.name(), "--yes", "--rollout", "defer"]);
                observer.end().delay().expect("the observer saw it").as_secs_f64()
            })
            .collect();
        vec![format!("{megabytes} MB"), Figures::new(delays).write(Unit::Seconds)]
    });
    let table = table(&head(&["database", "from when it could vote to when it did, at most"]), &rows);
    format!(
        "{table}\nIt could vote from the beginning of the look that first found it as far as etcd asks, nine tenths of the \
         leader's log, and did at the end of the look that first found it among the voters; a look every {} ms. Rounds: {}; \
         medians, from 2 members to 3.",
        LOOK.as_millis(),
        rounds()
    )
}
