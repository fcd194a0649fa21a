//! What the API server answers instead of what was asked, in sentences.

use std::future::Future;
use std::time::{Duration, Instant};

use kube::client::AuthError;

use crate::cluster::chain;
use crate::runbook::{Trouble, TroubleKind};

/// Makes a call with a limit and puts what goes wrong into a sentence that begins with what was tried.
pub(super) async fn call<T>(
    what: &str,
    limit: Duration,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(trouble(what, &error)),
        Err(_) => Err(Trouble::new(
            TroubleKind::Lost,
            format!("cannot {what}: the API server did not answer within {} s", limit.as_secs_f32()),
        )
        .advise("check the network, or allow more time with --request-timeout")),
    }
}

/// How long a server that is busy is left alone: what an API server itself asks for.
const BUSY: Duration = Duration::from_secs(1);

/// The same for a call that may be made again: as long as the server answers that it is busy (429 or 503), it is asked
/// again after a second, within the same limit. Another error ends it at once. Where the time runs out in the middle of
/// a call, the trouble is what the server said last, if it said anything.
pub(super) async fn ask<T, F>(what: &str, limit: Duration, make: impl Fn() -> F) -> Result<T, Trouble>
where
    F: Future<Output = kube::Result<T>>,
{
    ask_again(what, limit, BUSY, make).await
}

async fn ask_again<T, F>(what: &str, limit: Duration, pause: Duration, make: impl Fn() -> F) -> Result<T, Trouble>
where
    F: Future<Output = kube::Result<T>>,
{
    let end = Instant::now() + limit;
    let left = || end.saturating_duration_since(Instant::now());
    let (mut next, mut busy) = (limit, None);
    loop {
        match call(what, next, make()).await {
            Err(trouble) if trouble.kind == TroubleKind::NotYet && left() > pause * 2 => {
                tracing::debug!(%trouble, "the API server is busy");
                tokio::time::sleep(pause).await;
                (next, busy) = (left(), Some(trouble));
            }
            Err(trouble) if trouble.kind == TroubleKind::Lost && left().is_zero() => {
                return Err(busy.unwrap_or(trouble));
            }
            other => return other,
        }
    }
}

/// Whether an error says that the object does not exist, and nothing else.
pub(super) fn is_absent(trouble: &Trouble) -> bool {
    trouble.kind == TroubleKind::NotFound
}

fn trouble(what: &str, error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) => {
            let kind = match status.code {
                404 => TroubleKind::NotFound,
                409 => TroubleKind::Conflict,
                // A failed `test` of a JSON patch is 422 as well as an invalid object; the latter names its fields.
                422 if !status.message.contains(" is invalid: ") => TroubleKind::Conflict,
                429 | 503 => TroubleKind::NotYet,
                500 | 502 | 504 => TroubleKind::Lost,
                _ => TroubleKind::Refused,
            };
            let said = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
            let trouble = Trouble::new(kind, format!("cannot {what}: {said}"));
            match status.code {
                401 => trouble.advise("log in again: the API server does not accept these credentials"),
                403 => trouble.advise("ask for the role in .github/rbac.yaml"),
                _ => trouble,
            }
        }
        // kube's own text shows the whole output of the plugin in debug form, with what it printed.
        kube::Error::Auth(AuthError::AuthExecRun { cmd, out, .. }) => Trouble::new(
            TroubleKind::Refused,
            format!("cannot {what}: the kubeconfig's credential plugin {cmd} failed with {}", out.status),
        )
        .advise("run the plugin by hand to see why, and log in again"),
        kube::Error::Auth(error) => {
            Trouble::new(TroubleKind::Refused, format!("cannot {what}: no credentials: {}", chain(error)))
                .advise("check the user in the kubeconfig")
        }
        kube::Error::SerdeError(error) => {
            Trouble::new(TroubleKind::Refused, format!("cannot {what}: the answer was none of an API server: {error}"))
                .advise("check the server's address in the kubeconfig")
        }
        other => Trouble::new(TroubleKind::Lost, format!("cannot {what}: {}", innermost(other)))
            .advise("check that the API server runs, and its address in the kubeconfig"),
    }
}

/// The innermost cause says what happened; the layers above only say where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use kube::core::Status;

    use super::*;

    #[tokio::test]
    async fn a_busy_server_that_falls_silent_is_busy() {
        let calls = AtomicU32::new(0);
        let (limit, pause) = (Duration::from_millis(500), Duration::from_millis(1));
        let answer = ask_again::<(), _>("read it", limit, pause, || {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    return Err(kube::Error::Api(Box::new(Status {
                        code: 503,
                        ..Status::failure("too busy", "Busy")
                    })));
                }
                std::future::pending().await
            }
        });
        let trouble = answer.await.unwrap_err();
        assert_eq!((trouble.kind, trouble.message.as_str()), (TroubleKind::NotYet, "cannot read it: too busy"));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}
