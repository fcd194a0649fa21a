//! The one place that waits: until something is so, with a limit that no machine should need.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that a test needs before or after the run that it is about.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long to pause between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Looks until `look` finds what it looks for; its error says what it saw instead.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => {
                assert!(began.elapsed() < PATIENCE, "waited {} s for {what}; last seen: {seen}", PATIENCE.as_secs());
            }
        }
        thread::sleep(PAUSE);
    }
}
