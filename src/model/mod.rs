//! What etcd-scale knows and means, as pure data: the observation, the goal, the changes and what they lead to.
//!
//! Nothing here touches the outside: no clock, no network, no file. Every rule about membership, quorum and
//! rollouts lives here or in `steps`, and is tested without a cluster.

mod catch_up;
mod change;
mod config_file;
mod config_text;
mod deployment;
mod endpoint;
mod goal;
mod join;
mod keys;
mod known;
mod look;
#[cfg(test)]
pub(crate) mod mangled;
mod manifest;
mod member;
mod membership;
mod moved;
mod moves;
mod observation;
mod patch;
mod patched;
mod peer_list;
mod peer_url;
mod record;
mod replaced;
mod resolve;
mod rollout;
mod scheduling;
mod source;
mod stage;
mod standing;
mod statefulset;
mod template;
mod tls;
mod via;
mod volume;

pub use catch_up::CatchUp;
pub use change::{Change, EnvEdit, KeyEdit, REVISION, WordEdit, with_revision};
pub use config_file::ConfigFile;
pub use config_text::ConfigText;
pub use deployment::{ApplyCommand, CommandEnd, Delivering, Delivery, Deployment, FileEdit, GitOps, Raise, Upstream};
pub use endpoint::{authority_of, client_hosts, client_ports, host_of};
pub use goal::{
    ClaimPolicy, Goal, GoalRefusal, HashPolicy, Replacement, Request, RolloutPolicy, SizeEnv, SnapshotChoice, Verb,
    Victim,
};
pub use join::{CommandEdit, CommandLine, Join, JoinChoice};
pub use keys::{AsKey, DifferentKey, HeldKey, Key, KeyComparison, KeyHolder, Keys};
pub use known::Known;
pub use look::{
    Answer, Certificate, ConfigMap, DiskPool, Hash, Neighbours, Permission, Privileges, Question, SelectedService,
};
pub use manifest::{Difference, all_differences, differences};
pub use member::{Alarm, ClusterId, Member, MemberId, MemberStatus, Members};
pub use membership::{
    Fact, clients_to_ask, healthy_for_change, healthy_without, is_lost, mend_or_replace, pods_without_members, quorum,
    quorum_after_losing_one, replaceable, replacing_the_lost, serves,
};
pub use moved::{Moved, PodPhase};
pub use moves::Move;
pub use observation::{Claim, Lock, Node, Observation, Service, StorageClass};
pub use patch::{RUN_ANNOTATION, RUN_ANNOTATION_POINTER, patch_operations};
pub use patched::Patched;
pub use peer_list::{PeerList, StateVariable, peers_in, same_peers, wanted_peers};
pub use peer_url::{PeerUrlError, new_member_name, new_peer_url, ordinal_of, replace_ordinal, replace_pod_name};
pub use record::{RECORD_VERSION, Record};
pub use replaced::Replaced;
pub use rollout::{Rollout, guarded_strategy, lowered_strategy, partition_of, strategy_is_on_delete};
pub use scheduling::{NodeDemand, Taint, Toleration};
pub use source::Source;
pub use stage::{Stage, round_of};
pub use standing::{Standing, StandingMember};
pub use statefulset::{ContainerState, LATEST_START, MOST_MEMBERS, Owner, Pod, StatefulSet, Waiting};
pub use template::{
    AntiAffinity, ClaimTemplate, CommandPart, Container, DataDir, EnvFrom, EnvSource, EnvVar, FlagValue, Mount,
    SizeVariable, Template, VolumeKind,
};
pub use tls::{CertFile, CertSource, Tls};
pub use via::Via;
pub use volume::{
    NewVolume, USED_PATHS_ANNOTATION, Volume, VolumeNeed, VolumePlace, is_used, may_be_by_hand, place_of,
    used_paths_with, volume_needs, volumes_to_make,
};
