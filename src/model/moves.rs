//! Prediction: what a change does at once, and what the world may do next on its own.
//!
//! A dry run walks the changes and the favourable moves. Tests walk all moves, to prove that the steps keep their
//! promises whatever the world does in between.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::patch::record_after;
use super::{
    Answer, ApplyCommand, Change, ClusterId, CommandEdit, CommandEnd, ContainerState, Delivering, EnvSource, Known,
    Member, MemberId, MemberStatus, Observation, Patched, Pod, Question, RUN_ANNOTATION, Raise, Rollout, StatefulSet,
    Template, USED_PATHS_ANNOTATION, Volume, WordEdit, new_member_name, partition_of, strategy_is_on_delete,
    used_paths_with,
};

/// Something that the world may do next on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// The controller creates the pod of an ordinal.
    PodCreated(i32),
    /// The script of a pod adds its member, as a voter.
    MemberAddedItself(i32),
    /// The etcd of a pod starts and, where it is new, joins.
    MemberStarted(i32),
    /// A learner applies everything that its leader has.
    CaughtUp(i32),
    /// A pod becomes Ready.
    PodReady(i32),
    /// The controller replaces a pod with one of the revision it is due.
    PodReplaced(i32),
    /// A pod beyond those asked for is gone.
    PodGone(i32),
    /// The voters that are up choose a leader.
    Elected(MemberId),
    /// The etcd of a pod stops answering.
    MemberFailed(i32),
    /// What a commit says of the StatefulSet reaches it.
    Delivered,
    /// The command that brings the commit ends.
    CommandEnded,
    /// Somebody's manifest takes the guard away.
    GuardLost,
}

impl Move {
    /// Whether it brings a run nearer to its goal.
    pub fn favourable(&self) -> bool {
        !matches!(self, Self::MemberFailed(_) | Self::GuardLost)
    }
}

impl Observation {
    /// What is seen at once when a change has been applied.
    #[must_use]
    pub fn after(&self, change: &Change) -> Self {
        let mut next = self.clone();
        let set = &mut next.statefulset;
        match change {
            Change::SaveSnapshot { .. } => {}
            Change::OpenRun { record } | Change::DeferRollout { record } => {
                set.annotations.insert(RUN_ANNOTATION.to_owned(), record.to_annotation());
            }
            Change::CloseRun => {
                set.annotations.remove(RUN_ANNOTATION);
            }
            Change::CreateVolume { name, claim, manifest } => {
                let volume = foreseen_volume(name, (set.namespace.clone(), claim.clone()), manifest);
                for (_, answer) in &mut next.answers {
                    if let Answer::Volumes(Known::Known(volumes)) = answer {
                        volumes.push(volume.clone());
                    }
                }
                if let Some(volumes) = next.volumes.known_mut() {
                    volumes.push(volume);
                }
            }
            Change::PatchConfigMap { name, data, .. } => {
                for (question, answer) in &mut next.answers {
                    if let (Question::ConfigMap { name: asked, .. }, Answer::ConfigMap(Known::Known(Some(map)))) =
                        (question, answer)
                        && asked == name
                    {
                        map.data.extend(data.iter().map(|edit| (edit.key.clone(), edit.to.clone())));
                    }
                }
            }
            Change::AddLearner { peer_url, .. } => {
                next.add_member(peer_url.clone(), true);
            }
            Change::PatchStatefulSet { from, to, env, words, command, strategy } => {
                set.raise(&Raise { from: *from, to: *to, env: env.clone(), words: words.clone() });
                if let Some(edit) = command {
                    set.template.run(edit);
                    set.update_revision = format!("{}-at-{to}", set.name);
                }
                if let Some((_, strategy)) = strategy {
                    set.set_strategy(strategy);
                }
            }
            Change::TakeBack { patched } => set.take_back(patched),
            Change::NoteUsedPath { path, nodes } => {
                let text = used_paths_with(self, path, nodes);
                set.annotations.insert(USED_PATHS_ANNOTATION.to_owned(), text);
            }
            Change::RemoveMember { member, pod, .. } => next.remove_member(*member, pod),
            Change::DeleteClaim { claim, uid, .. } => next.delete_claim(claim, uid),
            Change::DeleteVolume { volume, .. } => next.delete_volume(volume),
            Change::CommitPatches { .. } | Change::PushCommit { .. } | Change::ApplyOverlay { .. } => {
                next.deliver(change);
            }
            Change::RestoreCommand { edit, record, .. } => {
                set.template.run(edit);
                set.update_revision = format!("{}-restored-at-{}", set.name, record.to);
                set.annotations.insert(RUN_ANNOTATION.to_owned(), record.to_annotation());
            }
            Change::Promote { member, .. } => {
                if let Some(members) = next.members.known_mut()
                    && let Some(promoted) = members.list.iter_mut().find(|candidate| candidate.id == *member)
                {
                    promoted.learner = false;
                }
                for status in next.statuses.values_mut().filter_map(Known::known_mut) {
                    if status.member == *member {
                        status.learner = false;
                        status.healthy = Known::Known(());
                    }
                }
            }
            Change::MoveLeader { to, .. } => next.elect(Some(to.0)),
            Change::LowerPartition { to, .. } => set.set_strategy(to),
            Change::DeletePod { pod, .. } => {
                let ordinal = next.pods.iter().find(|candidate| candidate.name == *pod).map(|pod| pod.ordinal);
                if let Some(ordinal) = ordinal {
                    next.replace_pod(ordinal);
                }
            }
        }
        if let Some(record) = record_after(change, self) {
            next.statefulset.annotations.insert(RUN_ANNOTATION.to_owned(), record.to_annotation());
        }
        next
    }

