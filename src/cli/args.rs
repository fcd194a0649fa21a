//! What may be said on the command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cluster::{Connection, Password, Reach, User};
use crate::model::{
    ClaimPolicy, HashPolicy, JoinChoice, MOST_MEMBERS, Request, RolloutPolicy, SizeEnv, SnapshotChoice, Via,
};
use crate::report::{Color, Format, ReportFile, Style};

/// Changes the size of an etcd cluster that runs as a Kubernetes StatefulSet.
#[derive(Debug, Parser)]
#[command(
    name = "etcd-scale",
    version,
    about = "Change the size of an etcd cluster that runs as a Kubernetes StatefulSet, step by step",
    long_about = "Change the size of an etcd cluster that runs as a Kubernetes StatefulSet.\n\n\
        etcd-scale is a runbook that runs itself: it checks, shows what it would do, asks, does one thing, waits for \
        the proof, and goes on. Stopped anywhere, the same command takes it up again, from any machine.",
    after_help = "Exit codes: 0 done or nothing to do, 1 failed half-way, 2 usage, 3 refused and nothing changed, \
        4 declined or nobody to ask, 5 timed out, 6 contradicts an unfinished run, 7 another run is at work, \
        70 a fault of etcd-scale's own, 130 and 143 interrupted"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Grow, by one member by default
    #[command(after_long_help = UP_STEPS)]
    Up(Up),
    /// Shrink, by one member by default
    #[command(after_long_help = DOWN_STEPS)]
    Down(Down),
    /// Rebuild a dead, corrupt or emptied member from the others
    #[command(after_long_help = REPLACE_STEPS)]
    Replace(Replace),
    /// Take back a scale-up that is half-way, or drop the record of one that is overtaken
    #[command(after_long_help = ABORT_STEPS)]
    Abort(Abort),
    /// Bring a deferred rollout to the older members
    #[command(after_long_help = SETTLE_STEPS)]
    Settle(Settle),
    /// Make all checks of `up`, change nothing
    Check(Check),
    /// Show members, pods, volumes, the stage, and what to do next; with -A, one line for each etcd there is
    Status(Status),
    /// Prove health, membership and equal data; with --deep, find the keys that differ
    Verify(Verify),
    /// Save and verify a snapshot
    Snapshot(Snapshot),
    /// Run a cluster on loopback, to try, rehearse and test
    Sandbox(Sandbox),
    /// Print the script that has a shell complete what is typed, names in the cluster included
    #[command(after_long_help = COMPLETIONS)]
    Completions(Completions),
    /// Print the manual, or write a page for each verb
    #[command(after_long_help = MANUAL)]
    Man(Man),
}

impl Command {
    /// How the cluster is reached that it is about; none where it is about none.
    pub(super) fn access_mut(&mut self) -> Option<&mut ClusterAccess> {
        match self {
            Self::Up(Up { target, .. })
            | Self::Down(Down { target, .. })
            | Self::Replace(Replace { target, .. })
            | Self::Abort(Abort { target, .. })
            | Self::Settle(Settle { target, .. })
            | Self::Check(Check { target, .. })
            | Self::Verify(Verify { target, .. })
            | Self::Snapshot(Snapshot { target, .. }) => Some(&mut target.access),
            Self::Status(Status { access, .. }) => Some(access),
            Self::Sandbox(_) | Self::Completions(_) | Self::Man(_) => None,
        }
    }
}

const UP_STEPS: &str = "Steps: precheck, snapshot, then for each new member clear-claims, create-volume, add-learner, \
    patch-statefulset, wait-join, restore-command, promote, verify, and at last settle-rollout, verify.\nWith --gitops: \
    precheck, snapshot, clear-claims, create-volume, add-learner, guard, commit-patches, apply-overlay, wait-join, promote, verify, await-command, settle-rollout, verify.\nEvery change is asked for first; --dry-run shows them all, --yes agrees to them all.";

const DOWN_STEPS: &str = "Steps: precheck, snapshot, then for each member that goes, the highest ordinal first, \
    remove-member, patch-statefulset, wait-leave, verify, and at last clear-claims, settle-rollout, verify.\nA leader hands \
    over before it goes. Every change is asked for first; --dry-run shows them all, --yes agrees to them all.";

