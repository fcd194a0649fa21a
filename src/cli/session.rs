//! What every verb begins with: who runs it, the connection, the first observation.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{Access, access};
use serde_json::Value;
use uuid::Uuid;

use super::args::{ClusterAccess, DryRun, Running, Storage, Target};
use super::called::Called;
use super::exit;
use crate::cluster::{Cluster, Password};
use crate::gitops::{Repository, WithRepository};
use crate::model::{
    Change, Goal, GoalRefusal, JoinChoice, Observation, RUN_ANNOTATION_POINTER, Request, SnapshotChoice, Verb,
};
use crate::report::{Console, ReportHead, quoted};
use crate::runbook::{Depth, Event, Interrupt, Options, Reporter, Run, Step, Summary, Trouble, TroubleKind, World};
use crate::steps::{self, Snapshot};

/// A request with nothing asked for yet.
pub(super) fn request(verb: Verb, timeout: Duration) -> Request {
    Request {
        verb,
        to: None,
        by: None,
        replacement: None,
        claims: None,
        rollout: None,
        hash: None,
        deep: false,
        size_env: None,
        join: JoinChoice::Auto,
        // Whole, because the record names it to people on other machines.
        snapshot: SnapshotChoice::In(std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))),
        ignore_reconciler: false,
        ignore_diskpools: false,
        volume_template: None,
        gitops: None,
        timeout,
        pause_before: None,
        run: Uuid::now_v7().to_string(),
        operator: operator(),
        started: jiff::Timestamp::now().to_string(),
    }
}

/// The same, with the options of verbs that change something.
///
/// # Errors
/// When a step is named that the verb does not have.
pub(super) fn running_request(verb: Verb, running: &Running, by_commit: bool) -> Result<Request, Trouble> {
    let names = steps::names(verb, by_commit);
    if let Some(step) = &running.pause_before
        && !names.iter().any(|known| known == step)
    {
        return Err(Trouble::new(
            TroubleKind::Refused,
            format!("there is no step {step}; the steps are {}", names.join(", ")),
        ));
    }
    let mut request = request(verb, running.timeout);
    request.pause_before.clone_from(&running.pause_before);
    request.ignore_reconciler = running.ignore_reconciler;
    Ok(request)
}

/// Adds what was said about the new member's storage.
///
/// # Errors
/// When the volume template cannot be read, or is neither YAML nor JSON.
pub(super) fn storage(request: &mut Request, storage: &Storage) -> Result<(), Trouble> {
    request.ignore_diskpools = storage.ignore_diskpools;
    let Some(file) = &storage.volume_template else { return Ok(()) };
    let wrong = |what: String| {
        Trouble::new(TroubleKind::Refused, format!("cannot use the volume template {}: {what}", file.display()))
            .advise("--volume-template takes a file with one PersistentVolume")
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let object = serde_saphyr::from_str(&text).map_err(|error| {
        // The first line says what is wrong and where; the rest is a picture of it.
        let said = error.to_string();
        wrong(format!("it is no YAML: {}", said.lines().next().unwrap_or_default().trim_start_matches("error: ")))
    })?;
    request.volume_template = Some(object);
    Ok(())
}

/// `user@host`, as it is noted in the lock, the record and Events.
fn operator() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid{}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}

/// Asks for the password of etcd's user, where one is named without.
///
/// # Errors
/// When there is nobody to ask.
pub(super) async fn ask_password(access: &mut ClusterAccess, console: &mut Console) -> Result<(), Trouble> {
    let Some(user) = access.etcd.user.as_mut().filter(|user| user.password.is_none()) else { return Ok(()) };
    let password = match std::env::var("ETCDCTL_PASSWORD") {
        Ok(password) => password,
        Err(_) => console.password(&format!("Password of etcd's user {}: ", user.name)).await.ok_or_else(|| {
            Trouble::new(TroubleKind::Refused, format!("no password was given for etcd's user {}", user.name))
                .advise("set ETCDCTL_PASSWORD, or run at a terminal")
        })?,
    };
    user.password = Some(Password::new(password));
    Ok(())
}

/// Has the commands that are advised lead to the same cluster and StatefulSet again.
pub(super) fn lead(console: &mut Console, access: &ClusterAccess, sts: Option<&str>) {
    let namespace = access.namespace.as_ref().map_or_else(String::new, |name| format!(" -n {}", quoted(name)));
    let set = sts.map(|sts| format!(" --sts {}{namespace}", quoted(sts)));
    console.lead_to(access.cluster_options(), access.etcd.options(), set.unwrap_or_default());
}

