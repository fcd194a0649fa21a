//! `down`: shrink.

use super::args::Down;
use super::session;
use crate::model::Verb;
use crate::report::Console;
use crate::runbook::Interrupt;

pub(super) async fn run(args: Down, console: &mut Console, interrupt: Interrupt) -> u8 {
    let mut request = match session::running_request(Verb::Down, &args.running, false) {
        Ok(request) => request,
        Err(trouble) => return session::wrong_usage(console, &trouble),
    };
    request.to = args.to;
    request.by = args.by;
    request.claims = args.claim.map(Into::into);
    request.size_env = args.size_env.map(Into::into);
    args.proofs.ask_for(&mut request);
    session::change(&args.target, &args.running, request, None, console, interrupt).await
}
