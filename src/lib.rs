//! `etcd-scale` changes the size of an etcd cluster that runs as a Kubernetes StatefulSet, and takes an operator through
//! it as a runbook: it checks, shows what it would do, asks, does one thing, waits for the proof, and goes on.
//!
//! # One loop
//!
//! Observe, judge, confirm, look again, judge, apply, observe ([`runbook::Run`]). The [`steps`] are an ordered list of
//! structs. A step never touches the outside: it judges an [`model::Observation`] against the [`model::Goal`] and the
//! [`runbook::Trail`], and says one of five things ([`runbook::Verdict`]): *done*, *change*, *wait*, *look*, *refuse*.
//! A [`model::Change`] is data: it can be shown, confirmed, serialised, predicted and applied, and one place applies each
//! ([`cluster::Cluster`], [`gitops::WithRepository`]). No change counts because a call returned; it counts when a fresh observation shows it.
//!
//! # What follows from it
//!
//! - A dry run walks the changes ([`model::Observation::after`]) and the world's favourable moves
//!   ([`model::Observation::moves`]) with the same steps; the tests walk all moves.
//! - Resuming is the loop started again. The only memory is the cluster's: before its first other change a run writes
//!   its goal as an annotation ([`model::Record`]) on the StatefulSet, and its last call removes it. Where an observation
//!   stands on the way has a name ([`model::Stage`]).
//! - Unknown is not absent: what could not be read is [`model::Known::Unknown`], with the reason.
//!
//! # Where things live
//!
//! Imports go one way, from the top of this list down; a test keeps it so.
//!
//! - [`cli`]: the command line, one file for each verb. The only place that knows clap.
//! - [`report`]: what a person or a program sees, and the report of a run in a file. The only place that prints or prompts.
//! - [`cluster`]: observes and applies: `etcd` (gRPC through the port-forward or straight to the pods, or `etcdctl` in
//!   them) and `k8s`. The only place that touches the outside.
//! - [`gitops`]: renders, commits and applies a deployment repository, in front of the cluster. The only place that knows
//!   git.
//! - `sandbox`: a cluster on loopback, to try, rehearse and test; Linux only. It knows nothing of the rest.
//! - [`steps`]: one file for each step, pure.
//! - [`runbook`]: the loop, verdicts, trail, plan and events. Knows no etcd and no Kubernetes.
//! - [`model`]: observation, goal, stage, change, moves, membership and rollouts, pure.
//!
//! To add a check, write it in `steps/precheck` and give it an id. To add a step, add its file, list it with its verb in
//! `steps/mod.rs` ([`steps::towards`]), and where it needs a new change, give that a variant in [`model::Change`], its
//! prediction in `model/moves.rs` and its call in `cluster/world.rs` or `gitops/world.rs`: the compiler names the rest. A
//! verb that adds or removes several members repeats its steps, a round for each ([`model::Goal::rounds`]).

pub mod cli;
pub mod cluster;
pub mod gitops;
pub mod model;
pub mod report;
pub mod runbook;
#[cfg(target_os = "linux")]
pub mod sandbox;
pub mod steps;
