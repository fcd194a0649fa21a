//! Reading etcd: each member's Status, the member list behind a quorum, the alarms, and key-value hashes.

use std::time::{Duration, Instant};

use etcd_client::{AlarmAction, AlarmType, Client};

use super::client::Etcd;
use super::errors::{call, is_denied};
use crate::model::{
    Alarm, ClusterId, Hash, Known, Member, MemberId, MemberStatus, Members, Observation, Pod, client_ports,
    clients_to_ask,
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
    pub(in crate::cluster) async fn read(&mut self, observation: &mut Observation, depth: Depth) {
        observation.statuses.clear();
        let template = &observation.statefulset.template;
        let Some((_, container)) = template.etcd() else {
            let reason = "no container runs etcd".to_owned();
            observation.members = Known::Unknown(reason.clone());
            observation.alarms = Known::Unknown(reason);
            return;
        };
        self.retain(&observation.pods);
        let ports = client_ports(container);
        let running: Vec<Pod> = observation
            .pods
            .iter()
            .filter(|pod| pod.container(&container.name).is_some_and(|state| state.running))
            .cloned()
            .collect();
        let asked = running.iter().map(|pod| self.member(pod, &ports));
        let answers = futures::future::join_all(asked).await;
        for (pod, answer) in running.iter().zip(answers) {
            match answer {
                Ok((status, client)) => {
                    self.keep(pod, client);
                    observation.statuses.insert(pod.name.clone(), Known::Known(status));
                }
                Err(trouble) => {
                    self.forget(pod);
                    observation.statuses.insert(pod.name.clone(), Known::Unknown(trouble.message));
                }
            }
        }
        let kept = self.alarms.clone().filter(|(_, at)| depth == Depth::Members && at.elapsed() < ALARMS_KEPT);
        let alarms = kept.map(|(alarms, _)| alarms);
        self.read_cluster(observation, alarms).await;
    }

    /// Status of the member in a pod, and whether it serves reads.
    async fn member(&self, pod: &Pod, ports: &[u16]) -> Result<(MemberStatus, Client), Trouble> {
        if let Some(client) = self.known(pod)
            && let Ok(status) = status(&client).await
        {
            return Ok((with_health(status, &client).await, client));
        }
        let mut last = Trouble::new(TroubleKind::Lost, "no port to ask");
        for port in ports {
            let client = self.dial(&pod.name, *port).await?;
            match status(&client).await {
                Ok(found) => return Ok((with_health(found, &client).await, client)),
                Err(trouble) => last = trouble,
            }
        }
        Err(last)
    }

    /// Member list and alarms, from the first voter that can give them.
    async fn read_cluster(&mut self, observation: &mut Observation, kept: Option<Vec<Alarm>>) {
        let candidates = clients_to_ask(observation);
        let clients: Vec<(Client, bool, MemberId)> = candidates
            .iter()
            .filter_map(|name| {
                let pod = observation.pods.iter().find(|pod| pod.name == *name)?;
                let status = observation.status_of_pod(name)?;
                Some((self.known(pod)?, status.healthy.known().is_some(), status.member))
            })
            .collect();
        observation.members = Known::Unknown("no voter answers".to_owned());
        observation.alarms = Known::Unknown("no voter answers".to_owned());
        // First those that have just served a linearizable read: what they list is no older than that read.
        for (client, healthy, member) in clients.iter().filter(|c| c.1).chain(clients.iter().filter(|c| !c.1)) {
            let ask_alarms = async {
                match &kept {
                    Some(kept) => Ok(kept.clone()),
                    None => alarms(client).await,
                }
            };
            let (members, alarms) = tokio::join!(members(client, *healthy, *member), ask_alarms);
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
        let Some(mut client) = self.known(pod) else {
            return Known::Unknown(format!("{} does not answer", pod.name));
        };
        let began = Instant::now();
        let answer = call("hash the keys", HASH, client.hash_kv(revision)).await;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match answer {
            Ok(answer) if answer.header().map(etcd_client::ResponseHeader::member_id) == Some(member.0) => {
                Known::Known(Hash { hash: answer.hash(), compact_revision: answer.compact_version(), took_ms })
            }
            Ok(_) => Known::Unknown("another member answered".to_owned()),
            Err(trouble) => Known::Unknown(trouble.message),
        }
    }
}

async fn status(client: &Client) -> Result<MemberStatus, Trouble> {
    let mut client = client.clone();
    let answer = call("read the member's status", SMALL, client.status()).await?;
    let header = answer.header().ok_or_else(|| {
        Trouble::new(TroubleKind::Refused, "cannot read the member's status: the answer has no header")
    })?;
    Ok(MemberStatus {
        member: MemberId(header.member_id()),
        cluster: ClusterId(header.cluster_id()),
        version: answer.version().to_owned(),
        db_size: u64::try_from(answer.db_size()).unwrap_or_default(),
        db_quota: u64::try_from(answer.db_size_quota()).ok().filter(|quota| *quota > 0),
        leader: Some(MemberId(answer.leader())).filter(|leader| leader.0 != 0),
        raft_index: answer.raft_index(),
        raft_applied: answer.raft_applied_index(),
        raft_term: answer.raft_term(),
        revision: header.revision(),
        learner: answer.is_learner(),
        errors: answer.errors().to_vec(),
        healthy: Known::Unknown("not asked".to_owned()),
    })
}

/// Adds whether the member serves a linearizable read, which it cannot without a quorum. A learner is not asked: it
/// refuses, and 3.4 and 3.5 say `Unavailable` to it.
async fn with_health(mut status: MemberStatus, client: &Client) -> MemberStatus {
    if status.learner {
        status.healthy = Known::Unknown("a learner serves no linearizable reads".to_owned());
        return status;
    }
    let mut client = client.clone();
    let read = async {
        match client.get(HEALTH_KEY, None).await {
            Err(error) if is_denied(&error) => Ok(None),
            other => other.map(Some),
        }
    };
    status.healthy = match call("read with a quorum", SMALL, read).await {
        // The header's revision is what a quorum has committed; Status shows what this member had applied before.
        Ok(answer) => {
            if let Some(header) = answer.as_ref().and_then(etcd_client::GetResponse::header) {
                status.revision = status.revision.max(header.revision());
            }
            Known::Known(())
        }
        Err(trouble) => Known::Unknown(trouble.message),
    };
    status
}

/// The member list of the member behind a client. Its own answer is a local read (and 3.4 knows no other), so it counts
/// as a quorum's only where the same member has just served a linearizable read.
async fn members(client: &Client, healthy: bool, asked: MemberId) -> Result<Members, Trouble> {
    let mut client = client.clone();
    let answer = call("read the member list", SMALL, client.member_list()).await?;
    let header = answer.header();
    let same = header.map(etcd_client::ResponseHeader::member_id) == Some(asked.0);
    Ok(Members {
        cluster: ClusterId(header.map(etcd_client::ResponseHeader::cluster_id).unwrap_or_default()),
        by_quorum: healthy && same,
        list: answer
            .members()
            .iter()
            .map(|member| Member {
                id: MemberId(member.id()),
                name: member.name().to_owned(),
                peer_urls: member.peer_urls().to_vec(),
                client_urls: member.client_urls().to_vec(),
                learner: member.is_learner(),
            })
            .collect(),
    })
}

async fn alarms(client: &Client) -> Result<Vec<Alarm>, Trouble> {
    let mut client = client.clone();
    let call = call("read the alarms", SMALL, client.alarm(AlarmAction::Get, AlarmType::None, None));
    let answer = call.await?;
    Ok(answer
        .alarms()
        .iter()
        .map(|alarm| Alarm {
            member: MemberId(alarm.member_id()),
            kind: match alarm.alarm() {
                AlarmType::Nospace => "NOSPACE".to_owned(),
                AlarmType::Corrupt => "CORRUPT".to_owned(),
                AlarmType::None => "NONE".to_owned(),
            },
        })
        .collect())
}
