//! The way to etcd: how its members are asked.

use serde::{Deserialize, Serialize};

/// How the members are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// gRPC through the Kubernetes port-forward.
    #[default]
    PortForward,
    /// `etcdctl` in each member's own pod.
    Exec,
    /// gRPC to the pods themselves, from where they can be reached.
    Direct,
}

impl Via {
    /// Whether a snapshot and pages of keys can be streamed; `etcdctl` would have to write them into the pod.
    pub fn streams(self) -> bool {
        self != Self::Exec
    }
}

impl std::fmt::Display for Via {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PortForward => "port-forward",
            Self::Exec => "exec",
            Self::Direct => "direct",
        })
    }
}
