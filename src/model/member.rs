//! Members of an etcd cluster, as its member list and each member's own Status show them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Known;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// A member's id, shown as etcdctl shows it: lower-case hexadecimal without a prefix.
    MemberId
);
hex_id!(
    /// The id that all members of one cluster share.
    ClusterId
);

/// One entry of the member list.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Assigned by etcd at `member add`; a removed id never comes back.
    pub id: MemberId,
    /// Empty until the member has started and published itself.
    pub name: String,
    /// The only key that is stable between `member add` and the member's start.
    pub peer_urls: Vec<String>,
    /// Empty until the member has started and published itself.
    pub client_urls: Vec<String>,
    /// Receives the log and does not vote.
    pub learner: bool,
}

impl Member {
    /// Whether the member has published itself since it was added.
    pub fn started(&self) -> bool {
        !self.name.is_empty()
    }

    /// Whether it has a vote and has been there to use it.
    pub fn is_started_voter(&self) -> bool {
        self.started() && !self.learner
    }

    /// How a person would call it: its name, or its peer URL while it has none.
    pub fn called(&self) -> String {
        if self.started() {
            self.name.clone()
        } else {
            self.peer_urls.first().cloned().unwrap_or_else(|| self.id.to_string())
        }
    }
}

/// The member list, and whether a quorum stood behind it.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Members {
    /// The cluster whose list this is.
    pub cluster: ClusterId,
    /// False for a list that one member gave from its own store, which may be behind.
    pub by_quorum: bool,
    /// In the order of etcd's answer.
    pub list: Vec<Member>,
}

impl Members {
    /// Members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.list.iter().filter(|member| !member.learner)
    }

    /// Members that do not vote yet.
    pub fn learners(&self) -> impl Iterator<Item = &Member> {
        self.list.iter().filter(|member| member.learner)
    }

    /// The member of that id.
    pub fn by_id(&self, id: MemberId) -> Option<&Member> {
        self.list.iter().find(|member| member.id == id)
    }

    /// The member that was added with that peer URL.
    pub fn by_peer_url(&self, url: &str) -> Option<&Member> {
        self.list.iter().find(|member| member.peer_urls.iter().any(|own| own == url))
    }
}

/// What one member's own Status said, and whether it served a linearizable read.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// The id the member gives itself.
    pub member: MemberId,
    /// The cluster the member believes to be in.
    pub cluster: ClusterId,
    /// etcd's version, such as `3.5.16`.
    pub version: String,
    /// Size of the database file, in bytes.
    pub db_size: u64,
    /// The backend quota in bytes, where the server tells it (3.6 and later).
    pub db_quota: Option<u64>,
    /// Whom the member follows; none during an election.
    pub leader: Option<MemberId>,
    /// Last index in the member's log.
    pub raft_index: u64,
    /// Last index the member has applied.
    pub raft_applied: u64,
    /// The raft term.
    pub raft_term: u64,
    /// The key-value store's revision on this member.
    pub revision: i64,
    /// Whether the member itself knows that it does not vote.
    pub learner: bool,
    /// Complaints of the server, such as `NOSPACE`.
    pub errors: Vec<String>,
    /// Whether the member served a linearizable read just now. Learners refuse those, so theirs is never asked.
    pub healthy: Known<()>,
}

impl MemberStatus {
    /// Whether the member is the leader by its own account.
    pub fn leads(&self) -> bool {
        self.leader == Some(self.member)
    }
}

/// One raised alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// The member that raised it.
    pub member: MemberId,
    /// `NOSPACE` or `CORRUPT`.
    pub kind: String,
}
