//! `up`: grow.

use super::args::Up;
use super::session;
use crate::model::{SnapshotChoice, Verb};
use crate::report::Console;
use crate::runbook::Interrupt;
use crate::steps;

pub(super) async fn run(args: Up, console: &mut Console, interrupt: Interrupt) -> u8 {
    let steps = steps::up();
    let mut request = match session::running_request(Verb::Up, &args.running, &steps) {
        Ok(request) => request,
        Err(trouble) => return session::wrong_usage(console, &trouble),
    };
    request.to = args.to;
    request.by = args.by;
    request.rollout = args.rollout.map(Into::into);
    request.hash = args.hash.map(Into::into);
    request.size_env = args.size_env.map(Into::into);
    request.join = args.join.map(Into::into).unwrap_or_default();
    if let Err(trouble) = session::storage(&mut request, &args.storage) {
        return session::wrong_usage(console, &trouble);
    }
    if args.no_snapshot {
        request.snapshot = SnapshotChoice::None;
    } else if let Some(file) = args.snapshot {
        request.snapshot = SnapshotChoice::File(std::path::absolute(&file).unwrap_or(file));
    }
    session::change(&args.target, &args.running, steps, request, console, interrupt).await
}