const REPLACE_STEPS: &str = "Steps: precheck, remove-member, snapshot, hold-pods, renew-pod, create-volume, add-learner, \
    wait-join, promote, verify, settle-rollout, verify.\nThe pod's claims are deleted: what the member held comes from the \
    others. Every change is asked for first; --dry-run shows them all, --yes agrees to them all.";

const ABORT_STEPS: &str = "Steps: precheck, remove-member, take-back, wait-leave, clear-claims, settle-rollout, verify.\n\
    Once the new member votes there is nothing to take back: shrink with `down`.";

const SETTLE_STEPS: &str = "Steps: precheck, settle-rollout, verify.";

const COMPLETIONS: &str = "To begin with it in every new shell:\n  \
    bash: echo 'source <(etcd-scale completions bash)' >> ~/.bashrc\n  \
    zsh:  echo 'source <(etcd-scale completions zsh)' >> ~/.zshrc, below compinit\n  \
    fish: echo 'etcd-scale completions fish | source' >> ~/.config/fish/config.fish\n\
    The script asks this program at every Tab. Contexts, namespaces, StatefulSets that run etcd, their pods and the steps \
    are completed as they are at that moment; what is not known within a second is left out.\nFor `kubectl etcd-scale`, \
    link this program as kubectl_complete-etcd_scale beside kubectl-etcd_scale: kubectl asks it.";

const MANUAL: &str = "To read it: etcd-scale man | man -l -\nTo install it, for `man etcd-scale-up` and the others: \
    etcd-scale man ~/.local/share/man/man1";

#[derive(Debug, Args)]
pub(super) struct Output {
    /// Form of the results on standard output; a run's text goes to standard error
    #[arg(short = 'o', long = "output", global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(super) format: OutputFormat,

    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(super) color: ColorWhen,

    /// Show commands and bookkeeping; twice and thrice, the libraries' logs
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(super) verbose: u8,

    /// Show only questions, the end and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(super) quiet: bool,
}

impl Output {
    pub(super) fn style(&self) -> Style {
        Style {
            format: match self.format {
                OutputFormat::Text => Format::Text,
                OutputFormat::Json => Format::Json,
                OutputFormat::Ndjson => Format::Ndjson,
            },
            color: match self.color {
                ColorWhen::Auto => Color::Auto,
                ColorWhen::Always => Color::Always,
                ColorWhen::Never => Color::Never,
            },
            verbose: self.verbose > 0,
            quiet: self.quiet,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One document at the end
    Json,
    /// One event a line, as they happen
    Ndjson,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum ColorWhen {
    /// At a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Which StatefulSet, in which cluster.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The StatefulSet that runs etcd
    #[arg(long, value_name = "NAME")]
    pub(super) sts: String,

    #[command(flatten)]
    pub(super) access: ClusterAccess,
}

/// Which cluster and namespace, and how the API server and etcd are reached.
#[derive(Debug, Args)]
pub(super) struct ClusterAccess {
    /// The namespace [default: the context's]
    #[arg(short, long)]
    pub(super) namespace: Option<String>,

    /// Kubeconfig file [default: as kubectl's]
    #[arg(long, value_name = "FILE", help_heading = "Kubernetes")]
    pub(super) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(super) context: Option<String>,

    /// Act as this user
    #[arg(long = "as", value_name = "USER", help_heading = "Kubernetes")]
    pub(super) impersonate: Option<String>,

    /// Act as a member of this group; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", requires = "impersonate", help_heading = "Kubernetes")]
    pub(super) impersonate_groups: Vec<String>,

    /// How long one call may take
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time, help_heading = "Kubernetes")]
    pub(super) request_timeout: Duration,

    #[command(flatten)]
    pub(super) etcd: EtcdAccess,
}

/// How etcd is reached; the names and variables are etcdctl's.
#[derive(Debug, Args)]
pub(super) struct EtcdAccess {
    /// How to ask the members
    #[arg(long, value_enum, default_value_t, value_name = "WAY", help_heading = "etcd")]
    pub(super) via: ViaChoice,

    /// Where the members are with --via direct, each named after its pod [default: the pods' own addresses]
    #[arg(long, env = "ETCDCTL_ENDPOINTS", value_delimiter = ',', value_name = "URL", help_heading = "etcd")]
    pub(super) endpoints: Vec<String>,

