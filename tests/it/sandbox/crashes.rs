//! Crash points, a few of those that `make torture` runs through: each change of a run, with the run killed before it or
//! after it, or with its answer lost, and the same command again.

use crate::torture::Schedule;

/// Runs one. `TORTURE_SCHEDULE` repeats any, in `make torture-changes`.
fn survives(schedule: &str) {
    schedule.parse::<Schedule>().unwrap().run();
}

#[test]
#[ignore = "needs the sandbox"]
fn killed_with_the_learner_added_and_the_answer_of_the_patch_lost() {
    survives("up-rok 2:killed-after 2:answer-lost");
}

#[test]
#[ignore = "needs the sandbox"]
fn killed_before_a_member_is_removed_and_after_it() {
    survives("down-puls8 2:killed-before 2:killed-after");
}

#[test]
#[ignore = "needs the sandbox"]
fn a_replacement_whose_learner_is_added_without_an_answer() {
    survives("replace-rok 5:answer-lost");
}

#[test]
#[ignore = "needs the sandbox"]
fn killed_with_nothing_left_but_the_lock() {
    // Where the leader has to hand over, there is a change more before it.
    survives("down-rok 6:killed-before");
    survives("down-rok 7:killed-before");
}
