//! Catching up: whether a learner is close enough to its leader to vote.
//!
//! etcd's own test passes at 90 % of the log (server/etcdserver/server.go, `isLearnerReady`), which may be a million
//! entries behind. Our rule goes by rounds, as in section 4.2.1 of Ongaro's thesis on Raft: note the leader's index,
//! wait until the learner has applied it, repeat; a round of under a second means that the learner keeps pace.

use std::time::Duration;

use serde::Serialize;

use super::{MemberId, Observation};

/// A round shorter than this means that the learner keeps pace with its leader.
const SHORT_ROUND: Duration = Duration::from_secs(1);

/// So many entries our own looks may add to the log between two answers of one look: with a password each call of
/// etcdctl is one, and so is a reading of the alarms.
const OWN_ENTRIES: u64 = 10;

/// A learner has stalled when this many rounds in a row were no shorter than the one before.
const ROUNDS_WITHOUT_GAIN: usize = 4;

/// A finished round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Round {
    /// From noting the leader's index to seeing it applied.
    took: Duration,
    /// Whether it was over at the first look, so that it may have been shorter than the time between two looks.
    at_first_look: bool,
}

/// The rounds of one learner, folded from observations.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CatchUp {
    learner: Option<MemberId>,
    /// The leader's index to reach, since when, and how often it was looked at since.
    round: Option<(u64, Duration, u32)>,
    /// Lengths of finished rounds, oldest first.
    finished: Vec<Round>,
    /// The learner's last applied index.
    applied: u64,
    /// The leader's last index.
    leader: u64,
    /// When it was last looked at.
    now: Duration,
}

impl CatchUp {
    /// Takes in what an observation shows at `now`, the run's own clock.
    pub fn observe(&mut self, observation: &Observation, learner: MemberId, now: Duration) {
        if self.learner != Some(learner) {
            *self = Self { learner: Some(learner), ..Self::default() };
        }
        let (Some(leader), Some(status)) = (observation.leader_status(), observation.status_of(learner)) else {
            return;
        };
        self.applied = status.raft_applied;
        self.leader = leader.raft_index;
        self.now = now;
        match &mut self.round {
            Some((target, _, looks)) if status.raft_applied < *target => {
                *looks += 1;
            }
            Some((_, since, looks)) => {
                let took = now.saturating_sub(*since);
                self.finished.push(Round { took, at_first_look: *looks == 0 });
                self.round = Some((leader.raft_index, now, 0));
            }
            None => {
                // It has all that the leader had at the same look: a round that was over before it could be noted.
                if status.raft_applied >= leader.raft_index {
                    self.finished.push(Round { took: Duration::ZERO, at_first_look: true });
                }
                self.round = Some((leader.raft_index, now, 0));
            }
        }
    }

    /// Whether the learner has just been seen to have everything but what looking at it added, or its last round was
    /// short and the present one is not long yet.
    pub fn keeps_pace(&self) -> bool {
        let (Some(last), Some((_, since, _))) = (self.finished.last(), self.round) else { return false };
        let has_everything =
            self.applied.saturating_add(OWN_ENTRIES) >= self.leader && (last.at_first_look || last.took < SHORT_ROUND);
        let in_a_short_round = last.took < SHORT_ROUND && self.now.saturating_sub(since) < SHORT_ROUND;
        has_everything || in_a_short_round
    }

    /// Whether rounds have stopped getting shorter without being short.
    pub fn stalled(&self) -> bool {
        let recent: Vec<_> = self.finished.iter().rev().take(ROUNDS_WITHOUT_GAIN + 1).collect();
        recent.len() > ROUNDS_WITHOUT_GAIN
            && recent.iter().all(|round| !round.at_first_look)
            && recent.windows(2).all(|pair| pair[0].took >= pair[1].took)
            && !self.keeps_pace()
    }

    /// The learner's applied index and the leader's index, as last seen.
    pub fn indexes(&self) -> (u64, u64) {
        (self.applied, self.leader)
    }

    /// How many rounds were finished.
    pub fn rounds(&self) -> usize {
        self.finished.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_needs_rounds_that_do_not_shrink() {
        let seconds = |list: &[u64]| CatchUp {
            finished: list.iter().map(|s| Round { took: Duration::from_secs(*s), at_first_look: false }).collect(),
            round: Some((1, Duration::ZERO, 0)),
            ..CatchUp::default()
        };
        assert!(!seconds(&[9, 8, 7, 6, 5]).stalled());
        assert!(seconds(&[9, 5, 5, 5, 6, 6]).stalled());
        assert!(!seconds(&[5, 5, 5]).stalled());
        assert!(!seconds(&[5, 5, 5, 5, 5, 0]).stalled());
        assert!(seconds(&[5, 0]).keeps_pace());
    }

    #[test]
    fn looks_that_take_long_and_add_to_the_log_do_not_keep_it_behind() {
        let mut slow = CatchUp {
            finished: vec![Round { took: Duration::from_secs(4), at_first_look: true }],
            round: Some((600, Duration::from_secs(60), 0)),
            applied: 596,
            leader: 600,
            now: Duration::from_secs(60),
            ..CatchUp::default()
        };
        assert!(slow.keeps_pace());
        slow.leader = 700;
        assert!(!slow.keeps_pace());
    }

    #[test]
    fn a_short_round_of_long_ago_counts_for_nothing() {
        let mut behind = CatchUp {
            finished: vec![Round { took: Duration::from_millis(80), at_first_look: true }],
            round: Some((100, Duration::from_secs(1), 5)),
            applied: 90,
            leader: 500,
            now: Duration::from_secs(600),
            ..CatchUp::default()
        };
        assert!(!behind.keeps_pace());
        behind.now = Duration::from_millis(1500);
        assert!(behind.keeps_pace());
    }
}
