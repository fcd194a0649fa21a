//! One member as it is asked: over gRPC, or by `etcdctl` in its own pod.

use std::time::Duration;

use etcd_client::Client;

use super::etcdctl::Etcdctl;
use super::grpc;
use crate::model::{Alarm, Hash, MemberId, MemberStatus, Members};
use crate::runbook::{Trouble, TroubleKind};

/// The way to one member.
#[derive(Clone)]
pub(super) enum Access {
    /// gRPC.
    Grpc {
        client: Box<Client>,
        /// Whether the client gave a user and a password; a learner takes none.
        authenticated: bool,
    },
    /// `etcdctl` in the pod.
    Etcdctl(Box<Etcdctl>),
}

impl Access {
    pub(super) async fn status(&self, limit: Duration) -> Result<MemberStatus, Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::status(client, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.status(limit).await,
        }
    }

    /// A linearizable read; see [`grpc::read`].
    pub(super) async fn read(&self, key: &str, limit: Duration) -> Result<Option<i64>, Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::read(client, key, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.read(key, limit).await,
        }
    }

    /// The member's own copy of the member list, and which member gave it.
    pub(super) async fn members(&self, limit: Duration) -> Result<(Members, MemberId), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::members(client, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.members(limit).await,
        }
    }

    pub(super) async fn alarms(&self, limit: Duration) -> Result<Vec<Alarm>, Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::alarms(client, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.alarms(limit).await,
        }
    }

    /// The hash at a revision, and whose it is.
    pub(super) async fn hash(&self, revision: i64, limit: Duration) -> Result<(Hash, MemberId), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::hash(client, revision, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.hash(revision, limit).await,
        }
    }

    /// A call that only root may make, and that changes nothing.
    pub(super) async fn list_users(&self, limit: Duration) -> Result<(), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::list_users(client, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.list_users(limit).await,
        }
    }

    pub(super) async fn add_learner(&self, name: &str, peer_url: &str, limit: Duration) -> Result<(), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::add_learner(client, peer_url, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.add_learner(name, peer_url, limit).await,
        }
    }

    pub(super) async fn promote(&self, member: MemberId, limit: Duration) -> Result<(), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::promote(client, member, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.promote(member, limit).await,
        }
    }

    pub(super) async fn remove_member(&self, member: MemberId, limit: Duration) -> Result<(), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::remove_member(client, member, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.remove_member(member, limit).await,
        }
    }

    pub(super) async fn move_leader(&self, to: MemberId, limit: Duration) -> Result<(), Trouble> {
        match self {
            Self::Grpc { client, .. } => grpc::move_leader(client, to, limit).await,
            Self::Etcdctl(etcdctl) => etcdctl.move_leader(to, limit).await,
        }
    }

    /// The same without a user, where it has one; a learner takes none.
    pub(super) fn without_user(&self) -> Option<Self> {
        match self {
            Self::Etcdctl(etcdctl) => etcdctl.has_user().then(|| Self::Etcdctl(Box::new(etcdctl.without_user()))),
            Self::Grpc { .. } => None,
        }
    }

    /// Whether it gives a user.
    pub(super) fn has_user(&self) -> bool {
        match self {
            Self::Grpc { authenticated, .. } => *authenticated,
            Self::Etcdctl(etcdctl) => etcdctl.has_user(),
        }
    }

    /// The client, for what has to be streamed.
    ///
    /// # Errors
    /// Through etcdctl nothing can be.
    pub(super) fn streaming(&self) -> Result<Client, Trouble> {
        match self {
            Self::Grpc { client, .. } => Ok(client.as_ref().clone()),
            Self::Etcdctl(_) => Err(Trouble::new(TroubleKind::Refused, "through exec nothing can be streamed")
                .advise("use --via port-forward or --via direct")),
        }
    }
}