    /// The container that runs etcd [default: the one that looks like it]
    #[arg(long, value_name = "NAME", help_heading = "etcd")]
    pub(super) container: Option<String>,

    /// The authority that the members' certificates are checked against [default: what etcd's own flags name]
    #[arg(long, env = "ETCDCTL_CACERT", value_name = "FILE", help_heading = "etcd")]
    pub(super) cacert: Option<PathBuf>,

    /// The certificate to show to the members [default: what etcd's own flags name]
    #[arg(long, env = "ETCDCTL_CERT", value_name = "FILE", requires = "key", help_heading = "etcd")]
    pub(super) cert: Option<PathBuf>,

    /// Its key
    #[arg(long, env = "ETCDCTL_KEY", value_name = "FILE", requires = "cert", help_heading = "etcd")]
    pub(super) key: Option<PathBuf>,

    /// User of etcd; the password is asked for where neither this nor `ETCDCTL_PASSWORD` has it
    #[arg(
        long,
        env = "ETCDCTL_USER",
        hide_env_values = true,
        value_name = "NAME[:PASSWORD]",
        value_parser = UserName::parse,
        help_heading = "etcd"
    )]
    pub(super) user: Option<UserName>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ViaChoice {
    /// Within the cluster direct, where a pod can be reached; else the first of these that is permitted
    #[default]
    Auto,
    /// gRPC through the Kubernetes port-forward
    PortForward,
    /// `etcdctl` in the pods; streams no snapshot and no keys
    Exec,
    /// gRPC to the pods themselves
    Direct,
}

impl ViaChoice {
    fn chosen(self) -> Option<Via> {
        match self {
            Self::Auto => None,
            Self::PortForward => Some(Via::PortForward),
            Self::Exec => Some(Via::Exec),
            Self::Direct => Some(Via::Direct),
        }
    }
}

/// A user of etcd, perhaps with the password.
#[derive(Debug, Clone)]
pub(super) struct UserName {
    pub(super) name: String,
    pub(super) password: Option<Password>,
}

impl UserName {
    #[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
    fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        let (name, password) = match text.split_once(':') {
            Some((name, password)) => (name, Some(Password::new(password))),
            None => (text, None),
        };
        Ok(Self { name: name.to_owned(), password })
    }
}

impl EtcdAccess {
    /// The options that lead to the same members again, as they are typed, each with a space before it. What stands in
    /// variables is there again.
    fn options(&self) -> String {
        let given = |variable: &str| std::env::var_os(variable).is_some();
        let file = |option: &str, variable: &str, file: &Option<PathBuf>| {
            let file = file.as_ref().filter(|_| !given(variable))?;
            Some(format!(" --{option} {}", file.display()))
        };
        let endpoints = Some(self.endpoints.join(",")).filter(|list| !list.is_empty() && !given("ETCDCTL_ENDPOINTS"));
        let user = self.user.as_ref().filter(|_| !given("ETCDCTL_USER"));
        [
            self.via.chosen().map(|via| format!(" --via {via}")),
            endpoints.map(|list| format!(" --endpoints {list}")),
            self.container.as_ref().map(|name| format!(" --container {name}")),
            file("cacert", "ETCDCTL_CACERT", &self.cacert),
            file("cert", "ETCDCTL_CERT", &self.cert),
            file("key", "ETCDCTL_KEY", &self.key),
            user.map(|user| format!(" --user {}", user.name)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// As the cluster takes it. A user has its password by now.
    pub(super) fn reach(&self) -> Reach {
        let user = self.user.clone().map(|user| {
            let password = user.password.unwrap_or_else(|| Password::new(String::new()));
            User { name: user.name, password }
        });
        Reach {
            via: self.via.chosen(),
            endpoints: self.endpoints.clone(),
            container: self.container.clone(),
            cacert: self.cacert.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            user,
        }
    }
}

impl ClusterAccess {
    /// The options that lead to the same cluster again, as they are typed, each with a space before it.
    pub(super) fn cluster_options(&self) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|file| format!(" --kubeconfig {}", file.display()));
        let context = self.context.as_ref().map(|context| format!(" --context {context}"));
        [kubeconfig, context, Some(self.etcd.options())].into_iter().flatten().collect()
    }

    pub(super) fn connection(&self) -> Connection {
        Connection {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            impersonate: self.impersonate.clone(),
            impersonate_groups: self.impersonate_groups.clone(),
            request_timeout: self.request_timeout,
        }
    }
}

/// Options of verbs that change something.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// Agree to every change beforehand, deletions included
    #[arg(short, long)]
    pub(super) yes: bool,

