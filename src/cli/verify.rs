//! `verify`: proof of health, membership and equal data.

use super::args::Verify;
use super::{exit, session};
use crate::model::{Goal, Verb};
use crate::report::Console;
use crate::runbook::{Interrupt, Outcome};
use crate::steps;

pub(super) async fn run(args: Verify, console: &mut Console, interrupt: Interrupt) -> u8 {
    session::lead(console, &args.target.access, Some(&args.target.sts));
    let mut request = session::request(Verb::Verify, args.timeout);
    request.hash = args.hash.map(Into::into);
    request.deep = args.deep;
    let (mut cluster, observation) = match session::open(&args.target, &request).await {
        Ok(opened) => opened,
        Err(trouble) => return session::refuse(console, &trouble),
    };
    let goal = Goal::as_it_stands(&request, &observation);
    let summary = session::look(&mut cluster, observation, steps::verify(), goal, console, interrupt).await;
    let code = match summary.outcome {
        // What is not as it should be is a failed proof, unless time was given for it to come right.
        Outcome::TimedOut { .. } if args.timeout.is_zero() => exit::FAILED,
        Outcome::Refused { .. } => exit::FAILED,
        ref outcome => exit::of_outcome(outcome, false),
    };
    console.end(code);
    code
}
