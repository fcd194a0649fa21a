//! `settle`: bring a deferred rollout to the older members.

use super::args::Settle;
use super::session;
use crate::model::Verb;
use crate::report::Console;
use crate::runbook::Interrupt;

pub(super) async fn run(args: Settle, console: &mut Console, interrupt: Interrupt) -> u8 {
    let mut request = match session::running_request(Verb::Settle, &args.running, false) {
        Ok(request) => request,
        Err(trouble) => return session::wrong_usage(console, &trouble),
    };
    request.rollout = args.rollout.map(Into::into);
    request.hash = args.hash.map(Into::into);
    session::change(&args.target, &args.running, request, None, console, interrupt).await
}
