//! Reading etcd: each member's Status, the member list behind a quorum, the alarms, and key-value hashes.

use std::time::{Duration, Instant};

use super::access::Access;
use super::certificate;
use super::client::{Etcd, Found};
use super::errors::{is_learners, says_denied};
use crate::cluster::k8s::Kubernetes;
use crate::model::{
    Alarm, CertSource, Certificate, Container, Hash, Known, MemberId, MemberStatus, Members, Observation, Pod,
    Privileges, clients_to_ask,
};
use crate::runbook::{Depth, Trouble, TroubleKind};

/// How long a member may take to answer a small question. A frozen one costs an observation twice as much: its client is
/// made anew once, in case it was the tunnel.
const SMALL: Duration = Duration::from_secs(2);

/// How long a hash may take: 7 s were seen at 610 MB.
const HASH: Duration = Duration::from_secs(300);

/// How long the alarms are kept while members are asked again and again: etcd answers even their reading through its
/// log, which would keep a learner from ever having everything.
const ALARMS_KEPT: Duration = Duration::from_secs(2);

/// The key of the linearizable read; it need not exist, as with `etcdctl endpoint health`.
const HEALTH_KEY: &str = "health";

impl Etcd {
    /// Reads what etcd says into an observation that has the pods.
    pub(in crate::cluster) async fn read(
        &mut self,
        kubernetes: &Kubernetes,
        observation: &mut Observation,
        depth: Depth,
    ) {
        observation.statuses.clear();
        observation.members = Known::Unknown("no voter answers".to_owned());
        observation.alarms = Known::Unknown("no voter answers".to_owned());
        let Some(container) = observation.statefulset.template.etcd().map(|(_, container)| container.clone()) else {
            observation.members = Known::Unknown("no container runs etcd".to_owned());
            return;
        };
        self.retain(&observation.pods);
        if let Err(trouble) = self.find_way(kubernetes, observation).await {
            let advice = trouble.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
            observation.members = Known::Unknown(format!("{}{advice}", trouble.message));
            return;
        }
        if let Some(way) = &self.way {
            observation.via = way.via;
        }
        let running: Vec<Pod> = observation
            .pods
            .iter()
            .filter(|pod| pod.container(&container.name).is_some_and(|state| state.running))
            .cloned()
            .collect();
        self.ask(&running, &container, observation).await;
        let kept = self.alarms.clone().filter(|(_, at)| depth == Depth::Members && at.elapsed() < ALARMS_KEPT);
        let alarms = kept.map(|(alarms, _)| alarms);
        self.read_cluster(observation, alarms).await;
        // Before a member's own word was known its certificate was checked for other names.
        let others = self.advertise(observation);
        for pod in &others {
            self.forget(pod);
        }
        self.ask(&others, &container, observation).await;
    }

    /// Asks the members in pods for their status.
    async fn ask(&mut self, pods: &[Pod], container: &Container, observation: &mut Observation) {
        let seen = &*observation;
        let answers = futures::future::join_all(pods.iter().map(|pod| self.member(pod, container, seen))).await;
        for (pod, answer) in pods.iter().zip(answers) {
            match answer {
                Ok((status, found)) => {
                    self.keep(pod, found);
                    observation.statuses.insert(pod.name.clone(), Known::Known(status));
                }
                Err(trouble) => {
                    self.forget(pod);
                    observation.statuses.insert(pod.name.clone(), Known::Unknown(trouble.message));
                }
            }
        }
    }

    /// Status of the member in a pod, and whether it serves reads.
    async fn member(
        &self,
        pod: &Pod,
        container: &Container,
        observation: &Observation,
    ) -> Result<(MemberStatus, Found), Trouble> {
        if let Some(found) = self.found(pod)
            && let Ok(status) = found.access.status(SMALL).await
            && (status.learner || found.access.has_user() || !self.gives_user(container))
        {
            return Ok((with_health(status, &found.access).await, found));
        }
        let mut last = Trouble::new(TroubleKind::Lost, "no port to ask");
        for way in self.candidates(observation, container, pod) {
            let answer = async {
                let mut found = self.dial(container, pod, &way).await?;
                let mut status = found.access.status(SMALL).await;
                if let Err(trouble) = &status
                    && is_learners(trouble)
                    && let Some(access) = found.access.without_user()
                {
                    found.access = access;
                    status = found.access.status(SMALL).await;
                }
                Ok::<_, Trouble>((status?, found))
            };
            match Box::pin(answer).await {
                Ok((status, found)) => return Ok((with_health(status, &found.access).await, found)),
                // A member that says no says so at every door.
                Err(trouble) if trouble.kind == TroubleKind::Refused => return Err(trouble),
                Err(trouble) => last = trouble,
            }
        }
        Err(last)
    }

