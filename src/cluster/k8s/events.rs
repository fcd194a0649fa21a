//! What was changed, as Kubernetes Events on the StatefulSet, where that is allowed.

use k8s_openapi::api::apps::v1::StatefulSet as ApiStatefulSet;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::read::Kubernetes;
use crate::model::{Change, StatefulSet};

/// Longest text of an Event's note that the API server takes.
const LONGEST_NOTE: usize = 1024;

impl Kubernetes {
    /// Notes a change on the StatefulSet, in the time it takes the caller to go on. An Event is a courtesy: one that
    /// cannot be written stops nothing.
    pub(in crate::cluster) fn note(
        &self,
        change: &Change,
        set: &StatefulSet,
        operator: &str,
    ) -> impl Future<Output = ()> + use<> {
        let recorder = Recorder::new(self.client.clone(), Reporter::from("etcd-scale"));
        let mut object = ApiStatefulSet::default();
        object.metadata.name = Some(set.name.clone());
        object.metadata.namespace = Some(set.namespace.clone());
        object.metadata.uid = Some(set.uid.clone());
        let mut note = format!("{}, by {operator}", change.sentence());
        note.truncate((0..=LONGEST_NOTE.min(note.len())).rev().find(|at| note.is_char_boundary(*at)).unwrap_or(0));
        let event = Event {
            type_: EventType::Normal,
            reason: reason(change).to_owned(),
            note: Some(note),
            action: change.name().to_owned(),
            secondary: None,
        };
        let (limit, reference) = (self.limit, object.object_ref(&()));
        async move {
            if let Ok(Err(error)) = tokio::time::timeout(limit, recorder.publish(&event, &reference)).await {
                tracing::debug!(error = %crate::cluster::chain(&error), "no Event was written");
            }
        }
    }
}

fn reason(change: &Change) -> &'static str {
    match change {
        Change::SaveSnapshot { .. } => "SnapshotSaved",
        Change::OpenRun { .. } => "RunOpened",
        Change::CreateVolume { .. } => "VolumeMade",
        Change::PatchConfigMap { .. } => "ConfigMapPatched",
        Change::AddLearner { .. } => "LearnerAdded",
        Change::RemoveMember { .. } => "MemberRemoved",
        Change::TakeBack { .. } => "ScaleUpTakenBack",
        Change::DeleteClaim { .. } => "ClaimDeleted",
        Change::NoteUsedPath { .. } => "UsedPathNoted",
        Change::DeleteVolume { .. } => "VolumeDeleted",
        Change::PatchStatefulSet { from, to, .. } if to < from => "ScaledDown",
        Change::PatchStatefulSet { .. } => "ScaledUp",
        Change::RestoreCommand { .. } => "CommandRestored",
        Change::CommitPatches { .. } => "PatchesCommitted",
        Change::PushCommit { .. } => "CommitPushed",
        Change::ApplyOverlay { .. } => "OverlayApplied",
        Change::Promote { .. } => "MemberPromoted",
        Change::MoveLeader { .. } => "LeaderMoved",
        Change::LowerPartition { .. } => "PartitionLowered",
        Change::DeletePod { .. } => "PodDeleted",
        Change::DeferRollout { .. } => "RolloutDeferred",
        Change::CloseRun => "RunClosed",
    }
}
