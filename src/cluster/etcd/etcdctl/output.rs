//! What `etcdctl -w json` prints. The shapes of 3.4 to 3.6 differ in which fields there are; ids are decimal in all.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::{Alarm, ClusterId, Hash, Known, Member, MemberId, MemberStatus};

/// The header of every answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(alias = "clusterId", deserialize_with = "number")]
    pub(super) cluster_id: u64,
    #[serde(alias = "memberId", deserialize_with = "number")]
    pub(super) member_id: u64,
    #[serde(deserialize_with = "number")]
    pub(super) revision: u64,
}

/// An answer of which only the header matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answered {
    pub(super) header: Header,
}

/// `member list`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemberList {
    pub(super) header: Header,
    members: Vec<Listed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    #[serde(rename = "ID", alias = "id", deserialize_with = "number")]
    id: u64,
    name: String,
    #[serde(rename = "peerURLs")]
    peer_urls: Vec<String>,
    #[serde(rename = "clientURLs")]
    client_urls: Vec<String>,
    #[serde(rename = "isLearner")]
    learner: bool,
}

impl MemberList {
    pub(super) fn members(self) -> Vec<Member> {
        self.members
            .into_iter()
            .map(|listed| Member {
                id: MemberId(listed.id),
                name: listed.name,
                peer_urls: listed.peer_urls,
                client_urls: listed.client_urls,
                learner: listed.learner,
            })
            .collect()
    }
}

/// One element of `endpoint status`
#[derive(Debug, Deserialize)]
pub(super) struct EndpointStatus {
    #[serde(rename = "Status", alias = "status")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    header: Header,
    version: String,
    #[serde(rename = "dbSize", deserialize_with = "number")]
    db_size: u64,
    #[serde(rename = "dbSizeQuota", deserialize_with = "number")]
    db_quota: u64,
    #[serde(deserialize_with = "number")]
    leader: u64,
    #[serde(rename = "raftIndex", deserialize_with = "number")]
    raft_index: u64,
    #[serde(rename = "raftAppliedIndex", deserialize_with = "number")]
    raft_applied: u64,
    #[serde(rename = "raftTerm", deserialize_with = "number")]
    raft_term: u64,
    #[serde(rename = "isLearner")]
    learner: bool,
    errors: Vec<String>,
}

impl EndpointStatus {
    pub(super) fn status(self) -> MemberStatus {
        let Status { header, .. } = self.status;
        MemberStatus {
            member: MemberId(header.member_id),
            cluster: ClusterId(header.cluster_id),
            version: self.status.version,
            db_size: self.status.db_size,
            db_quota: Some(self.status.db_quota).filter(|quota| *quota > 0),
            leader: Some(MemberId(self.status.leader)).filter(|leader| leader.0 != 0),
            raft_index: self.status.raft_index,
            raft_applied: self.status.raft_applied,
            raft_term: self.status.raft_term,
            revision: i64::try_from(header.revision).unwrap_or_default(),
            learner: self.status.learner,
            errors: self.status.errors,
            healthy: Known::Unknown("not asked".to_owned()),
        }
    }
}

/// `alarm list`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlarmList {
    alarms: Vec<Raised>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raised {
    #[serde(rename = "memberID", deserialize_with = "number")]
    member: u64,
    alarm: Value,
}

impl AlarmList {
    pub(super) fn alarms(self) -> Vec<Alarm> {
        let kind = |alarm: &Value| match (alarm.as_u64(), alarm.as_str()) {
            (Some(1), _) => "NOSPACE".to_owned(),
            (Some(2), _) => "CORRUPT".to_owned(),
            (_, Some(name)) => name.to_owned(),
            _ => "NONE".to_owned(),
        };
        self.alarms.iter().map(|raised| Alarm { member: MemberId(raised.member), kind: kind(&raised.alarm) }).collect()
    }
}

/// One element of `endpoint hashkv`
#[derive(Debug, Deserialize)]
pub(super) struct EndpointHash {
    #[serde(rename = "HashKV", alias = "hashKV")]
    hash: HashKv,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HashKv {
    header: Header,
    hash: u32,
    #[serde(deserialize_with = "number")]
    compact_revision: u64,
}

impl EndpointHash {
    pub(super) fn member(&self) -> MemberId {
        MemberId(self.hash.header.member_id)
    }

    pub(super) fn hash(&self, took_ms: u64) -> Hash {
        let compact_revision = i64::try_from(self.hash.compact_revision).unwrap_or_default();
        Hash { hash: self.hash.hash, compact_revision, took_ms }
    }
}

/// A number, which protobuf's own JSON writes as a string where it has 64 bits. 2^64 - 1 stands for "none" nowhere.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Number(number) if number.is_i64() && number.as_u64().is_none() => Ok(0),
        Value::Number(number) => number.as_u64().ok_or_else(|| serde::de::Error::custom("a number that is no count")),
        Value::String(text) => text.parse().map_err(serde::de::Error::custom),
        other => Err(serde::de::Error::custom(format!("{other} is no number"))),
    }
}

/// What etcdctl complained of, without its log lines.
pub(super) fn complaint(stdout: &str, stderr: &str) -> String {
    let lines = || stderr.lines().chain(stdout.lines()).map(str::trim).filter(|line| !line.is_empty());
    let said = lines().rev().find_map(|line| line.strip_prefix("Error: ").or_else(|| line.strip_prefix("panic: ")));
    let failed = || lines().rev().find(|line| line.starts_with("Failed to "));
    let plain = || lines().rev().find(|line| !line.starts_with('{'));
    let text = said.or_else(failed).or_else(plain).or_else(|| lines().next_back()).unwrap_or("it said nothing");
    text.trim_start_matches("rpc error: ").to_owned()
}

