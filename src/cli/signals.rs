//! Signals: the first asks the run to stop before its next change, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};

use super::exit;
use crate::runbook::Interrupt;

/// Listens until the program ends.
pub(super) fn listen(interrupt: &Interrupt) {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let interrupt = interrupt.clone();
        let Ok(mut signals) = signal(kind) else { continue };
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if interrupt.signal().is_some() {
                    leave(kind.as_raw_value());
                }
                interrupt.raise(kind.as_raw_value());
            }
        });
    }
}

#[expect(clippy::exit, reason = "the second signal means now; the record on the StatefulSet lets the next run go on")]
fn leave(signal: i32) -> ! {
    std::process::exit(i32::from(exit::of_signal(signal)))
}
