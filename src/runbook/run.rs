//! The loop: observe, judge, confirm, look again, apply, observe.

use std::time::Duration;

use super::{
    Depth, Event, Interrupt, LockError, Outcome, Plan, Proposal, Reached, Refusal, Reply, Reporter, Step, Summary,
    Trail, Trouble, TroubleKind, Verdict, Wait, Wake, World, plan,
};
use crate::model::{Answer, Change, Goal, Moved, Observation, Question, Record, Standing, Verb};

/// A wait is shown again at least this often, and the world is looked at even if no watch woke us.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A wait is shown at most this often.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

/// How long reading the world may fail in a row before a run gives up.
const BLIND_FOR: Duration = Duration::from_secs(60);

/// How long to pause before a change that did not pass is judged again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);

/// How often a change is tried before it counts as failed for good; at five a second, and steps give up sooner.
const MOST_TRIES: u32 = 300;

/// How often a change may be made that no observation shows afterwards.
const MOST_REPEATS: usize = 3;

/// How a run is driven.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `--yes`: nothing is asked.
    pub yes: bool,
    /// `--dry-run`: the first step is walked for real, the rest is foreseen.
    pub dry_run: bool,
}

/// One invocation that walks steps.
pub struct Run<'a, W, R> {
    steps: Vec<Box<dyn Step>>,
    goal: Goal,
    world: &'a mut W,
    reporter: &'a mut R,
    interrupt: Interrupt,
    options: Options,
    trail: Trail,
    reached: Vec<Reached>,
    agreed: Option<Change>,
    all_agreed: bool,
    locked: bool,
    planned: Option<Plan>,
    opened: bool,
    answers: Vec<(Question, Answer)>,
    /// How many lines of the apply command were told of.
    told: u64,
    /// What was last read, up to which it was told what has moved; and when something was told last.
    watched: Option<Box<(Observation, Duration)>>,
}

/// Either go on, or the run is over.
enum Next {
    Go,
    End(Outcome),
}

impl<'a, W: World, R: Reporter> Run<'a, W, R> {
    /// A run of `steps` towards `goal`.
    pub fn new(
        steps: Vec<Box<dyn Step>>,
        goal: Goal,
        world: &'a mut W,
        reporter: &'a mut R,
        interrupt: Interrupt,
        options: Options,
    ) -> Self {
        Self {
            steps,
            goal,
            world,
            reporter,
            interrupt,
            options,
            trail: Trail::default(),
            reached: Vec::new(),
            agreed: None,
            all_agreed: options.yes,
            locked: false,
            planned: None,
            opened: false,
            answers: Vec::new(),
            told: 0,
            watched: None,
        }
    }

    /// Walks the steps to their end, and says how it came out.
    pub async fn drive(mut self, first: Observation) -> Summary {
        let set = &first.statefulset;
        self.reporter.report(&Event::RunStarted {
            statefulset: format!("{}/{}", set.namespace, set.name),
            goal: Box::new(self.goal.clone()),
            steps: self.steps.iter().map(|step| step.name().to_owned()).collect(),
            dry_run: self.options.dry_run,
            before: Box::new(Standing::of(&first)),
        });
        self.watched = Some(Box::new((first.clone(), self.world.now())));
        let mut observation = first;
        let outcome = self.walk(&mut observation).await;
        self.world.unlock().await;
        let record = observation.statefulset.readable_record();
        let summary = Summary {
            outcome,
            steps: std::mem::take(&mut self.reached),
            changes: self.trail.applied.iter().map(|(change, _)| change.clone()).collect(),
            snapshot: self.trail.snapshot.clone(),
            resumed: self.goal.resumed.as_ref().map(|record| record.by.clone()),
            plan: self.planned.take(),
            deferred: record.is_some_and(|record| record.deferred),
            sources: observation.statefulset.sources().iter().map(|source| source.who.to_owned()).collect(),
            after: Standing::of(&observation),
            seconds: self.world.now().as_secs_f64(),
        };
        self.reporter.report(&Event::RunEnded { summary: Box::new(summary.clone()) });
        summary
    }

