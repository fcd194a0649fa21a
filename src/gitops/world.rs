//! A world with a deployment repository in front of it: what concerns the repository is done here, all else there.

use std::time::Duration;

use super::apply_command::Running;
use super::commit::{commit, push};
use super::git::Git;
use super::look::look;
use super::overlay::Repository;
use crate::model::{Answer, Change, GitOps, Known, Observation, Question};
use crate::runbook::{Apply, Depth, LockError, Trouble, TroubleKind, Wake, World};

/// The loop is not woken more often than this by what the apply command writes.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A world and the deployment repository that its StatefulSet is made from.
pub struct WithRepository<'a, W> {
    world: &'a mut W,
    repository: Repository,
    gitops: GitOps,
    running: Option<Running>,
}

impl<'a, W: World> WithRepository<'a, W> {
    /// Puts the repository in front of a world.
    pub fn new(world: &'a mut W, repository: Repository, gitops: GitOps) -> Self {
        Self { world, repository, gitops, running: None }
    }

    async fn git(&self) -> Result<Git, Trouble> {
        Git::of(&self.repository.directory).await.map_err(|said| {
            Trouble::new(TroubleKind::Refused, format!("the deployment repository cannot be used: {said}"))
        })
    }
}

impl<W: World> World for WithRepository<'_, W> {
    fn now(&self) -> Duration {
        self.world.now()
    }

    async fn observe(&mut self, depth: Depth) -> Result<Observation, Trouble> {
        // What the command says comes first: where it has ended, all that it did is seen then.
        let delivering = self.running.as_ref().map(Running::state);
        let mut observation = self.world.observe(depth).await?;
        observation.delivering = delivering;
        Ok(observation)
    }

    async fn look(
        &mut self,
        question: &Question,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Answer {
        match question {
            Question::Deployment { to } => {
                let found = Box::pin(look(&self.repository, &self.gitops, &observation.statefulset, *to)).await;
                Answer::Deployment(Known::Known(Box::new(found)))
            }
            _ => self.world.look(question, observation, progress).await,
        }
    }

    async fn apply(
        &mut self,
        change: &Change,
        observation: &Observation,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Apply, Trouble> {
        match change {
            Change::CommitPatches { files, message, .. } => commit(&self.git().await?, files, message).await?,
            Change::PushCommit { upstream } => push(&self.git().await?, upstream).await?,
            Change::ApplyOverlay { command, raise } => {
                let Repository { directory, variables, .. } = &self.repository;
                self.running = Some(Running::start(command, directory, variables, raise.as_ref().clone())?);
            }
            _ => return self.world.apply(change, observation, progress).await,
        }
        Ok(Apply::Applied)
    }

    async fn wake(&mut self, wake: Wake, limit: Duration) {
        let Some(running) = &mut self.running else { return self.world.wake(wake, limit).await };
        let written = async {
            running.changed().await;
            tokio::time::sleep(TOLD_EVERY).await;
        };
        tokio::select! {
            () = self.world.wake(wake, limit) => {}
            () = written => {}
        }
    }

    async fn lock(&mut self, waiting: &mut dyn FnMut(&str)) -> Result<(), LockError> {
        self.world.lock(waiting).await
    }

    fn lock_lost(&self) -> Option<String> {
        self.world.lock_lost()
    }

    async fn unlock(&mut self) {
        self.world.unlock().await;
    }
}
