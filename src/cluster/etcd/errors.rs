//! What etcd answers instead of what was asked, in sentences and in kinds.
//!
//! The codes are ambiguous, so the text decides (etcd: api/v3rpc/rpctypes/error.go).

use std::future::Future;
use std::time::Duration;

use etcd_client::Error;
use tonic::Code;

use crate::cluster::chain;
use crate::runbook::{Trouble, TroubleKind};

/// Makes a call with a limit and puts what goes wrong into a sentence that begins with what was tried.
pub(super) async fn call<T>(
    what: &str,
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Trouble::new(kind(&error), format!("cannot {what}: {}", said(&error)))),
        Err(_) => {
            Err(Trouble::new(TroubleKind::Lost, format!("cannot {what}: no answer within {} s", limit.as_secs_f32())))
        }
    }
}

/// Whether the server refused for want of rights, which proves all the same that it served the request.
pub(super) fn is_denied(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.code() == Code::PermissionDenied || says_denied(status.message()))
}

/// The same, of a text of etcd's own: a container that cannot run etcdctl says "permission denied" too. A certificate names a user too, by its common name, whom etcd may not know.
pub(super) fn says_denied(text: &str) -> bool {
    ["etcdserver: permission denied", "etcdserver: user name", "auth: user not found"]
        .iter()
        .any(|part| text.contains(part))
}

/// Whether a learner refused, which takes no user and serves little.
pub(super) fn is_learners(trouble: &Trouble) -> bool {
    trouble.message.contains("rpc not supported for learner")
}

/// Whether the answer was too large to be taken in, which shows before it is.
pub(super) fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.message().contains("message length too large") || status.message().contains("message larger than max"))
}

/// What the server said, without the client's wrapping.
fn said(error: &Error) -> String {
    match error {
        Error::GRpcStatus(status) if status.message().starts_with("etcdserver") => status.message().to_owned(),
        Error::GRpcStatus(status) => match std::error::Error::source(status) {
            Some(source) => innermost(source),
            None if status.message().is_empty() => status.code().description().to_owned(),
            None => status.message().to_owned(),
        },
        Error::TransportError(error) => innermost(error),
        other => chain(other),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    // Under TLS 1.3 the member's opinion of the client's certificate comes after the handshake.
    match text.split_once("received fatal alert: ") {
        Some((_, alert)) => format!("the member refuses the client's certificate: {alert}"),
        None if text.contains("close_notify") => {
            "the member ended the connection; it refuses the client's certificate, or has gone away".to_owned()
        }
        None => text,
    }
}

fn kind(error: &Error) -> TroubleKind {
    let Error::GRpcStatus(status) = error else { return TroubleKind::Lost };
    by_text(status.message()).unwrap_or(match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Aborted => {
            TroubleKind::Lost
        }
        Code::NotFound => TroubleKind::NotFound,
        _ => TroubleKind::Refused,
    })
}

/// What to make of a text of etcd's, where its code is not at hand. What is not known may have been done.
pub(super) fn kind_of(text: &str) -> TroubleKind {
    let refused = ["authentication failed", "too many learner", "corrupt"];
    let lost = TroubleKind::Lost;
    by_text(text).unwrap_or(if says_denied(text) || refused.iter().any(|part| text.contains(part)) {
        TroubleKind::Refused
    } else {
        lost
    })
}

fn by_text(text: &str) -> Option<TroubleKind> {
    let says = |part: &str| text.contains(part);
    if says("not enough started members")
        || says("unhealthy cluster")
        || says("in sync with leader")
        || says("too many requests")
    {
        Some(TroubleKind::NotYet)
    } else if says("Peer URLs already exists")
        || says("member ID already exist")
        || says("can only promote a learner member")
        || says("not leader")
        || says("bad leader transferee")
    {
        // What was asked for is there already, or rests on what has changed: look.
        Some(TroubleKind::Conflict)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, text: &str) -> TroubleKind {
        kind(&Error::GRpcStatus(tonic::Status::new(code, text)))
    }

    #[test]
    fn texts_decide() {
        assert_eq!(of(Code::Unavailable, "etcdserver: unhealthy cluster"), TroubleKind::NotYet);
        assert_eq!(of(Code::Unavailable, "etcdserver: request timed out"), TroubleKind::Lost);
        assert_eq!(
            of(Code::FailedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader"),
            TroubleKind::NotYet
        );
        assert_eq!(
            of(Code::FailedPrecondition, "etcdserver: can only promote a learner member"),
            TroubleKind::Conflict
        );
        assert_eq!(of(Code::FailedPrecondition, "etcdserver: Peer URLs already exists"), TroubleKind::Conflict);
        assert_eq!(
            of(Code::FailedPrecondition, "etcdserver: too many learner members in cluster"),
            TroubleKind::Refused
        );
        assert_eq!(of(Code::DataLoss, "etcdserver: corrupt cluster"), TroubleKind::Refused);
    }
}
