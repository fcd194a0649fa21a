//! `up`: grow.

use super::args::{ByCommit, OnFailure, Target, Up, Words};
use super::{exit, session};
use crate::gitops::{OverlayError, Repository};
use crate::model::{Delivery, GitOps, Verb};
use crate::report::Console;
use crate::runbook::{Interrupt, Trouble, TroubleKind};

pub(super) async fn run(args: Up, console: &mut Console, interrupt: Interrupt) -> u8 {
    let by_commit = args.gitops.gitops.is_some();
    let mut request = match session::running_request(Verb::Up, &args.running, by_commit) {
        Ok(request) => request,
        Err(trouble) => return session::wrong_usage(console, &trouble),
    };
    request.to = args.to;
    request.by = args.by;
    request.claims = args.claim.map(Into::into);
    args.proofs.ask_for(&mut request);
    request.size_env = args.size_env.map(Into::into);
    request.join = args.join.map(Into::into).unwrap_or_default();
    if let Err(trouble) = session::storage(&mut request, &args.storage) {
        return session::wrong_usage(console, &trouble);
    }
    let repository = match repository(&args.gitops, &args.target).await {
        Ok(found) => found.map(|(repository, gitops)| {
            request.gitops = Some(gitops);
            repository
        }),
        Err(error) => {
            let trouble = Trouble::new(TroubleKind::Refused, error.to_string())
                .advise("name the overlay with --overlay, from the directory of --gitops");
            return session::wrong_usage(console, &trouble);
        }
    };
    if let Err(trouble) = session::report(&args.target, &args.running, &request, console) {
        return session::refuse(console, &trouble);
    }
    let claims = request.claims;
    let rollback = args.on_failure == OnFailure::Rollback;
    console.takes_back(rollback);
    let code = session::walk(&args.target, &args.running, request, repository, console, interrupt.clone()).await;
    if rollback && matches!(code, exit::FAILED | exit::TIMED_OUT) {
        let mut back = session::request(Verb::Abort, args.running.timeout);
        back.claims = claims;
        back.ignore_reconciler = args.running.ignore_reconciler;
        // Nobody has typed this abort, and nothing takes it back.
        console.begun_by(Vec::new());
        console.takes_back(false);
        // What failed stays failed, also where it was taken back.
        let _ = session::walk(&args.target, &args.running, back, None, console, interrupt).await;
    }
    session::end(console, code)
}

/// The deployment repository that was named, and the way through it.
async fn repository(options: &ByCommit, target: &Target) -> Result<Option<(Repository, GitOps)>, OverlayError> {
    let Some(directory) = &options.gitops else { return Ok(None) };
    let mut repository = Repository::find(directory, options.overlay.as_deref(), &target.sts).await?;
    if let Some(file) = &target.access.kubeconfig {
        // The apply command is meant for the same cluster.
        repository = repository.with_variable("KUBECONFIG", std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    }
    let overlay = repository.overlay_from_here();
    let delivery = match &options.apply_command {
        Some(Words(words)) => Delivery::Command(words.iter().map(|word| word.replace("{overlay}", &overlay)).collect()),
        None if options.wait_for_sync => Delivery::Sync,
        None => Delivery::Operator,
    };
    let gitops = GitOps { overlay: repository.overlay_from_top().await, delivery, push: options.push };
    Ok(Some((repository, gitops)))
}