/// Opens the connection and looks for the first time.
///
/// # Errors
/// When the cluster, namespace or StatefulSet is not there, may not be read, or is not etcd.
pub(super) async fn open(target: &Target, request: &Request) -> Result<(Cluster, Observation), Trouble> {
    let mut cluster = Cluster::open(
        &target.access.connection(),
        target.access.etcd.reach(),
        target.access.namespace.clone(),
        target.sts.clone(),
        request.operator.clone(),
        &request.run,
    )
    .await?;
    let observation = cluster.observe(Depth::Whole).await?;
    if observation.statefulset.template.etcd().is_none() {
        return Err(Trouble::new(TroubleKind::Refused, crate::steps::not_etcd(&observation.statefulset))
            .advise("name the StatefulSet that runs etcd with --sts, and its container with --container"));
    }
    Ok((cluster, observation))
}

/// Walks steps that may change something, from the request to the exit code and the end of what is printed.
pub(super) async fn change(
    target: &Target,
    running: &Running,
    request: Request,
    repository: Option<Repository>,
    console: &mut Console,
    interrupt: Interrupt,
) -> u8 {
    let code = match report(target, running, &request, console) {
        Ok(()) => walk(target, running, request, repository, console, interrupt).await,
        Err(trouble) => refuse(console, &trouble),
    };
    end(console, code)
}

/// Has a report made of the run, where one is asked for.
///
/// # Errors
/// When its file cannot be written.
pub(super) fn report(
    target: &Target,
    running: &Running,
    request: &Request,
    console: &mut Console,
) -> Result<(), Trouble> {
    let statefulset = match &target.access.namespace {
        Some(namespace) => format!("{namespace}/{}", target.sts),
        None => target.sts.clone(),
    };
    let head = ReportHead {
        verb: request.verb.word(),
        statefulset,
        operator: request.operator.clone(),
        command: Called::now().line(),
    };
    console.report_to(running.report.clone(), head)
}

/// The end of what is written and printed. The exit code, which tells of a report too that could not be written.
pub(super) fn end(console: &mut Console, code: u8) -> u8 {
    let written = console.write_report(code);
    let code = if code == exit::DONE && !written { exit::FAILED } else { code };
    console.end(code);
    code
}

/// The same, where more may follow.
pub(super) async fn walk(
    target: &Target,
    running: &Running,
    request: Request,
    repository: Option<Repository>,
    console: &mut Console,
    interrupt: Interrupt,
) -> u8 {
    lead(console, &target.access, Some(&target.sts));
    let (mut cluster, observation) = match open(target, &request).await {
        Ok(opened) => opened,
        Err(trouble) => return refuse(console, &trouble),
    };
    console.reached(cluster.server());
    let goal = Goal::resolve(&request, &observation);
    let nothing_to_do = matches!(goal, Err(GoalRefusal::NothingToDo(_)));
    // A run at work explains whatever else is half-done, so it is looked for before anything is held against it.
    let held = observation.lock.known().and_then(Option::as_ref).is_some_and(|lock| !lock.holder.is_empty());
    if held && running.dry_run.is_none() {
        let mut waiting = |seen: &str| console.locking(seen);
        let probed = tokio::select! {
            probed = cluster.probe_lock(&mut waiting) => probed,
            signal = interrupt.raised() => {
                let what = "interrupted while it was found out whether another run is still at work";
                console.refused(&Trouble::new(TroubleKind::Refused, what), exit::of_signal(signal));
                return exit::of_signal(signal);
            }
        };
        match probed {
            // Killed in its last moment, it left nothing else.
            Ok(()) if nothing_to_do => cluster.clear_lock().await,
            Ok(()) => {}
            Err(_) if nothing_to_do => {}
            Err(error) => {
                let trouble = Trouble::new(TroubleKind::Refused, error.to_string())
                    .advise("wait for it to end, or look at what it does with `etcd-scale status`");
                console.refused(&trouble, exit::of_lock(&error));
                return exit::of_lock(&error);
            }
        }
    }
    let goal = match goal {
        Ok(goal) => goal,
        Err(refusal) => return no_goal(console, &refusal),
    };
    let options = Options { yes: running.yes, dry_run: running.dry_run.is_some() };
    let steps = steps::towards(&goal, &observation);
    let saves = steps.iter().any(|step| step.name() == Snapshot.name());
    if saves && let Some(trouble) = no_place_for_snapshot(&goal) {
        return refuse(console, &trouble);
    }
    let summary = match (repository, goal.gitops.clone()) {
        (Some(repository), Some(gitops)) => {
            let mut world = WithRepository::new(&mut cluster, repository, gitops);
            Box::pin(Run::new(steps, goal, &mut world, console, interrupt, options).drive(observation)).await
        }
        _ => Box::pin(Run::new(steps, goal, &mut cluster, console, interrupt, options).drive(observation)).await,
    };
    let half_way = summary.resumed.is_some() || summary.changes.iter().any(Change::touches_cluster);
    let mut code = exit::of_outcome(&summary.outcome, half_way);
    if running.dry_run == Some(DryRun::Server) && !rehearse(&cluster, &summary, console).await {
        code = exit::REFUSED;
    }
    code
}