    /// Change nothing, show what would be done; `server` also has the API server check the patch
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub(super) dry_run: Option<DryRun>,

    /// How long any one wait may last
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(super) timeout: Duration,

    /// Stop before this step
    #[arg(long, value_name = "STEP")]
    pub(super) pause_before: Option<String>,

    /// Go on although Argo CD or Flux reconciles the StatefulSet
    #[arg(long)]
    pub(super) ignore_reconciler: bool,

    /// Write a report of the run, however it ends: a page (.html), text for a ticket (.md) or data (.json). A file of that
    /// name is replaced; may be repeated
    #[arg(long, value_name = "FILE", value_parser = report_file)]
    pub(super) report: Vec<ReportFile>,
}

fn report_file(name: &str) -> Result<ReportFile, String> {
    ReportFile::named(name)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRun {
    /// Only look
    Client,
    /// Also send the patch with dryRun=All
    Server,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Hash {
    /// Every voter, also where hashing the leader stops writes for a while
    All,
    /// Followers, and the leader where that took them under 50 ms
    Followers,
    /// None
    None,
}

impl From<Hash> for HashPolicy {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::All => Self::All,
            Hash::Followers => Self::Followers,
            Hash::None => Self::None,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    pub(super) target: Target,

    #[command(flatten)]
    pub(super) running: Running,

    /// The number of members to reach; nothing is done where they are there
    #[arg(long, value_name = "N", conflicts_with = "by", value_parser = size())]
    pub(super) to: Option<i32>,

    /// How many members to add [default: 1]
    #[arg(long, value_name = "K", value_parser = size())]
    pub(super) by: Option<i32>,

    #[command(flatten)]
    pub(super) proofs: Proofs,

    /// The template's variable that is the cluster's size, or `none` [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub(super) size_env: Option<SizeEnvName>,

    /// What becomes of a claim that an earlier member has left where the new one would start [default: keep, which
    /// refuses]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) claim: Option<Claims>,

    /// What to do where the run fails half-way before the new member votes; `rollback` is `abort` at once
    #[arg(long, value_enum, value_name = "WHAT", default_value = "stop")]
    pub(super) on_failure: OnFailure,

    /// How the new member joins where its image adds its own pod to the cluster [default: as a learner where that can be
    /// done]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) join: Option<JoinHow>,

    #[command(flatten)]
    pub(super) storage: Storage,

    #[command(flatten)]
    pub(super) gitops: ByCommit,
}

/// What is kept, compared and restarted beside the change itself.
#[derive(Debug, Args)]
pub(super) struct Proofs {
    /// Where to save the snapshot [default: a file named after cluster, revision and time, here]
    #[arg(long, value_name = "FILE", conflicts_with = "no_snapshot")]
    pub(super) snapshot: Option<PathBuf>,

    /// Take no snapshot
    #[arg(long)]
    pub(super) no_snapshot: bool,

    /// How the other members get the new template [default: guarded]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) rollout: Option<UpRollout>,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(super) hash: Option<Hash>,
}

impl Proofs {
    /// Adds them to a request.
    pub(super) fn ask_for(self, request: &mut Request) {
        request.rollout = self.rollout.map(Into::into);
        request.hash = self.hash.map(Into::into);
        if self.no_snapshot {
            request.snapshot = SnapshotChoice::None;
        } else if let Some(file) = self.snapshot {
            request.snapshot = SnapshotChoice::File(std::path::absolute(&file).unwrap_or(file));
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Down {
    #[command(flatten)]
    pub(super) target: Target,

    #[command(flatten)]
    pub(super) running: Running,

    /// The number of members to reach; nothing is done where there are as many. Going below three requires it
    #[arg(long, value_name = "N", conflicts_with = "by", value_parser = size())]
    pub(super) to: Option<i32>,

    /// How many members to remove [default: 1]
    #[arg(long, value_name = "K", value_parser = size())]
    pub(super) by: Option<i32>,

    /// What becomes of the claims of the pods that go [default: keep; they must go before the next scale-up]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) claim: Option<Claims>,

    #[command(flatten)]
    pub(super) proofs: Proofs,

    /// The template's variable that is the cluster's size, or `none` [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub(super) size_env: Option<SizeEnvName>,
}

#[derive(Debug, Args)]
pub(super) struct Replace {
    #[command(flatten)]
    pub(super) target: Target,

    #[command(flatten)]
    pub(super) running: Running,

    /// The pod whose member is dead, corrupt or has lost its data
    pub(super) pod: String,

    /// Replace a healthy member too
    #[arg(long)]
    pub(super) force: bool,

    #[command(flatten)]
    pub(super) proofs: Proofs,

    #[command(flatten)]
    pub(super) storage: Storage,
}

#[derive(Debug, Args)]
pub(super) struct Abort {
    #[command(flatten)]
    pub(super) target: Target,

    #[command(flatten)]
    pub(super) running: Running,

    /// What becomes of the new pod's claims, and of a volume that the run made [default: keep]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) claim: Option<Claims>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Claims {
    /// They stay, with the data in them
    Keep,
    /// They are deleted, each after a question of its own
    Delete,
}

impl From<Claims> for ClaimPolicy {
    fn from(claims: Claims) -> Self {
        match claims {
            Claims::Keep => Self::Keep,
            Claims::Delete => Self::Delete,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailure {
    /// Stop, and say how to go on
    Stop,
    /// Take back what was done
    Rollback,
}

/// Options about the deployment repository that the StatefulSet is made from.
#[derive(Debug, Args)]
#[command(next_help_heading = "GitOps")]
pub(super) struct ByCommit {
    /// Scale by a commit: render the patches of the deployment repository in this directory, commit them, and have them
    /// applied
    #[arg(
        long,
        value_name = "DIR",
        long_help = "Scale by a commit: render the patches of the deployment repository in this directory, commit them, \
            and have them applied.\n\nThe templates patches/*.yaml.j2 of the overlay that use ETCD_CLUSTER_SIZE or \
            ETCD_CLUSTER_STATE are rendered beside themselves, their patches are enabled in kustomization.yaml, and \
            nothing but these files is committed. Before that the overlay is built from a copy of the last commit, and \
            the run is refused where an apply would change anything else in the StatefulSet. etcd-scale sets the guard \
            itself beforehand, and sets it again where the apply takes it away."
    )]
    pub(super) gitops: Option<PathBuf>,

    /// The overlay, from DIR [default: the only one there with such templates]
    #[arg(long, value_name = "PATH", requires = "gitops")]
    pub(super) overlay: Option<PathBuf>,

    /// The command that applies the commit, run in DIR without a shell; `{overlay}` in it stands for the overlay's path.
    /// Without it the run stops after the commit
    #[arg(long, value_name = "COMMAND", requires = "gitops", value_parser = words)]
    pub(super) apply_command: Option<Words>,

    /// Wait for a GitOps controller to bring the commit
    #[arg(long, requires = "gitops", conflicts_with = "apply_command")]
    pub(super) wait_for_sync: bool,

    /// Push the commit to the branch's upstream
    #[arg(long, requires = "gitops")]
    pub(super) push: bool,
}

impl ByCommit {
    /// The options as they are typed, each with a space before it, for going on with a run.
    pub(super) fn options(&self) -> String {
        let Some(directory) = &self.gitops else { return String::new() };
        let quoted = |text: &str| shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned);
        let path = |path: &PathBuf| quoted(&path.display().to_string());
        let mut options = format!(" --gitops {}", path(directory));
        if let Some(overlay) = &self.overlay {
            options.push_str(" --overlay ");
            options.push_str(&path(overlay));
        }
        if let Some(Words(words)) = &self.apply_command {
            let command: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            options.push_str(" --apply-command ");
            options.push_str(&quoted(&command.join(" ")));
        }
        for (given, option) in [(self.wait_for_sync, " --wait-for-sync"), (self.push, " --push")] {
            if given {
                options.push_str(option);
            }
        }
        options
    }
}

/// A command in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(pub(super) Vec<String>);

/// A command's words as a POSIX shell splits them; nothing else of a shell is understood.
fn words(text: &str) -> Result<Words, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(Words(words)),
        Some(_) => Err("expected a command".to_owned()),
        None => Err("a quotation in it has no end".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum JoinHow {
    /// As a learner that gets a vote when it has caught up; the image's script is bypassed at its first start
    Learner,
    /// As the image does it by itself: as a voter from the start
    #[value(name = "self")]
    Itself,
}

impl From<JoinHow> for JoinChoice {
    fn from(how: JoinHow) -> Self {
        match how {
            JoinHow::Learner => Self::Learner,
            JoinHow::Itself => Self::Itself,
        }
    }
}

/// Options about what the new member's data lies on.
#[derive(Debug, Args)]
pub(super) struct Storage {
    /// A PersistentVolume in YAML or JSON, for the new member's claim where no provisioner makes one; `{ordinal}` in it
    /// stands for the new ordinal [default: modelled on the neighbour's]
    #[arg(long, value_name = "FILE")]
    pub(super) volume_template: Option<PathBuf>,

    /// Go on although a DiskPool is not Online
    #[arg(long)]
    pub(super) ignore_diskpools: bool,
}

/// A variable's name, or `none`.
#[derive(Debug, Clone)]
pub(super) struct SizeEnvName(String);

impl From<String> for SizeEnvName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<SizeEnvName> for SizeEnv {
    fn from(name: SizeEnvName) -> Self {
        match name.0.as_str() {
            "none" => Self::None,
            _ => Self::Name(name.0),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum UpRollout {
    /// One at a time, each proved before the next, and only while a quorum stays
    Guarded,
    /// Not now; `settle` does it later
    Defer,
    /// As guarded, also where a restart leaves no quorum for its length
    Now,
}

impl From<UpRollout> for RolloutPolicy {
    fn from(rollout: UpRollout) -> Self {
        match rollout {
            UpRollout::Guarded => Self::Guarded,
            UpRollout::Defer => Self::Defer,
            UpRollout::Now => Self::Now,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Settle {
    #[command(flatten)]
    pub(super) target: Target,

    #[command(flatten)]
    pub(super) running: Running,

    /// Whether to restart members where that leaves no quorum for its length [default: guarded]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) rollout: Option<SettleRollout>,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(super) hash: Option<Hash>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SettleRollout {
    /// Only while a quorum stays
    Guarded,
    /// Also where it does not
    Now,
}

impl From<SettleRollout> for RolloutPolicy {
    fn from(rollout: SettleRollout) -> Self {
        match rollout {
            SettleRollout::Guarded => Self::Guarded,
            SettleRollout::Now => Self::Now,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) target: Target,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(super) hash: Option<Hash>,

    /// How the older members would get the new template [default: guarded]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) rollout: Option<UpRollout>,

    /// The template's variable that is the cluster's size, or `none` [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub(super) size_env: Option<SizeEnvName>,

    /// How the new member joins where its image adds its own pod to the cluster [default: as a learner where that can be
    /// done]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(super) join: Option<JoinHow>,

    /// As with `up --no-snapshot`
    #[arg(long)]
    pub(super) no_snapshot: bool,

    /// Count Argo CD or Flux as advice
    #[arg(long)]
    pub(super) ignore_reconciler: bool,

    #[command(flatten)]
    pub(super) storage: Storage,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// The StatefulSet that runs etcd [default: all in the namespace that do, in one line each]
    #[arg(long, value_name = "NAME")]
    pub(super) sts: Option<String>,

    /// All StatefulSets that run etcd, whatever their namespace, in one line each
    #[arg(short = 'A', long, conflicts_with_all = ["sts", "namespace"])]
    pub(super) all_namespaces: bool,

    #[command(flatten)]
    pub(super) access: ClusterAccess,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    pub(super) target: Target,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(super) hash: Option<Hash>,

    /// Where hashes do not prove that members hold the same data, compare their keys and name the first that differ
    #[arg(
        long,
        long_help = "Where hashes do not prove that members hold the same data, compare their keys and name the first \
            that differ.\n\nOf voters whose hashes differ, one of each other hash is compared with one of those that \
            most agree on; so are voters that were not hashed, and with --hash none all. Both sides are read from the \
            members themselves at one revision, in pages of about 1 MB and 2000 keys at most: every value goes over the \
            network, none is shown. The first ten keys that differ or are missing are named, and all are counted. Where \
            the hashes of all voters are equal, nothing is left to compare."
    )]
    pub(super) deep: bool,

    /// How long to wait for members and pods that are not healthy yet
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub(super) timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(flatten)]
    pub(super) target: Target,

    /// The file to save it to; it must not exist
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    pub(super) verb: SandboxVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum SandboxVerb {
    /// Grow an etcd from two members to three before your eyes, and clear away
    Demo {
        /// Agree to every change beforehand; so does a demo without a terminal
        #[arg(short, long)]
        yes: bool,

        #[command(flatten)]
        start: SandboxStart,
    },
    /// Start one that stays, and show how to reach it
    Up(SandboxStart),
    /// End the one that stays
    Down,
    /// Run a command with KUBECONFIG set to a sandbox of its own
    Run {
        #[command(flatten)]
        start: SandboxStart,

        /// The command, after `--`
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// The server itself
    #[command(hide = true)]
    Serve(SandboxServe),
}

/// What a sandbox begins with.
#[derive(Debug, Args)]
pub(super) struct SandboxStart {
    /// A manifest to apply: rok, puls8, or a file; may be repeated
    #[arg(short, long, value_name = "MANIFEST")]
    pub(super) filename: Vec<String>,

    /// The etcd program; etcdctl is taken from beside it [default: from the PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) etcd: Option<PathBuf>,

    /// Another etcd program for images that begin with IMAGE; may be repeated
    #[arg(long, value_name = "IMAGE=PATH", value_parser = image)]
    pub(super) image: Vec<(String, PathBuf)>,
}

#[derive(Debug, Args)]
pub(super) struct SandboxServe {
    #[command(flatten)]
    pub(super) start: SandboxStart,

    /// A directory of its own
    #[arg(long)]
    pub(super) directory: PathBuf,

    /// How many keys to write into each etcd of the manifests
    #[arg(long, default_value_t = 0)]
    pub(super) keys: u32,

    /// End when standard input does
    #[arg(long)]
    pub(super) while_open: bool,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    /// 3.2 or later
    Bash,
    /// With compinit
    Zsh,
    /// 3.0 or later
    Fish,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write etcd-scale.1 and a page for each verb to this directory, which is made where it is missing
    #[arg(value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
}

/// `IMAGE=PATH`.
fn image(text: &str) -> Result<(String, PathBuf), String> {
    let (image, path) = text.split_once('=').ok_or("expected IMAGE=PATH")?;
    Ok((image.to_owned(), PathBuf::from(path)))
}

/// A number of members, asked for or to add or remove.
fn size() -> clap::builder::RangedI64ValueParser<i32> {
    clap::value_parser!(i32).range(1..=i64::from(MOST_MEMBERS))
}

/// A time as kubectl takes it: `90s`, `10m`, `1h30m`, or a number of seconds.
fn time(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = u64::from_str(text) {
        return Ok(Duration::from_secs(seconds));
    }
    let time: jiff::SignedDuration = text.parse().map_err(|_| "expected a time such as 90s or 10m".to_owned())?;
    Duration::try_from(time).map_err(|_| "a time cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_is_split_and_typed_again() {
        let command = words("deploy --apply '{overlay}' --note 'two words'").unwrap();
        assert_eq!(command.0, ["deploy", "--apply", "{overlay}", "--note", "two words"]);
        assert!(words("deploy 'x").is_err());
        assert!(words(" ").is_err());
        let typed = ByCommit {
            gitops: Some(".".into()),
            overlay: None,
            apply_command: Some(command.clone()),
            wait_for_sync: false,
            push: true,
        };
        let again = shlex::split(&typed.options()).unwrap();
        assert_eq!((again[0].as_str(), again[1].as_str(), again[4].as_str()), ("--gitops", ".", "--push"));
        assert_eq!(words(&again[3]).unwrap(), command);
    }

    #[test]
    fn times_are_kubectls() {
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(time("soon").is_err());
        assert!(time("-3s").is_err());
    }
}
