//! How a goal is worked out: what was asked for, against the cluster as it is and the record that a run has left there.

use super::{
    Goal, GoalRefusal, Observation, RUN_ANNOTATION, Record, Request, RolloutPolicy, Stage, StatefulSet, Verb,
    pods_without_members, quorum_after_losing_one, replaceable, round_of,
};

impl Goal {
    /// Works out the goal of a request against the cluster as it is.
    ///
    /// # Errors
    /// When there is nothing to do, or the request does not fit the cluster or its record.
    pub fn resolve(request: &Request, observation: &Observation) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let record = set.record().map_err(|why| GoalRefusal::Refused {
            fact: format!("the annotation {RUN_ANNOTATION} cannot be understood: {why}"),
            advice: "finish the run with the version of etcd-scale that began it".to_owned(),
        })?;
        match request.verb {
            Verb::Up | Verb::Check => Self::resolve_up(request, observation, record),
            Verb::Down => Self::resolve_down(request, observation, record),
            Verb::Replace => Self::resolve_replace(request, observation, record),
            Verb::Abort => Self::resolve_abort(request, observation, record),
            Verb::Settle => Self::resolve_settle(request, observation, record),
            Verb::Verify => Ok(Self::as_it_stands(request, observation)),
        }
    }

    /// The goal of looking at the cluster as it stands, without a wish to change it.
    pub fn as_it_stands(request: &Request, observation: &Observation) -> Self {
        let replicas = observation.statefulset.replicas;
        Self::of(request, replicas, replicas, None, None)
    }

    fn resolve_up(request: &Request, observation: &Observation, record: Option<Record>) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let size = set.replicas;
        let command = |verb: &str| set.command(verb);
        if let Some(record) = record.clone().filter(|record| !record.deferred) {
            if record.verb != Verb::Up {
                return Err(unfinished(observation, &record));
            }
            if let Some(refusal) = another_size(request, set, &record) {
                return Err(refusal);
            }
            if let Some(refusal) = Self::another_way(request, &record) {
                return Err(refusal);
            }
            if !(record.from..=record.to).contains(&size) {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run takes the cluster from {} to {}, but the StatefulSet now asks for {size} pods",
                        record.from, record.to
                    ),
                    advice: format!("somebody changed replicas meanwhile; look with: {}", command("status")),
                });
            }
            if Stage::of(observation) == Stage::Overtaken {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run takes the cluster from {} to {}, but pods and members no longer fit each other: \
                         the StatefulSet asks for {size} pods, and the new member was removed or promoted by hand",
                        record.from, record.to
                    ),
                    advice: format!(
                        "finish by hand what was begun by hand, look with: {}; then clear the goal with: {}",
                        command("status"),
                        command("abort")
                    ),
                });
            }
            return Ok(Self::of(request, record.from, record.to, Some(record.clone()), Some(record.strategy)));
        }
        let to = match (request.to, request.by) {
            (Some(to), _) => to,
            (None, by) => size.saturating_add(by.unwrap_or(1)),
        };
        if size < 1 {
            return Err(GoalRefusal::Refused {
                fact: "the StatefulSet asks for 0 pods, so there is no cluster to grow".to_owned(),
                advice: "start its first member before anything else".to_owned(),
            });
        }
        if to < size {
            return Err(GoalRefusal::Refused {
                fact: format!("the cluster has {size} pods, and {to} is fewer"),
                advice: format!("`up` only grows; shrink with: {} --to {to}", command("down")),
            });
        }
        if to == size {
            return Err(Self::already_there(observation, to, record.is_some_and(|record| record.deferred)));
        }
        if request.gitops.is_some() && to > size + 1 {
            return Err(GoalRefusal::Refused {
                fact: format!("from {size} to {to} is more than one step, and by commits it is one step a run"),
                advice: format!("go there one at a time: {} --to {}", command("up"), size + 1),
            });
        }
        Ok(Self::of(request, size, to, None, record.map(|record| record.strategy)))
    }

    /// What was begun by a commit is not finished by a patch, nor the other way round: the two would undo each other.
    fn another_way(request: &Request, record: &Record) -> Option<GoalRefusal> {
        let begun =
            format!("an unfinished run of {} takes the cluster from {} to {}", record.by, record.from, record.to);
        let (fact, advice) = match (&record.overlay, &request.gitops) {
            (Some(overlay), None) => (
                format!("{begun} by a commit to {overlay} of a deployment repository"),
                "finish it the same way: name a clone of that repository with --gitops DIR".to_owned(),
            ),
            (None, Some(_)) => {
                (format!("{begun} by patches, not by a commit"), "finish it the same way: without --gitops".to_owned())
            }
            (Some(overlay), Some(gitops)) if *overlay != gitops.overlay => (
                format!("{begun} by a commit to {overlay}, and {} was named", gitops.overlay),
                format!("finish it the same way: --overlay {overlay}"),
            ),
            _ => return None,
        };
        (request.verb == Verb::Up).then_some(GoalRefusal::Contradiction { fact, advice })
    }

    /// What to say when the StatefulSet has the size asked for. Only a known, whole membership is "nothing to do".
    fn already_there(observation: &Observation, to: i32, deferred: bool) -> GoalRefusal {
        let set = &observation.statefulset;
        let members = match observation.members.known() {
            Some(members) if members.by_quorum => members,
            Some(_) => {
                return GoalRefusal::Refused {
                    fact: "the member list could be read from one member only, without a quorum".to_owned(),
                    advice: "see which members are missing with `etcd-scale status`".to_owned(),
                };
            }
            None => {
                return GoalRefusal::Refused {
                    fact: format!(
                        "the member list could not be read: {}",
                        observation.members.reason().unwrap_or_default()
                    ),
                    advice: "see which members answer with `etcd-scale status`".to_owned(),
                };
            }
        };
        let voters = members.voters().count();
        if voters == usize::try_from(to).unwrap_or_default() && members.learners().next().is_none() {
            let note = if deferred {
                format!("; the rollout to the older members is deferred: {}", set.command("settle"))
            } else {
                String::new()
            };
            return GoalRefusal::NothingToDo(format!("{} has {to} pods and {voters} voters already{note}", set.name));
        }
        GoalRefusal::Refused {
            fact: format!(
                "the StatefulSet asks for {to} pods, but etcd has {voters} voters and {} learners, and no run of \
                 etcd-scale left this behind",
                members.learners().count()
            ),
            advice: pods_without_members(observation).map_or_else(
                || "see what is half-done with `etcd-scale status`, and finish it the way it was begun".to_owned(),
                |fact| fact.advice,
            ),
        }
    }

    fn resolve_down(request: &Request, observation: &Observation, record: Option<Record>) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let size = set.replicas;
        let command = |verb: Verb| command(set, verb);
        if let Some(record) = record.clone().filter(|record| !record.deferred) {
            if record.verb != Verb::Down {
                return Err(unfinished(observation, &record));
            }
            if let Some(refusal) = another_size(request, set, &record) {
                return Err(refusal);
            }
            if !(record.to..=record.from).contains(&size) {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run takes the cluster from {} to {}, but the StatefulSet now asks for {size} pods",
                        record.from, record.to
                    ),
                    advice: format!(
                        "somebody changed replicas meanwhile; look with: {}; clear the goal with: {}",
                        set.command("status"),
                        command(Verb::Abort)
                    ),
                });
            }
            return Ok(Self::of(request, record.from, record.to, Some(record.clone()), Some(record.strategy)));
        }
        let to = request.to.unwrap_or_else(|| size.saturating_sub(request.by.unwrap_or(1)));
        if to > size {
            return Err(GoalRefusal::Refused {
                fact: format!("the cluster has {size} pods, and {to} is more"),
                advice: format!("`down` only shrinks; grow with: {} --to {to}", command(Verb::Up)),
            });
        }
        if to < 1 {
            return Err(GoalRefusal::Refused {
                fact: format!("{size} pods less {} leave no member", size.saturating_sub(to)),
                advice: "the last member is never removed; to be rid of the cluster, delete the StatefulSet".to_owned(),
            });
        }
        if to == size {
            return Err(Self::already_there(observation, to, record.is_some_and(|record| record.deferred)));
        }
        if to < 3 && request.to.is_none() {
            return Err(GoalRefusal::Refused {
                fact: if to == 1 { "one member survives no loss" } else { "two members survive the loss of none" }
                    .to_owned(),
                advice: format!("where that is meant, say so: {} --to {to}", command(Verb::Down)),
            });
        }
        Ok(Self::of(request, size, to, None, record.map(|record| record.strategy)))
    }

    fn resolve_replace(
        request: &Request,
        observation: &Observation,
        record: Option<Record>,
    ) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let size = set.replicas;
        let pod = request.replacement.as_ref().map_or("", |replacement| replacement.pod.as_str());
        let Some(ordinal) = set.ordinals(size).find(|ordinal| set.pod_name(*ordinal) == pod) else {
            let pods: Vec<_> = set.ordinals(size).map(|ordinal| set.pod_name(ordinal)).collect();
            return Err(GoalRefusal::Refused {
                fact: format!("{pod} is no pod of StatefulSet {}", set.name),
                advice: format!("name one of {}", pods.join(", ")),
            });
        };
        let mut supersedes = None;
        if let Some(record) = record.clone().filter(|record| !record.deferred) {
            let own = record.replaced.as_ref().is_some_and(|replaced| replaced.ordinal == ordinal);
            if waits_in_vain(observation, ordinal, own) {
                supersedes = Some(Box::new(record));
            } else if !own {
                return Err(unfinished(observation, &record));
            } else if size != record.to {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run replaces {pod} among {} pods, but the StatefulSet now asks for {size}",
                        record.to
                    ),
                    advice: format!("somebody changed replicas meanwhile; look with: {}", set.command("status")),
                });
            } else {
                return Ok(Self::of(request, size, size, Some(record.clone()), Some(record.strategy)));
            }
        }
        if size < 2 {
            return Err(GoalRefusal::Refused {
                fact: "it is the only member, so there is no other to get the data from".to_owned(),
                advice: "restore a snapshot instead: etcdutl snapshot restore (etcdctl before 3.5)".to_owned(),
            });
        }
        let goal = Self::of(request, size, size, None, record.map(|record| record.strategy));
        Ok(Self { replaces: Some(ordinal), supersedes, ..goal })
    }

    fn resolve_abort(
        request: &Request,
        observation: &Observation,
        record: Option<Record>,
    ) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let Some(record) = record else {
            return Err(GoalRefusal::NothingToDo(format!("no run is unfinished on {}", set.name)));
        };
        if record.deferred {
            let voters = observation.members.known().map(|members| members.voters().count());
            let gap = voters.is_some_and(|voters| !quorum_after_losing_one(voters));
            return Err(GoalRefusal::NothingToDo(format!(
                "the run is finished but for its rollout: {}{}",
                command(set, Verb::Settle),
                if gap { " --rollout now, with a gap without quorum" } else { "" }
            )));
        }
        let strategy = Some(record.strategy.clone());
        // What is left of a run that is taken back is never spread over more members.
        let back = |from, to| {
            let goal = Self::of(request, from, to, Some(record.clone()), strategy.clone());
            Ok(Self { rollout: RolloutPolicy::Defer, ..goal })
        };
        if record.verb == Verb::Abort {
            return back(record.from, record.to);
        }
        let stage = Stage::of(observation);
        let round = round_of(observation, &record);
        match (record.verb, stage, round) {
            (Verb::Up, stage, Some((from, to))) if stage.is_before_vote() => back(to, from),
            (_, Stage::Unknown, _) => Err(GoalRefusal::Refused {
                fact: "the member list could not be read by a quorum, so it cannot be told what stands".to_owned(),
                advice: format!("see which members answer with: {}", set.command("status")),
            }),
            (_, Stage::Opened, _) | (Verb::Up | Verb::Down, Stage::Overtaken, _) => {
                cleared(observation, &record)?;
                back(set.replicas, set.replicas)
            }
            (Verb::Up, Stage::BetweenRounds | Stage::Promoted | Stage::Settled, _) => {
                let down = format!("{} --to {}", command(set, Verb::Down), record.from);
                Err(GoalRefusal::Refused {
                    fact: "the new member votes already, so there is nothing to take back".to_owned(),
                    advice: format!("finish the run: {}; then shrink: {down}", record.command(set)),
                })
            }
            _ => Err(unfinished(observation, &record)),
        }
    }

    fn resolve_settle(
        request: &Request,
        observation: &Observation,
        record: Option<Record>,
    ) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let Some(record) = record else {
            return Err(GoalRefusal::NothingToDo(format!("{} has no deferred rollout of etcd-scale", set.name)));
        };
        if record.verb != Verb::Settle && !record.deferred {
            return Err(unfinished(observation, &record));
        }
        if request.rollout == Some(RolloutPolicy::Defer) {
            return Err(GoalRefusal::NothingToDo("the rollout is deferred already".to_owned()));
        }
        let strategy = record.strategy.clone();
        let resumed = (record.verb == Verb::Settle && !record.deferred).then_some(record.clone());
        let mut goal = Self::of(request, set.replicas, set.replicas, resumed, Some(strategy));
        if goal.rollout == RolloutPolicy::Defer {
            goal.rollout = request.rollout.unwrap_or(RolloutPolicy::Guarded);
        }
        Ok(goal)
    }
}