/// Reads a text as each of these answers.
#[cfg(fuzzing)]
pub(in crate::cluster::etcd) fn fuzz(text: &str) {
    use serde_json::from_str;
    let _ = from_str::<Answered>(text).map(|answered| answered.header);
    let _ = from_str::<MemberList>(text).map(MemberList::members);
    let _ = from_str::<EndpointStatus>(text).map(EndpointStatus::status);
    let _ = from_str::<AlarmList>(text).map(AlarmList::alarms);
    let _ = from_str::<EndpointHash>(text).map(|hash| (hash.member(), hash.hash(1)));
    assert!(!complaint(text, text).is_empty());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::mangled::mangling;

    #[test]
    fn lists_of_3_4_and_of_later_ones_are_read() {
        let list = r#"{"header":{"cluster_id":17237436991929493444,"member_id":9372538179322589801,"raft_term":2},
            "members":[{"ID":9372538179322589801,"name":"etcd-0","peerURLs":["http://etcd-0:2380"],"clientURLs":["http://etcd-0:2379"]},
            {"ID":10501334649042878790,"name":"","peerURLs":["http://etcd-1:2380"],"isLearner":true}]}"#;
        let list: MemberList = serde_json::from_str(list).unwrap();
        assert_eq!(list.header.cluster_id, 17_237_436_991_929_493_444);
        let members = list.members();
        assert!(!members[0].learner && members[1].learner && members[1].client_urls.is_empty());
        let strings = r#"{"header":{"memberId":"5"},"members":[{"ID":"7","name":"a"}]}"#;
        let list: MemberList = serde_json::from_str(strings).unwrap();
        assert_eq!((list.header.member_id, list.members()[0].id), (5, MemberId(7)));
    }

    #[test]
    fn a_status_is_read() {
        let text = r#"[{"Endpoint":"127.0.0.1:2379","Status":{"header":{"cluster_id":1,"member_id":2,"revision":9,"raft_term":3},
            "version":"3.5.16","dbSize":20480,"leader":2,"raftIndex":10,"raftTerm":3,"raftAppliedIndex":10,"dbSizeInUse":16384,
            "errors":["memberID:2 alarm:NOSPACE "]}}]"#;
        let [status] = serde_json::from_str::<[EndpointStatus; 1]>(text).unwrap();
        let status = status.status();
        assert_eq!((status.revision, status.raft_applied, status.leader), (9, 10, Some(MemberId(2))));
        assert_eq!(status.errors.len(), 1);
    }

    #[test]
    fn alarms_and_hashes_are_read() {
        let list: AlarmList = serde_json::from_str(r#"{"header":{},"alarms":[{"memberID":2,"alarm":1}]}"#).unwrap();
        assert_eq!(list.alarms(), [Alarm { member: MemberId(2), kind: "NOSPACE".into() }]);
        let text = r#"[{"Endpoint":"x","HashKV":{"header":{"member_id":2},"hash":4042,"compact_revision":-1}}]"#;
        let [hash] = serde_json::from_str::<[EndpointHash; 1]>(text).unwrap();
        assert_eq!((hash.member(), hash.hash(1).hash), (MemberId(2), 4042));
    }

    #[test]
    fn a_complaint_is_found_among_log_lines() {
        let stderr = "{\"level\":\"warn\",\"error\":\"rpc error\"}\nError: etcdserver: unhealthy cluster\n";
        assert_eq!(complaint("", stderr), "etcdserver: unhealthy cluster");
        let failed = "Failed to get the status of endpoint a:2379 (context deadline exceeded)\n";
        assert_eq!(complaint("", failed), failed.trim());
        assert_eq!(complaint("", ""), "it said nothing");
    }

    /// Answers of all kinds, as one.
    fn answers() -> Value {
        serde_json::json!({
            "header": {"cluster_id": 17_237_436_991_929_493_444_u64, "member_id": "5", "revision": 9, "raft_term": 3},
            "members": [{"ID": 7, "name": "a", "peerURLs": ["http://a:2380"], "clientURLs": [], "isLearner": true}],
            "Status": {"header": {"member_id": 2}, "version": "3.5.16", "dbSize": 20480, "leader": 2, "raftIndex": 10,
                "raftTerm": 3, "raftAppliedIndex": 10, "errors": ["memberID:2 alarm:NOSPACE "]},
            "alarms": [{"memberID": 2, "alarm": 1}],
            "HashKV": {"header": {"member_id": 2}, "hash": 4042, "compact_revision": -1},
        })
    }

    proptest! {
        #[test]
        fn whatever_it_prints_is_survived(mangling in mangling(), text in "\\PC*|(\n|Error: |\\{|Failed to |[ -~]){0,20}") {
            let printed = mangling.of(&answers()).to_string();
            for printed in [&printed, &text] {
                let _ = serde_json::from_str::<Answered>(printed).map(|answered| answered.header);
                let _ = serde_json::from_str::<MemberList>(printed).map(MemberList::members);
                let _ = serde_json::from_str::<EndpointStatus>(printed).map(EndpointStatus::status);
                let _ = serde_json::from_str::<AlarmList>(printed).map(AlarmList::alarms);
                let _ = serde_json::from_str::<EndpointHash>(printed).map(|hash| (hash.member(), hash.hash(1)));
            }
            prop_assert!(!complaint(&text, &printed).is_empty());
        }
    }
}