    /// What is seen of a deployment repository when a change of it, or from it, has been made.
    fn deliver(&mut self, change: &Change) {
        match change {
            Change::CommitPatches { raise, .. } => {
                for (_, answer) in &mut self.answers {
                    if let Answer::Deployment(Known::Known(deployment)) = answer {
                        deployment.files.clear();
                        deployment.commit = Some("the new commit".to_owned());
                        if let Some(upstream) = &mut deployment.upstream {
                            upstream.ahead += 1;
                        }
                    }
                }
                if let Some(raise) = raise {
                    self.delivering = Some(Delivering { raise: raise.as_ref().clone(), command: None });
                }
            }
            Change::PushCommit { .. } => {
                for (_, answer) in &mut self.answers {
                    if let Answer::Deployment(Known::Known(deployment)) = answer
                        && let Some(upstream) = &mut deployment.upstream
                    {
                        upstream.ahead = 0;
                    }
                }
            }
            Change::ApplyOverlay { command, raise } => {
                let command = ApplyCommand { text: command.join(" "), ..ApplyCommand::default() };
                self.delivering = Some(Delivering { raise: raise.as_ref().clone(), command: Some(command) });
            }
            _ => {}
        }
    }

    /// What the world may do next on its own.
    pub fn moves(&self) -> Vec<Move> {
        let set = &self.statefulset;
        let mut moves = Vec::new();
        let delivering = self.delivering.as_ref();
        if delivering.is_some_and(|delivering| set.replicas != delivering.raise.to) {
            moves.push(Move::Delivered);
        }
        for ordinal in set.ordinals(set.replicas) {
            let Some(pod) = self.pod(ordinal) else {
                let before_are_ready =
                    (set.start..ordinal).all(|earlier| self.pod(earlier).is_some_and(Pod::fully_ready));
                if !set.ordered_ready || before_are_ready {
                    moves.push(Move::PodCreated(ordinal));
                }
                continue;
            };
            match self.status_of_pod(&pod.name) {
                None => moves.extend(self.first_move_of(ordinal)),
                Some(status) => {
                    if status.learner && self.leader_status().is_some_and(|l| l.raft_index > status.raft_applied) {
                        moves.push(Move::CaughtUp(ordinal));
                    }
                    // A readiness probe that a learner passes would make it Ready earlier; nothing rests on it.
                    if !pod.fully_ready() && !status.learner {
                        moves.push(Move::PodReady(ordinal));
                    }
                    moves.push(Move::MemberFailed(ordinal));
                }
            }
        }
        let wanted = set.ordinals(set.replicas);
        moves.extend(
            self.pods.iter().map(|pod| pod.ordinal).filter(|ordinal| !wanted.contains(ordinal)).map(Move::PodGone),
        );
        let others_ready = |ordinal: i32| {
            // Under OrderedReady the controller passes over no pod that is not ready, not even the one to replace.
            self.pods.iter().filter(|pod| set.ordered_ready || pod.ordinal != ordinal).all(Pod::fully_ready)
                && self.pods.len() == usize::try_from(set.replicas).unwrap_or_default()
        };
        if let Some(ordinal) = Rollout::of(self).freed().next().filter(|ordinal| others_ready(*ordinal)) {
            moves.push(Move::PodReplaced(ordinal));
        }
        if self.leader_status().is_none()
            && let Some(members) = self.members.known()
        {
            let up: Vec<_> = members.voters().filter(|voter| self.status_of(voter.id).is_some()).collect();
            if up.len() >= super::quorum(members.voters().count()) {
                moves.extend(up.iter().map(|voter| Move::Elected(voter.id)));
            }
        }
        // A command that applies waits until all is well, and can take the guard away before.
        if let Some(Delivering { raise, command: Some(command) }) = delivering
            && command.ended.is_none()
            && set.replicas == raise.to
        {
            moves.push(Move::CommandEnded);
            if !strategy_is_on_delete(&set.strategy) && partition_of(&set.strategy) == raise.from {
                moves.push(Move::GuardLost);
            }
        }
        moves
    }

