//! Leadership goes before the leader does.

use std::time::Duration;

use crate::model::{Change, MemberId};
use crate::runbook::{Proposal, Trail, Verdict};

/// How long the members may take to agree on a leader that was handed over; an election takes about one second.
pub(super) const HANDING_OVER: Duration = Duration::from_secs(5);

/// Whether leadership was handed over just now, so that the members may not agree on it yet.
pub(super) fn handed_over(trail: &Trail) -> bool {
    let since = trail.last_applied("move-leader").map(|at| trail.now.saturating_sub(at));
    since.is_some_and(|since| since < HANDING_OVER)
}

/// Hands leadership from one member to another, each with its pod.
pub(super) fn hand_over(from: (MemberId, &str), to: (MemberId, &str), why: &str) -> Verdict {
    Verdict::Change(Proposal {
        change: Change::MoveLeader { from: (from.0, from.1.to_owned()), to: (to.0, to.1.to_owned()) },
        reason: format!("{why}; handing over takes milliseconds, an election takes a second"),
    })
}
