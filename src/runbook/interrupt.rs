//! The operator's wish to stop, which a run obeys before its next change.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::sync::Notify;

/// Raised by the first Ctrl-C or SIGTERM. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<(AtomicI32, Notify)>,
}

impl Interrupt {
    /// Raises it with the signal's number. The first one counts.
    pub fn raise(&self, signal: i32) {
        let _ = self.shared.0.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        self.shared.1.notify_waiters();
    }

    /// The signal that was raised.
    pub fn signal(&self) -> Option<i32> {
        Some(self.shared.0.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Returns once it is raised.
    pub async fn raised(&self) -> i32 {
        loop {
            let notified = self.shared.1.notified();
            if let Some(signal) = self.signal() {
                return signal;
            }
            notified.await;
        }
    }
}
