//! How long a container that ended waits before it starts again, as kubelet has it.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// A container that has run for as long as this begins anew.
const FORGOTTEN: Duration = Duration::from_secs(10 * 60);

/// The state of one container's back-off, or of one image's.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    last: Option<(Duration, Instant)>,
}

impl BackOff {
    /// How long to wait after an end before the next start.
    pub(super) fn wait(&self, ended: Instant) -> Option<Duration> {
        let (delay, since) = self.last?;
        (ended.saturating_duration_since(since) <= FORGOTTEN).then_some(delay)
    }

    /// Another start comes after an end.
    pub(super) fn next(&mut self, ended: Instant, now: Instant) {
        let delay = self.wait(ended).map_or(FIRST, |delay| (delay * 2).min(LONGEST));
        self.last = Some((delay, now));
    }
}

/// A duration as Go writes it: `10s`, `1m20s`, `5m0s`.
pub(super) fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_at_once_and_the_next_ones_wait_longer_each() {
        let mut backoff = BackOff::default();
        let now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(backoff.wait(now).map_or_else(|| "none".to_owned(), written));
            backoff.next(now, now);
        }
        assert_eq!(waits, ["none", "10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
    }

    #[test]
    fn a_long_run_begins_anew() {
        let mut backoff = BackOff::default();
        let now = Instant::now();
        backoff.next(now, now);
        backoff.next(now, now);
        let later = now + Duration::from_secs(601);
        assert_eq!(backoff.wait(later), None);
        backoff.next(later, later);
        assert_eq!(backoff.wait(later), Some(FIRST));
    }
}
