//! `etcdctl` in a member's own pod, for clusters where nothing else leads to etcd. No shell stands in between.

mod output;

#[cfg(fuzzing)]
pub(super) use output::fuzz;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Api;
use serde::de::DeserializeOwned;

use self::output::{AlarmList, Answered, EndpointHash, EndpointStatus, Header, MemberList, complaint};
use super::channel::OPEN;
use super::client::AUTHENTICATE;
use super::errors::{kind_of, says_denied};
use super::reach::User;
use crate::cluster::k8s::{Typed, exec};
use crate::model::{Alarm, ClusterId, Container, Hash, MemberId, MemberStatus, Members};
use crate::runbook::{Trouble, TroubleKind};

/// What starting a process in a container may take beyond its connection and its call.
const STARTING: Duration = Duration::from_secs(5);

/// How etcdctl ends its question for a password.
const QUESTION: &str = "Password:";

/// etcdctl's own variables for the options that are given here. It refuses to start where an option is given twice.
const OWN_VARIABLES: &[&str] = &[
    "ETCDCTL_ENDPOINTS",
    "ETCDCTL_CACERT",
    "ETCDCTL_CERT",
    "ETCDCTL_KEY",
    OWN_USER,
    "ETCDCTL_DIAL_TIMEOUT",
    "ETCDCTL_COMMAND_TIMEOUT",
    "ETCDCTL_WRITE_OUT",
];

/// The variable for the user.
pub(super) const OWN_USER: &str = "ETCDCTL_USER";

/// The etcdctl of one pod.
#[derive(Clone)]
pub(super) struct Etcdctl {
    pods: Api<ApiPod>,
    pod: String,
    container: String,
    /// Variables of the container that have to be taken away first.
    unset: Vec<&'static str>,
    /// The member's own endpoint, and the certificates as the container has them.
    options: Vec<String>,
    user: Option<User>,
    /// The variable by which the container names a user, where that one is to be taken.
    own_user: Option<&'static str>,
}

/// Paths in the container of what TLS needs.
#[derive(Debug, Clone, Default)]
pub(super) struct CertificatePaths {
    pub(super) ca: Option<String>,
    /// Certificate and key.
    pub(super) own: Option<(String, String)>,
}

impl Etcdctl {
    pub(super) fn new(
        pods: Api<ApiPod>,
        pod: &str,
        container: &Container,
        endpoint: &str,
        paths: &CertificatePaths,
        user: Option<User>,
    ) -> Self {
        let mut options = vec![format!("--endpoints={endpoint}")];
        options.extend(paths.ca.iter().map(|path| format!("--cacert={path}")));
        if let Some((cert, key)) = &paths.own {
            options.extend([format!("--cert={cert}"), format!("--key={key}")]);
        }
        // A user that the container's own variables name stays, where no other is given.
        let own_user = Some(OWN_USER).filter(|name| user.is_none() && container.names(name));
        let named = |name: &&'static str| container.names(name) && own_user != Some(*name);
        Self {
            pods,
            pod: pod.to_owned(),
            container: container.name.clone(),
            unset: OWN_VARIABLES.iter().copied().filter(named).collect(),
            options,
            user,
            own_user,
        }
    }

    /// The same without a user, not even one that the container names.
    pub(super) fn without_user(&self) -> Self {
        let mut unset = self.unset.clone();
        unset.extend(self.own_user);
        Self { user: None, own_user: None, unset, ..self.clone() }
    }

    pub(super) fn has_user(&self) -> bool {
        self.user.is_some() || self.own_user.is_some()
    }

