//! `abort`: take back a scale-up that is half-way.

use super::args::Abort;
use super::session;
use crate::model::Verb;
use crate::report::Console;
use crate::runbook::Interrupt;

pub(super) async fn run(args: Abort, console: &mut Console, interrupt: Interrupt) -> u8 {
    let mut request = match session::running_request(Verb::Abort, &args.running, false) {
        Ok(request) => request,
        Err(trouble) => return session::wrong_usage(console, &trouble),
    };
    request.claims = args.claim.map(Into::into);
    session::change(&args.target, &args.running, request, None, console, interrupt).await
}
