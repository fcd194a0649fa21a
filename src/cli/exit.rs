//! Exit codes, as the handbook lists them.

use crate::model::GoalRefusal;
use crate::runbook::{LockError, Outcome, Trouble, TroubleKind};

/// Done, or nothing to do.
pub(super) const DONE: u8 = 0;
/// A step failed or refused half-way.
pub(super) const FAILED: u8 = 1;
/// Wrong usage; clap's own code for it.
pub(super) const USAGE: u8 = 2;
/// Refused before the first change.
pub(super) const REFUSED: u8 = 3;
/// Declined, or nobody to ask.
pub(super) const DECLINED: u8 = 4;
/// Timed out waiting.
pub(super) const TIMED_OUT: u8 = 5;
/// The cluster contradicts the goal of an unfinished run.
pub(super) const CONTRADICTION: u8 = 6;
/// Another run holds the lock.
pub(super) const LOCKED: u8 = 7;
/// A fault of the program's own.
pub(super) const INTERNAL: u8 = 70;
/// Added to a signal's number, as shells do.
const SIGNAL: u8 = 128;

/// The code for a signal.
pub(super) fn of_signal(signal: i32) -> u8 {
    u8::try_from(signal).map_or(FAILED, |signal| SIGNAL.saturating_add(signal))
}

/// The code for the end of a run. `begun` tells whether it, or the run that it took up, had changed
/// anything in the cluster.
pub(super) fn of_outcome(outcome: &Outcome, begun: bool) -> u8 {
    match outcome {
        Outcome::Done | Outcome::Foreseen | Outcome::Paused { .. } => DONE,
        Outcome::Refused { half_way, .. } => {
            if *half_way {
                FAILED
            } else {
                REFUSED
            }
        }
        Outcome::Failed { trouble, .. } if trouble.kind == TroubleKind::Internal => INTERNAL,
        Outcome::Failed { .. } => {
            if begun {
                FAILED
            } else {
                REFUSED
            }
        }
        Outcome::Declined { .. } | Outcome::NobodyToAsk { .. } => DECLINED,
        Outcome::TimedOut { .. } => TIMED_OUT,
        Outcome::Contradiction { .. } => CONTRADICTION,
        Outcome::Locked { .. } => LOCKED,
        Outcome::Interrupted { signal } => of_signal(*signal),
    }
}

/// The code where there is no goal.
pub(super) fn of_goal(refusal: &GoalRefusal) -> u8 {
    match refusal {
        GoalRefusal::NothingToDo(_) => DONE,
        GoalRefusal::Refused { .. } => REFUSED,
        GoalRefusal::Contradiction { .. } => CONTRADICTION,
    }
}

/// The code where nothing could be begun.
pub(super) fn of_trouble(trouble: &Trouble) -> u8 {
    if trouble.kind == TroubleKind::Internal { INTERNAL } else { REFUSED }
}

/// The code where the lock could not be had.
pub(super) fn of_lock(error: &LockError) -> u8 {
    match error {
        LockError::Held { .. } => LOCKED,
        LockError::Trouble(trouble) => of_trouble(trouble),
    }
}