fn command(set: &StatefulSet, verb: Verb) -> String {
    set.command(verb.word())
}

/// An unfinished run to one size is not finished by asking for another.
fn another_size(request: &Request, set: &StatefulSet, record: &Record) -> Option<GoalRefusal> {
    let to = request.to.filter(|to| *to != record.to)?;
    Some(GoalRefusal::Contradiction {
        fact: format!(
            "an unfinished run of {} takes the cluster from {} to {}, and --to {to} was asked for",
            record.by, record.from, record.to
        ),
        advice: format!("finish it first: {}", record.command(set)),
    })
}

/// Another run has to be finished, or taken back, first.
fn unfinished(observation: &Observation, record: &Record) -> GoalRefusal {
    let set = &observation.statefulset;
    let abort = if record.verb == Verb::Up && Stage::of(observation).is_before_vote() {
        format!(", or take it back: {}", command(set, Verb::Abort))
    } else {
        String::new()
    };
    GoalRefusal::Contradiction {
        fact: format!("an unfinished `{}` of {} stands on the StatefulSet", record.verb.word(), record.by),
        advice: format!("finish it first: {}{abort}", record.command(set)),
    }
}

/// Whether an unfinished run that has all its members waits for one that was lost since, in vain. `own` is whether that is
/// its own replacement, which may be only away for a moment.
fn waits_in_vain(observation: &Observation, ordinal: i32, own: bool) -> bool {
    let broken = replaceable(observation).filter(|(broken, _)| *broken == ordinal);
    broken.is_some_and(|(_, lost)| lost || !own) && Stage::of(observation).is_between_members()
}

/// A goal that was overtaken by hand is cleared only where pods and members fit each other again.
fn cleared(observation: &Observation, record: &Record) -> Result<(), GoalRefusal> {
    let set = &observation.statefulset;
    let members = observation.members.known();
    let (voters, learners) = members.map_or((0, 0), |members| (members.voters().count(), members.learners().count()));
    if i32::try_from(voters) == Ok(set.replicas) && learners == 0 {
        return Ok(());
    }
    Err(GoalRefusal::Contradiction {
        fact: format!(
            "an unfinished `{}` was overtaken by hand: the StatefulSet asks for {} pods, and etcd has {voters} voters \
             and {learners} learners",
            record.verb.word(),
            set.replicas
        ),
        advice: "bring pods and members to the same number by hand; then the goal can be cleared".to_owned(),
    })
}