    async fn walk(&mut self, observation: &mut Observation) -> Outcome {
        let steps = std::mem::take(&mut self.steps);
        for (index, step) in steps.iter().enumerate() {
            // The first step looks for what stands in the way; only then is there anything to foresee.
            if index == 1 {
                let plan = plan(&steps[index..], observation, &self.goal, &self.trail);
                self.reporter.report(&Event::Planned { plan: plan.clone() });
                self.planned = Some(plan);
                if self.options.dry_run {
                    return Outcome::Foreseen;
                }
            }
            if self.goal.pause_before.as_deref() == Some(step.name()) {
                return Outcome::Paused { before: step.name() };
            }
            if self.goal.leaves_to_operator(step.name())
                && matches!(step.judge(observation, &self.goal, &self.trail), Verdict::Wait(_))
            {
                return Outcome::Paused { before: step.name() };
            }
            self.reporter.report(&Event::StepStarted {
                step: step.name(),
                index: index + 1,
                total: steps.len(),
                purpose: step.purpose(),
            });
            if let Next::End(outcome) = self.step(step.as_ref(), observation).await {
                return outcome;
            }
        }
        self.close(observation).await
    }

    /// One step, until it is done or the run is over.
    async fn step(&mut self, step: &dyn Step, observation: &mut Observation) -> Next {
        let began = self.world.now();
        self.trail.begin_step();
        // A verdict that ends a step must rest on a whole observation; so must a change, on one that is also younger
        // than the answer to its question.
        let (mut whole, mut fresh) = (true, false);
        let mut shown = None;
        loop {
            if let Some(signal) = self.interrupt.signal() {
                return Next::End(Outcome::Interrupted { signal });
            }
            self.trail.see(observation, &self.goal, self.world.now());
            match step.judge(observation, &self.goal, &self.trail) {
                Verdict::Done(_) | Verdict::Refuse(_) | Verdict::Look(_) if !whole => {
                    if let Err(outcome) = self.observe(step, Depth::Whole, observation).await {
                        return Next::End(outcome);
                    }
                    whole = true;
                }
                Verdict::Done(done) => {
                    let seconds = (self.world.now().saturating_sub(began)).as_secs_f64();
                    self.reached.push(Reached { step: step.name().to_owned(), proof: done.proof.clone(), seconds });
                    self.reporter.report(&Event::StepDone {
                        step: step.name(),
                        proof: done.proof,
                        findings: done.findings,
                        seconds,
                    });
                    return Next::Go;
                }
                Verdict::Refuse(refusal) => return Next::End(self.refused(step, refusal)),
                Verdict::Look(question) => {
                    let reporter = &mut *self.reporter;
                    let mut progress = |done, total| {
                        reporter.report(&Event::LookProgress { step: step.name(), look: question.name(), done, total });
                    };
                    let answer = tokio::select! {
                        answer = self.world.look(&question, observation, &mut progress) => answer,
                        signal = self.interrupt.raised() => return Next::End(Outcome::Interrupted { signal }),
                    };
                    if let (Question::Keys { revision, reference, other }, Answer::Keys(comparison)) =
                        (&question, &answer)
                    {
                        self.reporter.report(&Event::KeysCompared {
                            revision: *revision,
                            reference: reference.clone(),
                            other: other.clone(),
                            comparison: comparison.clone(),
                        });
                    }
                    if question.lasting() && answer.is_known() {
                        self.answers.push((question.clone(), answer.clone()));
                    }
                    observation.answers.push((question, answer));
                }
                Verdict::Wait(wait) => {
                    fresh = false;
                    self.trail.waits();
                    if let Some(outcome) = self.wait(step, &wait, &mut shown).await {
                        return Next::End(outcome);
                    }
                    let depth = match wait.wake {
                        Wake::Kubernetes => Depth::Whole,
                        Wake::Members => Depth::Members,
                    };
                    if let Err(outcome) = self.observe(step, depth, observation).await {
                        return Next::End(outcome);
                    }
                    whole = depth == Depth::Whole;
                }
                Verdict::Change(proposal) => {
                    if self.agreed.as_ref() != Some(&proposal.change) {
                        if let Some(outcome) = self.ask(&proposal, observation).await {
                            return Next::End(outcome);
                        }
                        self.agreed = Some(proposal.change);
                        fresh = false;
                    }
                    if !fresh {
                        if let Err(outcome) = self.observe(step, Depth::Whole, observation).await {
                            return Next::End(outcome);
                        }
                        (whole, fresh) = (true, true);
                        continue;
                    }
                    let Some(change) = self.agreed.clone() else { continue };
                    if let Some(outcome) = self.make(step, change, observation).await {
                        return Next::End(outcome);
                    }
                    if let Err(outcome) = self.observe(step, Depth::Whole, observation).await {
                        return Next::End(outcome);
                    }
                }
            }
        }
    }

