//! `check`: all prechecks of `up`, no change.

use std::time::Duration;

use super::args::Check;
use super::{exit, session};
use crate::model::{Goal, SnapshotChoice, Verb};
use crate::report::Console;
use crate::runbook::Interrupt;
use crate::steps;

/// How long the checks may wait for hashes that can be compared.
const HASHES: Duration = Duration::from_secs(30);

pub(super) async fn run(args: Check, console: &mut Console, interrupt: Interrupt) -> u8 {
    let mut request = session::request(Verb::Check, HASHES);
    request.rollout = args.rollout.map(Into::into);
    request.hash = args.hash.map(Into::into);
    request.ignore_reconciler = args.ignore_reconciler;
    request.size_env = args.size_env.map(Into::into);
    if args.no_snapshot {
        request.snapshot = SnapshotChoice::None;
    }
    request.join = args.join.map(Into::into).unwrap_or_default();
    if let Err(trouble) = session::storage(&mut request, &args.storage) {
        return session::wrong_usage(console, &trouble);
    }
    session::lead(console, &args.target.access, Some(&args.target.sts));
    let (mut cluster, observation) = match session::open(&args.target, &request).await {
        Ok(opened) => opened,
        Err(trouble) => return session::refuse(console, &trouble),
    };
    let goal = match Goal::resolve(&request, &observation) {
        Ok(goal) => goal,
        Err(refusal) => return session::no_goal(console, &refusal),
    };
    let summary = session::look(&mut cluster, observation, steps::check(), goal, console, interrupt).await;
    let code = exit::of_outcome(&summary.outcome, false);
    console.end(code);
    code
}
