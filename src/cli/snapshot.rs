//! `snapshot`: save and verify a snapshot, change nothing.

use std::time::Duration;

use super::args::Snapshot;
use super::{exit, session};
use crate::model::Verb;
use crate::report::Console;
use crate::runbook::{Event, Interrupt, Reporter, Trouble, TroubleKind};
use crate::steps;

pub(super) async fn run(args: Snapshot, console: &mut Console, interrupt: Interrupt) -> u8 {
    session::lead(console, &args.target.access, Some(&args.target.sts));
    let request = session::request(Verb::Up, Duration::ZERO);
    let (cluster, observation) = match session::open(&args.target, &request).await {
        Ok(opened) => opened,
        Err(trouble) => return session::refuse(console, &trouble),
    };
    let Some((pod, _)) = steps::snapshot_source(&observation) else {
        let trouble = Trouble::new(TroubleKind::Refused, "no voter is healthy, so none can send a snapshot")
            .advise("see which members answer with `etcd-scale status`");
        return session::refuse(console, &trouble);
    };
    let mut progress = |done, total| console.report(&Event::ChangeProgress { change: "save-snapshot", done, total });
    let saved = tokio::select! {
        saved = cluster.save_snapshot(&pod, &args.file, &observation, &mut progress) => saved,
        signal = interrupt.raised() => return exit::of_signal(signal),
    };
    match saved {
        Ok(snapshot) => {
            console.snapshot(&snapshot);
            exit::DONE
        }
        Err(trouble) => {
            // By this machine: the file is there already, or cannot be written.
            let code = if trouble.kind == TroubleKind::Refused { exit::REFUSED } else { exit::FAILED };
            console.refused(&trouble, code);
            code
        }
    }
}