    /// Member list and alarms, from the first voter that can give them.
    async fn read_cluster(&mut self, observation: &mut Observation, kept: Option<Vec<Alarm>>) {
        if let Some(why) = observation.statuses.values().find_map(Known::reason) {
            observation.members = Known::Unknown(format!("no voter answers: {why}"));
        }
        let candidates = clients_to_ask(observation);
        let asked: Vec<(Access, bool, MemberId)> = candidates
            .iter()
            .filter_map(|name| {
                let pod = observation.pods.iter().find(|pod| pod.name == *name)?;
                let status = observation.status_of_pod(name)?;
                Some((self.known(pod)?, status.healthy.known().is_some(), status.member))
            })
            .collect();
        // First those that have just served a linearizable read: what they list is no older than that read.
        for (access, healthy, member) in asked.iter().filter(|one| one.1).chain(asked.iter().filter(|one| !one.1)) {
            let ask_alarms = async {
                match &kept {
                    Some(kept) => Ok(kept.clone()),
                    None => access.alarms(SMALL).await,
                }
            };
            let (members, alarms) = tokio::join!(members(access, *healthy, *member), ask_alarms);
            match members {
                Ok(members) => {
                    observation.members = Known::Known(members);
                    if let (Ok(alarms), None) = (&alarms, &kept) {
                        self.alarms = Some((alarms.clone(), Instant::now()));
                    }
                    observation.alarms = alarms.into();
                    return;
                }
                Err(trouble) => observation.members = Known::Unknown(trouble.message),
            }
        }
    }

    /// The hash of all keys of one member at one revision.
    pub(in crate::cluster) async fn hash(&self, pod: &Pod, member: MemberId, revision: i64) -> Known<Hash> {
        let Some(access) = self.known(pod) else {
            return Known::Unknown(format!("{} does not answer", pod.name));
        };
        match access.hash(revision, HASH).await {
            Ok((hash, answered)) if answered == member => Known::Known(hash),
            Ok(_) => Known::Unknown("another member answered".to_owned()),
            Err(trouble) => Known::Unknown(trouble.message),
        }
    }

    /// What a certificate of the members says.
    pub(in crate::cluster) async fn certificate(
        &self,
        kubernetes: &Kubernetes,
        source: &CertSource,
        host: Option<&str>,
    ) -> Known<Certificate> {
        match kubernetes.file(source).await {
            Ok(pem) => certificate::read(&pem, host, jiff::Timestamp::now()).into(),
            Err(trouble) => Known::Unknown(trouble.message),
        }
    }

    /// Whether etcd lets this run do what only root may, going by a call that changes nothing.
    pub(in crate::cluster) async fn privileges(&self, observation: &Observation) -> Known<Privileges> {
        let voters = clients_to_ask(observation);
        let pods = voters.iter().filter_map(|name| observation.pods.iter().find(|pod| pod.name == *name));
        let Some(access) = pods.into_iter().find_map(|pod| self.known(pod)) else {
            return Known::Unknown("no voter answers".to_owned());
        };
        match access.list_users(SMALL).await {
            Ok(()) => Known::Known(Privileges::All),
            Err(trouble) if says_denied(&trouble.message) => Known::Known(Privileges::Denied(trouble.message)),
            Err(trouble) => Known::Unknown(trouble.message),
        }
    }
}

/// Adds whether the member serves a linearizable read, which it cannot without a quorum. A learner is not asked: it
/// refuses, and 3.4 and 3.5 say `Unavailable` to it.
async fn with_health(mut status: MemberStatus, access: &Access) -> MemberStatus {
    if status.learner {
        status.healthy = Known::Unknown("a learner serves no linearizable reads".to_owned());
        return status;
    }
    status.healthy = match access.read(HEALTH_KEY, SMALL).await {
        // The header's revision is what a quorum has committed; Status shows what this member had applied before.
        Ok(revision) => {
            status.revision = status.revision.max(revision.unwrap_or_default());
            Known::Known(())
        }
        Err(trouble) => Known::Unknown(trouble.message),
    };
    status
}

/// The member list of one member. Its own answer is a local read (and 3.4 knows no other), so it counts as a quorum's only
/// where the same member has just served a linearizable read.
async fn members(access: &Access, healthy: bool, asked: MemberId) -> Result<Members, Trouble> {
    let (mut members, answered) = access.members(SMALL).await?;
    members.by_quorum = healthy && answered == asked;
    Ok(members)
}