    /// What is seen when the world has made a move.
    #[must_use]
    pub fn after_move(&self, step: &Move) -> Self {
        let mut next = self.clone();
        match step {
            Move::PodCreated(ordinal) => {
                let pod = next.new_pod(*ordinal);
                next.pods.push(pod);
                next.pods.sort_by_key(|pod| pod.ordinal);
            }
            Move::MemberAddedItself(ordinal) => {
                if let Some(url) = next.peer_url(*ordinal) {
                    next.add_member(url, false);
                }
            }
            Move::MemberStarted(ordinal) => next.start_member(*ordinal),
            Move::CaughtUp(ordinal) => {
                let leader = next.leader_status().map_or(0, |leader| leader.raft_index);
                if let Some(status) = next.status_of_ordinal_mut(*ordinal) {
                    status.raft_applied = leader;
                    status.raft_index = leader;
                }
            }
            Move::PodReady(ordinal) => {
                if let Some(pod) = next.pods.iter_mut().find(|pod| pod.ordinal == *ordinal) {
                    pod.ready = true;
                    "Running".clone_into(&mut pod.phase);
                    for container in &mut pod.containers {
                        container.ready = true;
                        container.running = true;
                    }
                }
            }
            Move::PodReplaced(ordinal) => next.replace_pod(*ordinal),
            Move::PodGone(ordinal) => {
                next.silence(*ordinal);
                next.pods.retain(|pod| pod.ordinal != *ordinal);
                next.statuses.remove(&next.statefulset.pod_name(*ordinal));
                let names = next.claim_names(*ordinal);
                if let Some(claims) = next.claims.known_mut() {
                    claims.retain(|claim| !(claim.terminating && names.contains(&claim.name)));
                }
            }
            Move::Elected(leader) => next.elect(Some(*leader)),
            Move::MemberFailed(ordinal) => next.silence(*ordinal),
            Move::Delivered => {
                if let Some(delivering) = &next.delivering {
                    next.statefulset.raise(&delivering.raise);
                }
            }
            Move::CommandEnded => {
                if let Some(command) = next.delivering.as_mut().and_then(|delivering| delivering.command.as_mut()) {
                    command.ended = Some(CommandEnd { well: true, how: "exit code 0".to_owned() });
                }
            }
            Move::GuardLost => next.statefulset.set_strategy(&json!({"type": "RollingUpdate"})),
        }
        next
    }

    /// What the etcd of a pod that does not answer may do. A script that adds its own member waits for ever where somebody
    /// else has.
    fn first_move_of(&self, ordinal: i32) -> Option<Move> {
        let (_, container) = self.statefulset.template.etcd()?;
        let itself = container.joins_by_itself().is_some();
        match self.member_of_ordinal(ordinal) {
            None => itself.then_some(Move::MemberAddedItself(ordinal)),
            Some(member) => (member.started() || !(itself && member.learner)).then_some(Move::MemberStarted(ordinal)),
        }
    }

