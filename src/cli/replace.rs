//! `replace`: give a broken member a new life, with data from the others.

use super::args::Replace;
use super::session;
use crate::model::{Replacement, Verb, Victim};
use crate::report::Console;
use crate::runbook::Interrupt;

pub(super) async fn run(args: Replace, console: &mut Console, interrupt: Interrupt) -> u8 {
    let mut request = match session::running_request(Verb::Replace, &args.running, false) {
        Ok(request) => request,
        Err(trouble) => return session::wrong_usage(console, &trouble),
    };
    let victim = if args.force { Victim::Any } else { Victim::Broken };
    request.replacement = Some(Replacement { pod: args.pod, victim });
    args.proofs.ask_for(&mut request);
    if let Err(trouble) = session::storage(&mut request, &args.storage) {
        return session::wrong_usage(console, &trouble);
    }
    session::change(&args.target, &args.running, request, None, console, interrupt).await
}
