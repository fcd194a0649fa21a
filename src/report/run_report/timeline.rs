//! When everything was: the times of a run's steps, pods, leaders, learners and changes, in seconds since its start.

use serde::Serialize;

use crate::model::{MemberId, Moved, PodPhase, Standing};
use crate::runbook::Event;

/// The times of a run.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timeline {
    /// From start to end.
    pub(super) seconds: f64,
    pub(super) steps: Vec<Span>,
    pub(super) pods: Vec<PodLane>,
    /// Who led; a gap where the members agreed on nobody.
    pub(super) leaders: Vec<Span>,
    pub(super) learners: Vec<LearnerLane>,
    pub(super) changes: Vec<Mark>,
}

/// Something that lasted.
#[derive(Debug, Serialize)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Whether it lasts.
    #[serde(skip)]
    lasts: bool,
}

/// A moment.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    /// Of a change, its place among all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<usize>,
    pub(super) at: f64,
    pub(super) what: String,
}

/// A pod's life.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodLane {
    pub(super) pod: String,
    /// A gap where there was no such pod.
    pub(super) spans: Vec<PodSpan>,
    /// When it was created anew, or a container of it restarted.
    pub(super) restarts: Vec<Mark>,
}

/// A part of a pod's life.
#[derive(Debug, Serialize)]
pub(super) struct PodSpan {
    pub(super) phase: PodPhase,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Whether it lasts.
    #[serde(skip)]
    lasts: bool,
}

/// A learner on its way.
#[derive(Debug, Serialize)]
pub(super) struct LearnerLane {
    /// The id, because the name comes only when it has started.
    pub(super) member: MemberId,
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// How far a learner was.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) at: f64,
    /// What it had applied.
    pub(super) applied: u64,
    /// The leader's last index.
    pub(super) leader: u64,
}

impl Timeline {
    /// What stands at the beginning.
    pub(super) fn begin(before: &Standing) -> Self {
        let mut timeline = Self::default();
        for row in &before.members {
            if let (Some(pod), Some(phase)) = (&row.pod, row.phase) {
                timeline.pod_is(pod, Some(phase), 0.0);
            }
            if let ("leader", Some(name)) = (row.role, &row.name) {
                timeline.leads(Some(name), 0.0);
            }
        }
        timeline
    }

    /// Takes in an event; `number` is that of the change that begins with it.
    pub(super) fn hear(&mut self, event: &Event, number: usize, at: f64) {
        self.seconds = at;
        match event {
            Event::StepStarted { step, .. } => self.steps.push(Span::begin((*step).to_owned(), at)),
            Event::StepDone { .. } => {
                if let Some(step) = self.steps.last_mut() {
                    step.end(at);
                }
            }
            Event::ChangeStarted { sentence, tries: 0, .. } => {
                self.changes.push(Mark { number: Some(number), at, what: sentence.clone() });
            }
            Event::Moved { moved, .. } => self.moved(moved, at),
            Event::RunEnded { .. } => self.end(at),
            _ => {}
        }
    }

    fn moved(&mut self, moved: &Moved, at: f64) {
        match moved {
            Moved::PodCreated { pod, phase, .. } | Moved::PodChanged { pod, phase, .. } => {
                self.pod_is(pod, Some(*phase), at);
            }
            Moved::PodRecreated { pod, phase, .. } => {
                self.pod_is(pod, None, at);
                self.pod_is(pod, Some(*phase), at);
                self.lane(pod).restarts.push(Mark { number: None, at, what: moved.sentence() });
            }
            Moved::PodGone { pod } => self.pod_is(pod, None, at),
            Moved::ContainerRestarted { pod, .. } => {
                self.lane(pod).restarts.push(Mark { number: None, at, what: moved.sentence() });
            }
            Moved::LeaderChanged { to, .. } => self.leads(to.as_deref(), at),
            Moved::LearnerProgress { member, name, applied, leader } => {
                let point = Point { at, applied: *applied, leader: *leader };
                if let Some(lane) = self.learners.iter_mut().find(|lane| lane.member == *member) {
                    lane.name.clone_from(name);
                    lane.points.push(point);
                } else {
                    let (member, name) = (*member, name.clone());
                    self.learners.push(LearnerLane { member, name, points: vec![point] });
                }
            }
            Moved::MemberAdded { .. }
            | Moved::MemberStarted { .. }
            | Moved::MemberPromoted { .. }
            | Moved::MemberRemoved { .. } => {}
        }
    }

    fn lane(&mut self, pod: &str) -> &mut PodLane {
        let known = self.pods.iter().position(|lane| lane.pod == pod);
        let index = known.unwrap_or_else(|| {
            self.pods.push(PodLane { pod: pod.to_owned(), spans: Vec::new(), restarts: Vec::new() });
            self.pods.len() - 1
        });
        &mut self.pods[index]
    }

    fn pod_is(&mut self, pod: &str, phase: Option<PodPhase>, at: f64) {
        let lane = self.lane(pod);
        if let Some(last) = lane.spans.last_mut().filter(|span| span.lasts) {
            if Some(last.phase) == phase {
                return;
            }
            (last.to, last.lasts) = (at, false);
        }
        lane.spans.extend(phase.map(|phase| PodSpan { phase, from: at, to: at, lasts: true }));
    }

    fn leads(&mut self, name: Option<&str>, at: f64) {
        if let Some(last) = self.leaders.last_mut().filter(|span| span.lasts) {
            if Some(last.name.as_str()) == name {
                return;
            }
            last.end(at);
        }
        self.leaders.extend(name.map(|name| Span::begin(name.to_owned(), at)));
    }

    fn end(&mut self, at: f64) {
        self.steps.iter_mut().chain(&mut self.leaders).for_each(|span| span.end(at));
        for span in self.pods.iter_mut().flat_map(|lane| &mut lane.spans).filter(|span| span.lasts) {
            (span.to, span.lasts) = (at, false);
        }
    }
}

impl Span {
    fn begin(name: String, from: f64) -> Self {
        Self { name, from, to: from, lasts: true }
    }

    fn end(&mut self, at: f64) {
        if self.lasts {
            (self.to, self.lasts) = (at, false);
        }
    }
}
