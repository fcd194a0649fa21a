//! `status`: what is there, where it stands, and what to do next. Answers without a quorum too.

use std::time::Duration;

use super::args::{ClusterAccess, Status, Target};
use super::{exit, session};
use crate::cluster::{Scope, Survey};
use crate::model::Verb;
use crate::report::Console;
use crate::runbook::{Interrupt, Trouble, TroubleKind};

pub(super) async fn run(args: Status, console: &mut Console, interrupt: Interrupt) -> u8 {
    let Status { sts, all_namespaces, access } = args;
    session::lead(console, &access, sts.as_deref());
    let Some(sts) = sts else {
        let scope = if all_namespaces { Scope::All } else { Scope::Namespace(access.namespace.clone()) };
        return of_each(scope, &access, console, interrupt).await;
    };
    let request = session::request(Verb::Up, Duration::ZERO);
    match session::open(&Target { sts, access }, &request).await {
        Ok((_, observation)) => {
            console.status(&observation);
            exit::DONE
        }
        Err(trouble) => session::refuse(console, &trouble),
    }
}

/// A line for each StatefulSet that runs etcd.
async fn of_each(scope: Scope, access: &ClusterAccess, console: &mut Console, interrupt: Interrupt) -> u8 {
    // An endpoint is told by its pod's name alone, so it would be taken for the like-named pods of all namespaces.
    if !access.etcd.endpoints.is_empty() {
        let trouble = Trouble::new(TroubleKind::Refused, "--endpoints are the members of one StatefulSet")
            .advise("name it with --sts, or leave --endpoints and ETCDCTL_ENDPOINTS out");
        return session::wrong_usage(console, &trouble);
    }
    let (connection, reach) = (access.connection(), access.etcd.reach());
    // Many that do not answer take their time.
    let survey = tokio::select! {
        survey = Survey::make(&connection, &reach, scope) => survey,
        signal = interrupt.raised() => return exit::of_signal(signal),
    };
    match survey {
        Ok(survey) => {
            console.statuses(survey.namespace.as_deref(), &survey.statefulsets);
            exit::DONE
        }
        Err(trouble) => session::refuse(console, &trouble),
    }
}
