//! What a run meets at one of its changes, and how it is driven through that.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::harness::{Cluster, Ended, Program, Running, create, delete, eventually, list, try_get};

/// The name of the fault.
const FAULT: &str = "blow";

/// Trouble at a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// The run is killed before it.
    KilledBefore,
    /// The run is killed when it is made.
    KilledAfter,
    /// It never arrives.
    NeverArrives,
    /// It is made, and its answer is lost.
    AnswerLost,
    /// Another member leads before it arrives.
    Elected,
    /// A member is killed before it arrives.
    MemberKilled,
    /// A member hangs when it arrives, for longer than an election takes.
    MemberFrozen,
    /// A member is cut off from its peers when it arrives, for as long.
    MemberCut,
    /// The run's Lease is deleted before it arrives.
    LeaseGone,
}

impl Blow {
    pub(super) const ALL: &'static [Self] = &[
        Self::KilledBefore,
        Self::KilledAfter,
        Self::NeverArrives,
        Self::AnswerLost,
        Self::Elected,
        Self::MemberKilled,
        Self::MemberFrozen,
        Self::MemberCut,
        Self::LeaseGone,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::KilledBefore => "killed-before",
            Self::KilledAfter => "killed-after",
            Self::NeverArrives => "never-arrives",
            Self::AnswerLost => "answer-lost",
            Self::Elected => "elected",
            Self::MemberKilled => "member-killed",
            Self::MemberFrozen => "member-frozen",
            Self::MemberCut => "member-cut",
            Self::LeaseGone => "lease-gone",
        }
    }

    /// Drives a run whose change `at`, counted from 0, meets this.
    pub(super) fn strike(self, cluster: &Cluster, program: Program, at: u64) -> Ended {
        let (silent, after, late) = match self {
            Self::KilledBefore => (true, false, false),
            Self::KilledAfter => (true, true, false),
            Self::NeverArrives => (false, false, false),
            Self::AnswerLost => (false, true, false),
            Self::Elected | Self::MemberKilled | Self::MemberFrozen | Self::MemberCut | Self::LeaseGone => {
                (false, false, true)
            }
        };
        let trouble = json!({"skip": at, "times": 1, "silent": silent, "after": after, "late": late});
        begin(cluster, FAULT, &json!({"answer": changes_of(cluster, &trouble)}));
        let running = program.start();
        let ended = match self {
            Self::NeverArrives | Self::AnswerLost => running.end(),
            Self::KilledBefore | Self::KilledAfter => kill_when_met(cluster, running),
            Self::Elected | Self::MemberKilled | Self::MemberFrozen | Self::MemberCut | Self::LeaseGone => {
                self.meddle_when_met(cluster, running)
            }
        };
        end(cluster, FAULT);
        ended
    }

    /// Does something to the cluster while the change waits, and lets it go on.
    fn meddle_when_met(self, cluster: &Cluster, mut running: Running) -> Ended {
        let met = eventually("the change, or the run's end", || match try_get("fault", FAULT, cluster.name()) {
            Ok(fault) if fault["spec"]["answer"]["times"] == 0 => Ok(true),
            _ if running.is_over() => Ok(false),
            other => Err(format!("{other:?}")),
        });
        if !met {
            return running.end();
        }
        match self {
            Self::Elected => another_leads(cluster),
            Self::MemberKilled => {
                begin(cluster, "axe", &json!({"kill": {"pod": "etcd-0", "container": "etcd"}}));
                end(cluster, "axe");
            }
            Self::MemberFrozen => begin(cluster, "spell", &json!({"freeze": {"pod": "etcd-0"}})),
            Self::MemberCut => begin(cluster, "spell", &json!({"cut": {"pod": "etcd-0"}})),
            Self::LeaseGone => {
                for lease in list(&["lease"], cluster.name(), "") {
                    delete("lease", lease["metadata"]["name"].as_str().unwrap_or_default(), cluster.name());
                }
            }
            _ => {}
        }
        end(cluster, FAULT);
        if matches!(self, Self::MemberFrozen | Self::MemberCut) {
            // Until the run has noticed it.
            running.some_events(SPELL);
            end(cluster, "spell");
        }
        running.end()
    }
}

/// How many events a member stays away for: waits tell of themselves.
const SPELL: usize = 3;

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Blow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|blow| blow.name() == text).ok_or_else(|| format!("there is no trouble {text}"))
    }
}

/// The user that the run is, so that faults meet nobody else.
pub(super) fn user(cluster: &Cluster) -> String {
    format!("run-in-{}", cluster.name())
}

/// All changes of that user, the renewals of its lock apart, with what they meet.
pub(super) fn changes_of(cluster: &Cluster, trouble: &Value) -> Value {
    let mut answer = json!({
        "user": user(cluster),
        "verbs": ["create", "patch", "delete", "MemberAdd", "MemberRemove", "MemberPromote", "MoveLeader"],
        "resource": [
            "statefulsets", "pods", "persistentvolumeclaims", "persistentvolumes", "configmaps", "leases", "etcd"
        ],
    });
    for (field, value) in trouble.as_object().into_iter().flatten() {
        answer[field] = value.clone();
    }
    answer
}

pub(super) fn begin(cluster: &Cluster, name: &str, spec: &Value) {
    create(&json!({
        "apiVersion": "sandbox.etcd-scale.io/v1",
        "kind": "Fault",
        "metadata": {"name": name, "namespace": cluster.name()},
        "spec": spec,
    }));
}

/// Ends a fault, if it is there still.
pub(super) fn end(cluster: &Cluster, name: &str) {
    delete("fault", name, cluster.name());
}

/// Kills a run as soon as its fault is used up. One that ends without meeting it is over.
fn kill_when_met(cluster: &Cluster, mut running: Running) -> Ended {
    let met = eventually("the change, or the run's end", || {
        let standing = try_get("fault", FAULT, cluster.name());
        if standing.is_err() {
            Ok(true)
        } else if running.is_over() {
            Ok(false)
        } else {
            Err("neither".to_owned())
        }
    });
    if met { running.kill() } else { running.end() }
}

/// Moves leadership to another voter, where there is one that answers.
fn another_leads(cluster: &Cluster) {
    let status = |pod: &str| {
        let said = cluster.try_exec(pod, &["etcdctl", "endpoint", "status", "-w", "json"]).ok()?;
        let statuses: Value = serde_json::from_str(&said).ok()?;
        Some((pod.to_owned(), statuses[0]["Status"].clone()))
    };
    let statuses: Vec<_> = ["etcd-0", "etcd-1", "etcd-2"].into_iter().filter_map(status).collect();
    let leads = |status: &Value| status["leader"] == status["header"]["member_id"];
    let leader = statuses.iter().find(|(_, status)| leads(status));
    let other = statuses.iter().find(|(_, status)| !leads(status) && status["isLearner"] != true);
    if let (Some((leader, _)), Some((_, other))) = (leader, other) {
        let id = other["header"]["member_id"].as_u64().expect("members have an id");
        // It may not be ready to.
        drop(cluster.try_exec(leader, &["etcdctl", "move-leader", &format!("{id:x}")]));
    }
}