    fn refused(&self, step: &dyn Step, refusal: Refusal) -> Outcome {
        Outcome::Refused {
            step: step.name(),
            facts: refusal.facts,
            findings: refusal.findings,
            half_way: self.goal.resumed.is_some() || self.trail.changed_the_cluster(),
        }
    }

    /// Reads the world again, unless the run is interrupted: what only reads can be dropped half-way.
    async fn observe(&mut self, step: &dyn Step, depth: Depth, observation: &mut Observation) -> Result<(), Outcome> {
        let interrupt = self.interrupt.clone();
        tokio::select! {
            read = self.read(step, depth, observation) => read,
            signal = interrupt.raised() => Err(Outcome::Interrupted { signal }),
        }
    }

    /// Reads the world again; for a while also through an API server that comes and goes.
    async fn read(&mut self, step: &dyn Step, depth: Depth, observation: &mut Observation) -> Result<(), Outcome> {
        let since = self.world.now();
        loop {
            match self.world.observe(depth).await {
                Ok(seen) => {
                    *observation = seen;
                    observation.answers.clone_from(&self.answers);
                    self.tell_output(observation);
                    self.tell_moved(observation);
                    return Ok(());
                }
                Err(trouble) => {
                    let passing = matches!(trouble.kind, TroubleKind::Lost | TroubleKind::NotYet);
                    if !passing || self.world.now().saturating_sub(since) > BLIND_FOR {
                        return Err(Outcome::Failed { step: step.name(), trouble });
                    }
                    self.reporter.report(&Event::ObserveFailed { trouble });
                    self.pause(PAUSE_AFTER_FAILURE).await;
                    if let Some(signal) = self.interrupt.signal() {
                        return Err(Outcome::Interrupted { signal });
                    }
                }
            }
        }
    }

    /// Tells what the apply command has written since.
    fn tell_output(&mut self, observation: &Observation) {
        let command = observation.delivering.as_ref().and_then(|delivering| delivering.command.as_ref());
        let Some(command) = command.filter(|command| command.written > self.told) else { return };
        let new = usize::try_from(command.written - self.told).unwrap_or(usize::MAX);
        let lines = command.lines[command.lines.len().saturating_sub(new)..].to_vec();
        self.told = command.written;
        self.reporter.report(&Event::CommandOutput { lines });
    }

    /// Tells what has moved since. What only counts on is told now and then.
    fn tell_moved(&mut self, observation: &Observation) {
        let now = self.world.now();
        let Some((before, told)) = self.watched.as_deref() else { return };
        let seen = observation.or_last_read(before);
        let moved = seen.moved_since(before);
        let only_counts_on = !moved.is_empty() && moved.iter().all(Moved::is_progress);
        if only_counts_on && now.saturating_sub(*told) < SHOWN_EVERY {
            return;
        }
        let told = if moved.is_empty() { *told } else { now };
        self.watched = Some(Box::new((seen, told)));
        let seconds = now.as_secs_f64();
        for moved in moved {
            self.reporter.report(&Event::Moved { moved, seconds });
        }
    }

