//! A member's gRPC answers as the model's.

use std::time::{Duration, Instant};

use etcd_client::{AlarmAction, AlarmType, Client, MemberAddOptions, ResponseHeader};

use super::errors::{call, is_denied};
use crate::model::{Alarm, ClusterId, Hash, Known, Member, MemberId, MemberStatus, Members};
use crate::runbook::{Trouble, TroubleKind};

pub(super) async fn status(client: &Client, limit: Duration) -> Result<MemberStatus, Trouble> {
    let mut client = client.clone();
    let answer = call("read the member's status", limit, client.status()).await?;
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

/// A linearizable read. The revision that a quorum has committed; none where the key may not be read, which proves all
/// the same that a quorum answered.
pub(super) async fn read(client: &Client, key: &str, limit: Duration) -> Result<Option<i64>, Trouble> {
    let mut client = client.clone();
    let read = async {
        match client.get(key, None).await {
            Err(error) if is_denied(&error) => Ok(None),
            other => other.map(Some),
        }
    };
    let answer = call("read with a quorum", limit, read).await?;
    Ok(answer.as_ref().and_then(etcd_client::GetResponse::header).map(ResponseHeader::revision))
}

/// The member's own copy of the member list, and which member gave it.
pub(super) async fn members(client: &Client, limit: Duration) -> Result<(Members, MemberId), Trouble> {
    let mut client = client.clone();
    let answer = call("read the member list", limit, client.member_list()).await?;
    let header = answer.header();
    let list = answer.members().iter().map(|member| Member {
        id: MemberId(member.id()),
        name: member.name().to_owned(),
        peer_urls: member.peer_urls().to_vec(),
        client_urls: member.client_urls().to_vec(),
        learner: member.is_learner(),
    });
    let cluster = ClusterId(header.map(ResponseHeader::cluster_id).unwrap_or_default());
    let asked = MemberId(header.map(ResponseHeader::member_id).unwrap_or_default());
    Ok((Members { cluster, by_quorum: false, list: list.collect() }, asked))
}

pub(super) async fn alarms(client: &Client, limit: Duration) -> Result<Vec<Alarm>, Trouble> {
    let mut client = client.clone();
    let answer = call("read the alarms", limit, client.alarm(AlarmAction::Get, AlarmType::None, None)).await?;
    let alarm = |alarm: &etcd_client::AlarmMember| Alarm {
        member: MemberId(alarm.member_id()),
        kind: match alarm.alarm() {
            AlarmType::Nospace => "NOSPACE".to_owned(),
            AlarmType::Corrupt => "CORRUPT".to_owned(),
            AlarmType::None => "NONE".to_owned(),
        },
    };
    Ok(answer.alarms().iter().map(alarm).collect())
}

/// The hash at a revision, and whose it is.
pub(super) async fn hash(client: &Client, revision: i64, limit: Duration) -> Result<(Hash, MemberId), Trouble> {
    let mut client = client.clone();
    let began = Instant::now();
    let answer = call("hash the keys", limit, client.hash_kv(revision)).await?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let member = MemberId(answer.header().map(ResponseHeader::member_id).unwrap_or_default());
    Ok((Hash { hash: answer.hash(), compact_revision: answer.compact_version(), took_ms }, member))
}

/// A call that only root may make, and that changes nothing.
pub(super) async fn list_users(client: &Client, limit: Duration) -> Result<(), Trouble> {
    let mut client = client.clone();
    call("list the users", limit, client.user_list()).await.map(|_| ())
}

pub(super) async fn add_learner(client: &Client, peer_url: &str, limit: Duration) -> Result<(), Trouble> {
    let mut client = client.clone();
    let options = MemberAddOptions::new().with_is_learner();
    call("add the member", limit, client.member_add([peer_url], Some(options))).await.map(|_| ())
}

pub(super) async fn promote(client: &Client, member: MemberId, limit: Duration) -> Result<(), Trouble> {
    let mut client = client.clone();
    call("promote the member", limit, client.member_promote(member.0)).await.map(|_| ())
}

pub(super) async fn remove_member(client: &Client, member: MemberId, limit: Duration) -> Result<(), Trouble> {
    let mut client = client.clone();
    call("remove the member", limit, client.member_remove(member.0)).await.map(|_| ())
}

pub(super) async fn move_leader(client: &Client, to: MemberId, limit: Duration) -> Result<(), Trouble> {
    let mut client = client.clone();
    call("move leadership", limit, client.move_leader(to.0)).await.map(|_| ())
}
