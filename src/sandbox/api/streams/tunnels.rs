//! The live tunnels to pods' ports, so that all those of one pod can be cut at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// All live tunnels.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Tunnels {
    /// One sender for each pod, by namespace and name: every tunnel listens to it.
    cuts: Mutex<HashMap<(String, String), watch::Sender<()>>>,
}

impl Tunnels {
    /// Counts a tunnel as live as long as what comes back is kept.
    pub(super) fn enter(&self, namespace: &str, pod: &str) -> Tunnel {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.retain(|_, cut| !cut.is_closed());
        let cut = cuts.entry((namespace.to_owned(), pod.to_owned())).or_default();
        Tunnel(cut.subscribe())
    }

    /// Ends all tunnels to a pod at once, as a broken network does: without a farewell. Says how many there were.
    pub(in crate::sandbox) fn cut(&self, namespace: &str, pod: &str) -> usize {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        // Removed, so that a tunnel that is opened next does not hear of this cut.
        let cut = cuts.remove(&(namespace.to_owned(), pod.to_owned()));
        cut.map_or(0, |cut| {
            // Counted first: those that hear of it are soon gone.
            let live = cut.receiver_count();
            cut.send_replace(());
            live
        })
    }
}

/// A live tunnel.
pub(super) struct Tunnel(watch::Receiver<()>);

impl Tunnel {
    /// Waits until the tunnel is to be cut.
    pub(super) async fn is_cut(&mut self) {
        // The sender sends or goes only in a cut: an entry that still has receivers is never dropped otherwise.
        let _ = self.0.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_cut_ends_the_tunnels_of_one_pod_and_none_that_come_later() {
        let tunnels = Tunnels::default();
        let (mut one, mut two) = (tunnels.enter("here", "a"), tunnels.enter("here", "a"));
        let mut other = tunnels.enter("here", "b");
        assert_eq!(tunnels.cut("here", "a"), 2);
        one.is_cut().await;
        two.is_cut().await;
        let mut later = tunnels.enter("here", "a");
        assert!(other.is_cut().now_or_never().is_none());
        assert!(later.is_cut().now_or_never().is_none());
        drop(later);
        assert_eq!(tunnels.cut("here", "a"), 0);
    }
}