    /// Runs a command and takes in what it prints.
    async fn run(&self, what: &str, limit: Duration, arguments: &[&str]) -> Result<String, Trouble> {
        let mut command: Vec<String> = Vec::new();
        if !self.unset.is_empty() {
            command.push("env".to_owned());
            command.extend(self.unset.iter().flat_map(|name| ["-u".to_owned(), (*name).to_owned()]));
        }
        command.push("etcdctl".to_owned());
        command.extend(self.options.iter().cloned());
        // Each etcdctl opens a connection and logs in anew, with a call or before it.
        let logging_in = if self.has_user() { AUTHENTICATE } else { Duration::ZERO };
        let (call, dial) = (limit + logging_in, OPEN + logging_in);
        command.extend([
            format!("--command-timeout={}s", call.as_secs().max(1)),
            format!("--dial-timeout={}s", dial.as_secs()),
        ]);
        command.extend(self.user.as_ref().map(|user| format!("--user={}", user.name)));
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let typed = self.user.as_ref().map(|user| Typed { at: QUESTION, text: user.password.exposed() });
        let ended = exec(&self.pods, (&self.pod, &self.container), &command, typed, dial + call + STARTING).await?;
        if ended.code == 0 {
            return Ok(ended.stdout);
        }
        let said = complaint(&ended.stdout, &ended.stderr);
        let kind = if said.contains("context deadline exceeded") { TroubleKind::Lost } else { kind_of(&said) };
        Err(Trouble::new(kind, format!("cannot {what}: {said}")))
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, limit: Duration, arguments: &[&str]) -> Result<T, Trouble> {
        // Only where there is something to read: of some changes etcdctl 3.4 has no JSON, and dies of it.
        let printed = self.run(what, limit, &[&["--write-out=json"], arguments].concat()).await?;
        // A terminal may have added something before.
        let from = printed.find(['{', '[']).unwrap_or_default();
        serde_json::from_str(printed[from..].trim()).map_err(|error| {
            Trouble::new(TroubleKind::Refused, format!("cannot {what}: etcdctl printed something unknown: {error}"))
                .advise("this etcdctl is not one that etcd-scale knows; use --via port-forward")
        })
    }

    pub(super) async fn status(&self, limit: Duration) -> Result<MemberStatus, Trouble> {
        let [status]: [EndpointStatus; 1] =
            self.ask("read the member's status", limit, &["endpoint", "status"]).await?;
        Ok(status.status())
    }

    /// A linearizable read. The revision that a quorum has committed; none where the key may not be read, which proves
    /// all the same that a quorum answered.
    pub(super) async fn read(&self, key: &str, limit: Duration) -> Result<Option<i64>, Trouble> {
        match self.ask("read with a quorum", limit, &["get", key]).await {
            Ok(Answered { header }) => Ok(i64::try_from(header.revision).ok()),
            Err(trouble) if says_denied(&trouble.message) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// The member list, and which member gave it.
    pub(super) async fn members(&self, limit: Duration) -> Result<(Members, MemberId), Trouble> {
        let list: MemberList = self.ask("read the member list", limit, &["member", "list"]).await?;
        let Header { cluster_id, member_id, .. } = list.header;
        let members = Members { cluster: ClusterId(cluster_id), by_quorum: false, list: list.members() };
        Ok((members, MemberId(member_id)))
    }

    pub(super) async fn alarms(&self, limit: Duration) -> Result<Vec<Alarm>, Trouble> {
        let list: AlarmList = self.ask("read the alarms", limit, &["alarm", "list"]).await?;
        Ok(list.alarms())
    }

    /// The hash at a revision, and whose it is.
    pub(super) async fn hash(&self, revision: i64, limit: Duration) -> Result<(Hash, MemberId), Trouble> {
        let began = Instant::now();
        let rev = format!("--rev={revision}");
        let [hash]: [EndpointHash; 1] = self.ask("hash the keys", limit, &["endpoint", "hashkv", &rev]).await?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((hash.hash(took_ms), hash.member()))
    }

    /// A call that only root may make, and that changes nothing.
    pub(super) async fn list_users(&self, limit: Duration) -> Result<(), Trouble> {
        self.run("list the users", limit, &["user", "list"]).await.map(|_| ())
    }

    pub(super) async fn add_learner(&self, name: &str, peer_url: &str, limit: Duration) -> Result<(), Trouble> {
        let urls = format!("--peer-urls={peer_url}");
        self.run("add the member", limit, &["member", "add", name, "--learner", &urls]).await.map(|_| ())
    }

    pub(super) async fn promote(&self, member: MemberId, limit: Duration) -> Result<(), Trouble> {
        self.run("promote the member", limit, &["member", "promote", &member.to_string()]).await.map(|_| ())
    }

    pub(super) async fn remove_member(&self, member: MemberId, limit: Duration) -> Result<(), Trouble> {
        self.run("remove the member", limit, &["member", "remove", &member.to_string()]).await.map(|_| ())
    }

    pub(super) async fn move_leader(&self, to: MemberId, limit: Duration) -> Result<(), Trouble> {
        self.run("move leadership", limit, &["move-leader", &to.to_string()]).await.map(|_| ())
    }
}