/// Why the snapshot cannot go where it is to go. The write itself would refuse it too, but only once the operator has agreed
/// to it, and where a member is replaced only after the broken one is gone.
fn no_place_for_snapshot(goal: &Goal) -> Option<Trouble> {
    if goal.resumed.is_some() {
        return None;
    }
    let refused = |what: String| Trouble::new(TroubleKind::Refused, what);
    let directory = match &goal.snapshot {
        SnapshotChoice::None => return None,
        SnapshotChoice::File(file) if file.exists() => {
            let what = format!("{} exists already, and a snapshot overwrites nothing", file.display());
            let advice = "name another file; or, where it is a snapshot of just now, say --no-snapshot";
            return Some(refused(what).advise(advice));
        }
        SnapshotChoice::File(file) => file.parent()?,
        SnapshotChoice::In(directory) => directory,
    };
    let error = access(directory, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let what = format!("the snapshot cannot be written into {}: {error}", directory.display());
    Some(refused(what).advise("name a file with --snapshot, in a directory that is there and may be written"))
}

/// Has the API server check what was foreseen and can be checked. Whether it would take it all.
async fn rehearse(cluster: &Cluster, summary: &Summary, console: &mut Console) -> bool {
    let mut taken = true;
    let mut set = BTreeSet::new();
    for planned in summary.plan.iter().flat_map(|plan| &plan.changes) {
        let mut operations = planned.patch.clone().unwrap_or_default();
        // What an earlier change sets, the record too, is not on the object yet, so its test has to stay out.
        let path = |operation: &Value| operation["path"].as_str().unwrap_or_default().to_owned();
        operations.retain(|operation| operation["op"] != "test" || !set.contains(&path(operation)));
        // What is noted in the record rests on it.
        operations.retain(|operation| path(operation) != RUN_ANNOTATION_POINTER);
        if !matches!(planned.change, Change::PatchConfigMap { .. }) {
            set.extend(operations.iter().filter(|operation| operation["op"] != "test").map(path));
        }
        let Some(rehearsed) = cluster.rehearse(&planned.change, operations).await else { continue };
        taken &= rehearsed.is_ok();
        console.report(&Event::Rehearsed { change: planned.change.name(), trouble: rehearsed.err() });
    }
    taken
}

/// Walks steps that only look, from the request to the end of the run.
pub(super) async fn look(
    cluster: &mut Cluster,
    observation: Observation,
    steps: Vec<Box<dyn Step>>,
    goal: Goal,
    console: &mut Console,
    interrupt: Interrupt,
) -> Summary {
    Box::pin(Run::new(steps, goal, cluster, console, interrupt, Options::default()).drive(observation)).await
}

/// Says what was wrong with the command line.
pub(super) fn wrong_usage(console: &mut Console, trouble: &Trouble) -> u8 {
    console.refused(trouble, exit::USAGE);
    exit::USAGE
}

/// Says why nothing was begun.
pub(super) fn refuse(console: &mut Console, trouble: &Trouble) -> u8 {
    let code = exit::of_trouble(trouble);
    console.refused(trouble, code);
    code
}

/// Says why there is no goal.
pub(super) fn no_goal(console: &mut Console, refusal: &GoalRefusal) -> u8 {
    let code = exit::of_goal(refusal);
    match refusal {
        GoalRefusal::NothingToDo(why) => console.nothing_to_do(why),
        GoalRefusal::Refused { fact, advice } | GoalRefusal::Contradiction { fact, advice } => {
            console.refused(&Trouble::new(TroubleKind::Refused, fact).advise(advice), code);
        }
    }
    code
}