    fn add_member(&mut self, peer_url: String, learner: bool) {
        let record = self.statefulset.readable_record();
        let Some(members) = self.members.known_mut() else { return };
        // An id that was removed never comes back.
        let removed = record.and_then(|record| record.replaced).and_then(|replaced| replaced.member);
        let known = members.list.iter().map(|member| member.id).chain(removed);
        let id = known.map(|id| id.0).max().unwrap_or(0).wrapping_add(1);
        members.list.push(Member {
            id: MemberId(id),
            name: String::new(),
            peer_urls: vec![peer_url],
            client_urls: Vec::new(),
            learner,
        });
    }

    fn status_of_ordinal_mut(&mut self, ordinal: i32) -> Option<&mut MemberStatus> {
        let name = self.statefulset.pod_name(ordinal);
        self.statuses.get_mut(&name).and_then(Known::known_mut)
    }

    /// A pod of the revision that the controller gives an ordinal (`newVersionedStatefulSetPod`).
    fn new_pod(&self, ordinal: i32) -> Pod {
        let set = &self.statefulset;
        let partition = set.strategy.pointer("/rollingUpdate/partition").and_then(serde_json::Value::as_i64);
        let old =
            !strategy_is_on_delete(&set.strategy) && partition.is_some_and(|p| i64::from(ordinal - set.start) < p);
        Pod {
            name: set.pod_name(ordinal),
            uid: format!("foreseen-{ordinal}"),
            ordinal,
            revision: if old { set.current_revision.clone() } else { set.update_revision.clone() },
            phase: "Pending".to_owned(),
            containers: set
                .template
                .containers
                .iter()
                .map(|container| ContainerState { name: container.name.clone(), ..ContainerState::default() })
                .collect(),
            ..Pod::default()
        }
    }

    fn remove_member(&mut self, member: MemberId, pod: &str) {
        if let Some(members) = self.members.known_mut() {
            members.list.retain(|candidate| candidate.id != member);
        }
        if self.status_of_pod(pod).is_some_and(|status| status.member == member) {
            self.statuses.insert(pod.to_owned(), Known::Unknown("it was removed".to_owned()));
        }
    }

    fn delete_volume(&mut self, name: &str) {
        let asked = self.answers.iter_mut().filter_map(|(_, answer)| match answer {
            Answer::Volumes(volumes) => volumes.known_mut(),
            _ => None,
        });
        for volumes in asked.chain(self.volumes.known_mut()) {
            volumes.retain(|volume| volume.name != name);
        }
    }

    /// A claim goes when the last pod that uses it has gone.
    fn delete_claim(&mut self, name: &str, uid: &str) {
        let used = self.pods.iter().any(|pod| self.claim_names(pod.ordinal).iter().any(|claim| claim == name));
        let Some(claims) = self.claims.known_mut() else { return };
        if used {
            for claim in claims.iter_mut().filter(|claim| claim.name == name && claim.uid == uid) {
                claim.terminating = true;
            }
        } else {
            claims.retain(|claim| !(claim.name == name && claim.uid == uid));
        }
    }

    fn replace_pod(&mut self, ordinal: i32) {
        self.silence(ordinal);
        let names = self.claim_names(ordinal);
        if let Some(claims) = self.claims.known_mut() {
            for claim in claims.iter_mut().filter(|claim| claim.terminating && names.contains(&claim.name)) {
                claim.uid = another(&claim.uid, format!("foreseen-{}", claim.name));
                claim.terminating = false;
            }
        }
        let mut pod = self.new_pod(ordinal);
        if let Some(old) = self.pods.iter_mut().find(|pod| pod.ordinal == ordinal) {
            pod.uid = another(&old.uid, pod.uid);
            *old = pod;
        }
    }

    /// The etcd of an ordinal answers no more; where it led, nobody leads until the others have voted.
    fn silence(&mut self, ordinal: i32) {
        let name = self.statefulset.pod_name(ordinal);
        let led = self.status_of_pod(&name).is_some_and(MemberStatus::leads);
        self.statuses.insert(name, Known::Unknown("it is down".to_owned()));
        if let Some(pod) = self.pods.iter_mut().find(|pod| pod.ordinal == ordinal) {
            pod.ready = false;
        }
        if led {
            self.elect(None);
        }
        let quorum_stands = self.members.known().is_some_and(|members| {
            let up = members.voters().filter(|voter| self.status_of(voter.id).is_some()).count();
            up >= super::quorum(members.voters().count())
        });
        if !quorum_stands {
            self.elect(None);
        }
    }

