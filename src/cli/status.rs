//! `status`: what is there, where it stands, and what to do next. Answers without a quorum too.

use std::time::Duration;

use super::args::Status;
use super::{exit, session};
use crate::model::Verb;
use crate::report::Console;

pub(super) async fn run(args: Status, console: &mut Console) -> u8 {
    console.lead_to(args.target.cluster_options());
    let request = session::request(Verb::Up, Duration::ZERO);
    match session::open(&args.target, &request).await {
        Ok((_, observation)) => {
            console.status(&observation);
            exit::DONE
        }
        Err(trouble) => session::refuse(console, &trouble),
    }
}
