//! How a learner that catches up looks from outside.

use std::time::Duration;

use etcd_scale::model::{CatchUp, Known, MemberId, Observation};

use super::sample::rok;

const LEARNER: MemberId = MemberId(102);

/// A learner that has applied so much of its leader's 50 entries.
fn learner_at(applied: u64) -> Observation {
    let mut observation = rok(3);
    let Some(Known::Known(status)) = observation.statuses.get_mut("rok-etcd-2") else { panic!("it has a status") };
    status.learner = true;
    status.raft_applied = applied;
    observation
}

#[test]
fn one_that_has_everything_at_the_first_look_waits_for_no_second() {
    let mut catch_up = CatchUp::default();
    catch_up.observe(&learner_at(50), LEARNER, Duration::from_secs(9));
    assert!(catch_up.keeps_pace());
}

#[test]
fn one_that_lags_at_the_first_look_has_to_show_its_pace() {
    let mut catch_up = CatchUp::default();
    catch_up.observe(&learner_at(49), LEARNER, Duration::from_secs(9));
    assert!(!catch_up.keeps_pace());
    catch_up.observe(&learner_at(50), LEARNER, Duration::from_millis(9100));
    assert!(catch_up.keeps_pace());
}