    fn elect(&mut self, leader: Option<MemberId>) {
        let led = leader.is_some();
        for status in self.statuses.values_mut().filter_map(Known::known_mut) {
            status.leader = leader;
            status.healthy = if led { Known::Known(()) } else { Known::Unknown("no leader".to_owned()) };
        }
    }

    fn start_member(&mut self, ordinal: i32) {
        let pod = self.statefulset.pod_name(ordinal);
        let Some(member) = self.member_of_ordinal(ordinal).cloned() else { return };
        // Like any other that answers; nothing of it is known where none does.
        let like = self.statuses.values().find_map(Known::known).cloned().unwrap_or_else(|| MemberStatus {
            member: member.id,
            cluster: self.members.known().map_or(ClusterId(0), |members| members.cluster),
            version: String::new(),
            db_size: 0,
            db_quota: None,
            leader: None,
            raft_index: 0,
            raft_applied: 0,
            raft_term: 0,
            revision: 0,
            learner: false,
            errors: Vec::new(),
            healthy: Known::Unknown("no leader".to_owned()),
        });
        let fresh = !member.started();
        let statefulset = self.statefulset.name.clone();
        if let Some(members) = self.members.known_mut() {
            let name = new_member_name(&members.list, &statefulset, ordinal).unwrap_or_else(|| pod.clone());
            if let Some(member) = members.list.iter_mut().find(|candidate| candidate.id == member.id) {
                member.name = name;
            }
        }
        let applied = if fresh { 0 } else { like.raft_applied };
        self.statuses.insert(
            pod,
            Known::Known(MemberStatus {
                member: member.id,
                learner: member.learner,
                raft_applied: applied,
                raft_index: applied,
                ..like
            }),
        );
    }
}

impl StatefulSet {
    /// The StatefulSet as it was before a patch.
    fn take_back(&mut self, patched: &Patched) {
        self.replicas = patched.from;
        for edit in patched.env.iter().rev() {
            let Some(container) = self.template.containers.get_mut(edit.container) else { continue };
            let Some(place) = edit.index.or_else(|| container.env.iter().rposition(|var| var.name == edit.name)) else {
                continue;
            };
            match (&edit.from, edit.index) {
                (Some(from), _) => container.env[place].source = EnvSource::Literal(from.clone()),
                (None, _) => drop(container.env.remove(place)),
            }
        }
        let words =
            patched.words.iter().map(|edit| WordEdit { from: edit.to.clone(), to: edit.from.clone(), ..edit.clone() });
        self.raise(&Raise { from: patched.to, to: patched.from, env: Vec::new(), words: words.collect() });
        if let Some(edit) = &patched.command {
            self.template.run(&edit.reversed());
        }
        if let Some((before, _)) = &patched.strategy {
            self.set_strategy(before);
        }
        // A guard alone leaves the template as it is.
        let template = patched.from != patched.to || !patched.env.is_empty() || !patched.words.is_empty();
        if let Some(revision) = patched.revision.as_ref().filter(|_| template) {
            self.update_revision.clone_from(revision);
        }
    }
}

impl Template {
    /// The template with another command line.
    fn run(&mut self, edit: &CommandEdit) {
        if let Some(container) = self.containers.get_mut(edit.container) {
            container.command.clone_from(&edit.to.command);
            container.args.clone_from(&edit.to.args);
        }
    }
}

/// A uid that is not the old one.
fn another(old: &str, uid: String) -> String {
    if old == uid { format!("{uid}-again") } else { uid }
}

/// A volume that was just made.
fn foreseen_volume(name: &str, claim: (String, String), manifest: &serde_json::Value) -> Volume {
    Volume {
        name: name.to_owned(),
        uid: format!("foreseen-{name}"),
        phase: "Available".to_owned(),
        capacity: manifest.pointer("/spec/capacity/storage").and_then(|text| text.as_str()).unwrap_or_default().into(),
        claim: Some(claim),
        provisioner: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: manifest["spec"].clone(),
    }
}
