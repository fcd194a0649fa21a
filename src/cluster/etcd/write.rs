//! Changing etcd: members added, promoted and removed, leadership moved. Each call goes to the member that decides first.

use std::time::Duration;

use super::access::Access;
use super::client::Etcd;
use crate::model::{MemberId, Observation, clients_to_ask};
use crate::runbook::{Trouble, TroubleKind};

/// How long a change may take. etcd itself gives up after 7 s with its default election time-out.
const CHANGE: Duration = Duration::from_secs(10);

impl Etcd {
    /// Adds a learner, through the leader, else through the other voters in turn.
    ///
    /// etcd refuses with "unhealthy cluster" where the member that is asked has not been connected to every other for
    /// 5 s by its own account (`isConnectedFullySince`). That account can be wrong on one side for a long time after a
    /// connection was made anew, while the members at the other end know better.
    pub(in crate::cluster) async fn add_learner(
        &self,
        name: &str,
        peer_url: &str,
        seen: &Observation,
    ) -> Result<(), Trouble> {
        let mut refused = Trouble::new(TroubleKind::NotYet, "no voter answers just now");
        for pod in clients_to_ask(seen) {
            let Some(access) = seen.pods.iter().find(|candidate| candidate.name == pod).and_then(|pod| self.known(pod))
            else {
                continue;
            };
            match access.add_learner(name, peer_url, CHANGE).await {
                Ok(()) => return Ok(()),
                Err(trouble) if trouble.kind == TroubleKind::NotYet => refused = trouble,
                // Anything else may have been a yes: it is looked at before anybody else is asked.
                Err(trouble) => return Err(trouble),
            }
        }
        Err(refused)
    }

    /// Promotes a learner, through the leader itself: a follower that forwards loses the reason of a refusal, and with
    /// auth on it cannot forward at all (etcd 3.4, before 3.5.28 and 3.6.6).
    pub(in crate::cluster) async fn promote(&self, member: MemberId, seen: &Observation) -> Result<(), Trouble> {
        self.leader(seen)?.promote(member, CHANGE).await
    }

    /// Removes a member, through the leader itself.
    pub(in crate::cluster) async fn remove_member(&self, member: MemberId, seen: &Observation) -> Result<(), Trouble> {
        self.leader(seen)?.remove_member(member, CHANGE).await
    }

    /// Hands leadership over; only the leader serves this.
    pub(in crate::cluster) async fn move_leader(&self, to: MemberId, seen: &Observation) -> Result<(), Trouble> {
        self.leader(seen)?.move_leader(to, CHANGE).await
    }

    fn leader(&self, seen: &Observation) -> Result<Access, Trouble> {
        clients_to_ask(seen)
            .first()
            .filter(|name| seen.status_of_pod(name).is_some_and(crate::model::MemberStatus::leads))
            .and_then(|name| seen.pods.iter().find(|pod| pod.name == **name))
            .and_then(|pod| self.known(pod))
            .ok_or_else(|| Trouble::new(TroubleKind::NotYet, "the leader does not answer just now"))
    }
}