    async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = self.world.wake(Wake::Kubernetes, length) => {}
            _ = self.interrupt.raised() => {}
        }
    }

    /// Waits until something may have changed. An outcome where it has lasted too long.
    async fn wait(&mut self, step: &dyn Step, wait: &Wait, shown: &mut Option<(Duration, String)>) -> Option<Outcome> {
        let now = self.world.now();
        let waited = self.trail.waited(&wait.until, now);
        if waited >= wait.limit {
            return Some(Outcome::TimedOut {
                step: step.name(),
                until: wait.until.clone(),
                seen: wait.seen.clone(),
                way_out: wait.way_out.clone(),
            });
        }
        let due = shown.as_ref().is_none_or(|(at, seen)| {
            let since = now.saturating_sub(*at);
            since >= HEARTBEAT || (since >= SHOWN_EVERY && *seen != wait.seen)
        });
        if due {
            *shown = Some((now, wait.seen.clone()));
            self.reporter.report(&Event::Waiting {
                step: step.name(),
                until: wait.until.clone(),
                seen: wait.seen.clone(),
                progress: wait.progress,
                seconds: waited.as_secs_f64(),
                limit_seconds: wait.limit.as_secs_f64(),
            });
        }
        let limit = HEARTBEAT.min(wait.limit.saturating_sub(waited));
        tokio::select! {
            () = self.world.wake(wait.wake, limit) => {}
            _ = self.interrupt.raised() => {}
        }
        None
    }

    /// Asks for a change, and takes the lock after the first yes.
    async fn ask(&mut self, proposal: &Proposal, observation: &Observation) -> Option<Outcome> {
        // Bookkeeping goes along with a change that was agreed to; alone, it is asked for like any other.
        let goes_along = self.locked && proposal.change.is_bookkeeping();
        if !(self.all_agreed || goes_along) {
            self.reporter
                .report(&Event::ConfirmRequested { change: proposal.change.clone(), reason: proposal.reason.clone() });
            let reply = self.reporter.confirm(proposal, observation).await;
            self.reporter.report(&Event::ConfirmAnswered { reply });
            match reply {
                Reply::Yes => {}
                Reply::All => self.all_agreed = true,
                Reply::No => return Some(Outcome::Declined { change: proposal.change.clone() }),
                Reply::Nobody => return Some(Outcome::NobodyToAsk { change: proposal.change.clone() }),
                Reply::Interrupted => {
                    return Some(Outcome::Interrupted { signal: self.interrupt.signal().unwrap_or(2) });
                }
            }
        }
        if self.locked {
            return None;
        }
        let reporter = &mut *self.reporter;
        let mut waiting = |seen: &str| reporter.report(&Event::Locking { seen: seen.to_owned() });
        let taken = tokio::select! {
            taken = self.world.lock(&mut waiting) => taken,
            signal = self.interrupt.raised() => return Some(Outcome::Interrupted { signal }),
        };
        match taken {
            Ok(()) => {
                self.locked = true;
                None
            }
            Err(LockError::Held { holder }) => Some(Outcome::Locked { holder }),
            Err(LockError::Trouble(trouble)) => Some(Outcome::Failed { step: "lock", trouble }),
        }
    }

    /// Makes a change on a fresh observation. The record is written before the first change in the cluster, and must
    /// still be ours before every other.
    async fn make(&mut self, step: &dyn Step, change: Change, observation: &mut Observation) -> Option<Outcome> {
        // Also where the answer to writing it was lost, and it is seen to stand.
        self.opened |= self.trail.last_applied("open-run").is_some()
            || observation.statefulset.readable_record().is_some_and(|record| record.run == self.goal.run);
        if let Some(outcome) = self.fence(step, observation) {
            return Some(outcome);
        }
        if change.touches_cluster() && !self.opened {
            if let Some(outcome) = self.occupied(observation) {
                return Some(outcome);
            }
            let snapshot = self.trail.snapshot.as_ref().map(|snapshot| {
                let host = self.goal.operator.split_once('@').map_or("", |(_, host)| host);
                format!("{host}:{}", snapshot.file.display())
            });
            let record = Box::new(Record::opening(&self.goal, observation, snapshot));
            return self.apply(step, Change::OpenRun { record }, observation).await.err();
        }
        self.apply(step, change, observation).await.err()
    }

    /// A record that stands and is neither deferred nor of a run that this one takes up, or takes the place of, is another
    /// run's.
    fn occupied(&self, observation: &Observation) -> Option<Outcome> {
        let record = observation.statefulset.readable_record().filter(|record| !record.deferred)?;
        let taken = [self.goal.resumed.as_ref(), self.goal.supersedes.as_deref()];
        let taken = taken.into_iter().flatten().any(|taken| taken.run == record.run);
        (!taken).then(|| Outcome::Contradiction {
            fact: format!("{} has begun another run meanwhile", record.at_work),
            advice: "leave it to that run, or run the same command again once it has ended".to_owned(),
        })
    }

    /// Whether this run may still change anything.
    fn fence(&self, step: &dyn Step, observation: &Observation) -> Option<Outcome> {
        if let Some(why) = self.world.lock_lost() {
            return Some(Outcome::Failed {
                step: step.name(),
                trouble: Trouble::new(TroubleKind::Conflict, format!("the lock was lost: {why}"))
                    .advise("see who else is at work, then run the same command again"),
            });
        }
        if !self.opened {
            return None;
        }
        let set = &observation.statefulset;
        match set.record() {
            Ok(Some(record)) if record.run == self.goal.run => None,
            Ok(Some(record)) => Some(Outcome::Contradiction {
                fact: format!("{} has taken over the StatefulSet's run", record.at_work),
                advice: "leave it to that run".to_owned(),
            }),
            Ok(None) => Some(Outcome::Contradiction {
                fact: "the run's own annotation has vanished from the StatefulSet".to_owned(),
                advice: format!(
                    "somebody replaced or annotated the object; see what stands with: etcd-scale status --sts {} -n {}",
                    set.name, set.namespace
                ),
            }),
            Err(why) => Some(Outcome::Contradiction {
                fact: format!("the run's own annotation can no longer be read: {why}"),
                advice: "somebody else wrote it; see what stands with `etcd-scale status`".to_owned(),
            }),
        }
    }

    /// Applies one change and notes how it came out. An error only where trying again is of no use.
    async fn apply(&mut self, step: &dyn Step, change: Change, observation: &Observation) -> Result<(), Outcome> {
        if self.trail.repeats(&change) >= MOST_REPEATS {
            return Err(Outcome::Failed {
                step: step.name(),
                trouble: Trouble::new(
                    TroubleKind::Conflict,
                    format!("\"{}\" was done {MOST_REPEATS} times, and nothing shows that it was", change.sentence()),
                )
                .advise("somebody takes it back each time; find out who, then run the same command again"),
            });
        }
        self.reporter.report(&Event::ChangeStarted {
            sentence: change.sentence(),
            command: change.command(observation),
            tries: self.trail.tries(&change),
            change: change.clone(),
        });
        let began = self.world.now();
        let name = change.name();
        let reporter = &mut *self.reporter;
        let mut progress = |done, total| reporter.report(&Event::ChangeProgress { change: name, done, total });
        let applying = self.world.apply(&change, observation, &mut progress);
        let result = if change.touches_cluster() {
            applying.await
        } else {
            // What only writes a file here can be dropped half-way; a change in the cluster is seen to its end.
            tokio::select! {
                result = applying => result,
                signal = self.interrupt.raised() => return Err(Outcome::Interrupted { signal }),
            }
        };
        let now = self.world.now();
        self.trail.tried(&change, &result, now);
        match result {
            Ok(_) => {
                let seconds = now.saturating_sub(began).as_secs_f64();
                self.reporter.report(&Event::ChangeApplied { change: name, seconds });
                Ok(())
            }
            Err(trouble) => {
                let tries = self.trail.tries(&change);
                // What is not found may have been made or removed by others: the step says what that means.
                let passing = !matches!(trouble.kind, TroubleKind::Refused | TroubleKind::Internal);
                let for_good = !passing || tries > MOST_TRIES || self.trail.failing_for(name) > Some(self.goal.timeout);
                let failed = Event::ChangeFailed { change: name, trouble: trouble.clone(), tries, for_good };
                self.reporter.report(&failed);
                if for_good {
                    return Err(Outcome::Failed { step: step.name(), trouble });
                }
                self.pause(PAUSE_AFTER_FAILURE).await;
                Ok(())
            }
        }
    }

    /// The last call of a run that reached its goal: the record goes, unless it tells of a deferred rollout.
    async fn close(&mut self, observation: &mut Observation) -> Outcome {
        // What only looks ends nobody's run, and its own goal being reached says nothing of that run's.
        if self.goal.verb.only_looks() {
            return Outcome::Done;
        }
        loop {
            let Some(record) = observation.statefulset.readable_record() else { return Outcome::Done };
            let ours = record.run == self.goal.run;
            let left_behind = self.goal.resumed.as_ref().is_some_and(|resumed| resumed.run == record.run);
            // Settling ends a deferred rollout, also where others have brought the template along already.
            let settled = record.deferred && self.goal.verb == Verb::Settle;
            if !settled && (record.deferred || !(ours || left_behind)) {
                return Outcome::Done;
            }
            if !self.locked
                && let Some(outcome) = self
                    .ask(&Proposal { change: Change::CloseRun, reason: "the goal is reached".to_owned() }, observation)
                    .await
            {
                return outcome;
            }
            if let Some(outcome) = self.fence(&Closing, observation) {
                return outcome;
            }
            // The lock goes first: killed between the two, the run is one that the next finishes, while a Lease that
            // outlives its record would stay for good. The patch carries its own fence.
            self.world.unlock().await;
            if let Err(outcome) = self.apply(&Closing, Change::CloseRun, observation).await {
                return outcome;
            }
            // Whoever interrupts now is told that the run is over, if it is.
            if let Err(outcome) = self.read(&Closing, Depth::Whole, observation).await {
                return outcome;
            }
        }
    }
}

/// Names the end of a run in outcomes; it has nothing to judge.
struct Closing;

impl Step for Closing {
    fn name(&self) -> &'static str {
        "close"
    }

    fn purpose(&self) -> &'static str {
        "remove the run's record"
    }

    fn judge(&self, _: &Observation, _: &Goal, _: &Trail) -> Verdict {
        Verdict::done("")
    }
}
