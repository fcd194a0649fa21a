//! Completion: the scripts that have a shell ask, and the answers, names in the cluster included.

use std::ffi::OsString;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::args::{Completions, Shell};
use super::called::Called;
use super::{exit, session};
use crate::cluster::{Connection, Names};
use crate::model::Verb;
use crate::report::{self, Console};
use crate::runbook::{Trouble, TroubleKind};
use crate::steps;

/// The program's name where scripts register it.
const NAME: &str = "etcd-scale";

/// The variable by which a script asks, instead of running a verb. It names the shell.
const ASKED_BY: &str = "ETCD_SCALE_COMPLETE";

/// How long names may be looked for. An answer is there within a second, or holds none.
const LIMIT: Duration = Duration::from_millis(900);

/// `clap_complete`'s script for bash leaves words with `:`, `=` or `@` in pieces.
const BASH: &str = include_str!("bash.sh");

/// Prints the script for a shell.
pub(super) fn run(args: &Completions, console: &mut Console) -> u8 {
    let program = program();
    if Called::now() != Called::Itself {
        let trouble =
            Trouble::new(TroubleKind::Refused, "kubectl completes what is typed for its plugins, not the shell")
                .advise(format!("ln -s {program} DIR/kubectl_complete-etcd_scale, where DIR is on the PATH"));
        return session::wrong_usage(console, &trouble);
    }
    match script(args.shell, &program) {
        Ok(script) => {
            report::output(&script);
            exit::DONE
        }
        Err(error) => {
            session::refuse(console, &Trouble::new(TroubleKind::Internal, format!("cannot write the script: {error}")))
        }
    }
}

/// This program as it was called: by name where the PATH leads to it, else by its whole path.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_else(|| NAME.into());
    let path = std::path::Path::new(&called);
    let whole = if path.components().count() > 1 { std::path::absolute(path).ok() } else { None };
    whole.map_or_else(|| called.to_string_lossy().into_owned(), |path| path.to_string_lossy().into_owned())
}

fn script(shell: Shell, program: &str) -> io::Result<Vec<u8>> {
    let mut script = Vec::new();
    match shell {
        Shell::Bash => {
            let quoted = shlex::try_quote(program).map_err(io::Error::other)?;
            script.extend(BASH.replace("VARIABLE", ASKED_BY).replace("COMPLETER", &quoted).into_bytes());
        }
        Shell::Zsh => Zsh.write_registration(ASKED_BY, NAME, NAME, program, &mut script)?,
        Shell::Fish => Fish.write_registration(ASKED_BY, NAME, NAME, program, &mut script)?,
    }
    Ok(script)
}

/// Answers a shell or kubectl, where one asks what may follow. Whatever goes wrong, there is no answer then, and not a
/// word on the terminal: somebody is typing there.
pub(super) fn answer(called: Called) -> bool {
    // Another word there is not a script of ours, and must not turn a verb into silence.
    let shell = std::env::var(ASKED_BY).ok().filter(|shell| ["bash", "zsh", "fish"].contains(&shell.as_str()));
    if called != Called::PluginCompletion && shell.is_none() {
        return false;
    }
    report::hush();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut answer = Vec::new();
    if called == Called::PluginCompletion {
        answer = for_kubectl(words).into_bytes();
    } else {
        // Scripts put `--` before the words, the first of which is the program.
        let words: Vec<OsString> = words.into_iter().skip(1).collect();
        let shell: Option<&dyn EnvCompleter> = match shell.as_deref() {
            Some("bash") => Some(&Bash),
            Some("zsh") => Some(&Zsh),
            Some("fish") => Some(&Fish),
            _ => None,
        };
        let directory = std::env::current_dir().ok();
        if let Some(shell) = shell.filter(|_| !words.is_empty()) {
            let mut command = command(&words);
            // An answer that breaks off holds what was written before.
            drop(shell.write_complete(&mut command, words, directory.as_deref(), &mut answer));
        }
    }
    report::output(&answer);
    true
}

/// What kubectl reads: a choice a line, with its help behind a tab, and a last line of flags.
fn for_kubectl(typed: Vec<OsString>) -> String {
    /// No names of files of kubectl's own: the choices hold those that fit.
    const NO_FILES: u8 = 4;
    /// No space after the choice.
    const NO_SPACE: u8 = 2;

    let mut words = vec![OsString::from(NAME)];
    words.extend(typed);
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let mut command = command(&words);
    let last = words.len() - 1;
    let directory = std::env::current_dir().ok();
    // kubectl's scripts put what comes before the value there themselves.
    let option = words[last].to_str().and_then(|word| Some(&word[..=word.find('=')?]));
    let option = option.filter(|option| option.starts_with("--")).map(str::to_owned).unwrap_or_default();
    let choices = complete(&mut command, words, last, directory.as_deref()).unwrap_or_default();
    let mut flags = NO_FILES;
    let mut answer = String::new();
    for choice in &choices {
        let value = choice.get_value().to_string_lossy();
        let value = value.strip_prefix(&option).unwrap_or(&value);
        if value.ends_with(['/', '=']) {
            flags |= NO_SPACE;
        }
        answer.push_str(value);
        if let Some(help) = choice.get_help().map(ToString::to_string) {
            answer.push('\t');
            answer.push_str(help.lines().next().unwrap_or_default());
        }
        answer.push('\n');
    }
    answer + &format!(":{flags}\n")
}

/// The command line with what completes its values. Those that live in the cluster are looked for where the words say.
fn command(words: &[OsString]) -> clap::Command {
    let typed = Typed::of(words);
    Called::Itself.command().mut_subcommands(|verb| {
        let name = verb.get_name().to_owned();
        verb.mut_args(|arg| match arg.get_id().as_str() {
            "context" => arg.add(typed.names(Names::Contexts)),
            "namespace" => arg.add(typed.names(Names::Namespaces)),
            "sts" => arg.add(typed.names(Names::Etcds { namespace: typed.namespace.clone() })),
            "pod" => match typed.statefulset.clone() {
                Some(statefulset) => {
                    arg.add(typed.names(Names::Pods { namespace: typed.namespace.clone(), statefulset }))
                }
                None => arg,
            },
            "pause_before" => {
                let steps = steps_of(&name, typed.by_commit);
                arg.add(ArgValueCandidates::new(move || steps.iter().map(CompletionCandidate::new).collect()))
            }
            _ => arg,
        })
    })
}

/// The steps of a verb, each once.
fn steps_of(verb: &str, by_commit: bool) -> Vec<&'static str> {
    let verbs = [Verb::Up, Verb::Down, Verb::Replace, Verb::Abort, Verb::Settle];
    let Some(verb) = verbs.into_iter().find(|known| known.word() == verb) else { return Vec::new() };
    let mut names = Vec::new();
    for name in steps::names(verb, by_commit) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What the words say about where names are. They are not parsed as a command: it is not finished.
#[derive(Debug, Default)]
struct Typed {
    connection: Connection,
    namespace: Option<String>,
    statefulset: Option<String>,
    by_commit: bool,
}

impl Typed {
    fn of(words: &[OsString]) -> Self {
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let all = |option: &str| -> Vec<String> {
            let value = |at: usize, word: &str| match word.strip_prefix(option)? {
                "" => words.get(at + 1).map(ToString::to_string),
                // A short option's value may follow it at once.
                rest if !option.starts_with("--") => Some(rest.trim_start_matches('=').to_owned()),
                rest => rest.strip_prefix('=').map(str::to_owned),
            };
            let values = words.iter().enumerate().filter_map(|(at, word)| value(at, word));
            values.filter(|value| !value.is_empty() && !value.starts_with('-')).collect()
        };
        let last = |option| all(option).pop();
        Self {
            connection: Connection {
                kubeconfig: last("--kubeconfig").map(Into::into),
                context: last("--context"),
                impersonate: last("--as"),
                impersonate_groups: all("--as-group"),
                request_timeout: LIMIT,
            },
            namespace: last("--namespace").or_else(|| last("-n")),
            statefulset: last("--sts"),
            by_commit: last("--gitops").is_some(),
        }
    }

    fn names(&self, names: Names) -> ArgValueCandidates {
        let connection = self.connection.clone();
        ArgValueCandidates::new(move || {
            let found = in_time(connection.clone(), names.clone()).unwrap_or_default();
            // A name that would do something to a terminal is nobody's wish.
            let harmless = |name: &String| !name.contains('\n') && report::escape(name) == name.as_str();
            found.into_iter().filter(harmless).map(CompletionCandidate::new).collect()
        })
    }
}

/// Names that are found within the limit. What takes longer is left to itself, and ends with the process: a kubeconfig
/// may be a pipe, and its credential plugin may wait for whatever it likes.
fn in_time(connection: Connection, names: Names) -> Option<Vec<String>> {
    let (send, found) = mpsc::channel();
    thread::spawn(move || {
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        send.send(runtime.block_on(names.list(&connection)).ok()?).ok()
    });
    found.recv_timeout(LIMIT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Typed::of(&words)
    }

    /// What is offered after a line, options aside.
    fn offered(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let last = words.len() - 1;
        let choices = complete(&mut command(&words), words, last, None).unwrap();
        let values = choices.iter().map(|choice| choice.get_value().to_string_lossy().into_owned());
        values.filter(|value| !value.starts_with('-')).collect()
    }

    #[test]
    fn where_names_are_is_read_from_an_unfinished_line() {
        let typed =
            typed("etcd-scale up --sts etcd -n rok --context=blue --as me --as-group a --as-group b --snapshot ");
        assert_eq!(typed.statefulset.as_deref(), Some("etcd"));
        assert_eq!(typed.namespace.as_deref(), Some("rok"));
        assert_eq!(typed.connection.context.as_deref(), Some("blue"));
        assert_eq!(typed.connection.impersonate.as_deref(), Some("me"));
        assert_eq!(typed.connection.impersonate_groups, ["a", "b"]);
        assert!(!typed.by_commit);
    }

    #[test]
    fn an_option_without_its_value_says_nothing() {
        assert_eq!(typed("etcd-scale up -n --sts ").namespace, None);
        assert_eq!(typed("etcd-scale up -n --sts ").statefulset, None);
        assert_eq!(typed("etcd-scale up -nrok").namespace.as_deref(), Some("rok"));
        assert!(typed("etcd-scale up --gitops=. --pause-before ").by_commit);
    }

    #[test]
    fn steps_are_the_verbs_own_and_each_once() {
        assert_eq!(offered("etcd-scale settle --pause-before "), ["precheck", "settle-rollout", "verify"]);
        assert_eq!(offered("etcd-scale up --pause-before c"), ["clear-claims", "create-volume"]);
        assert_eq!(offered("etcd-scale up --gitops . --pause-before co"), ["commit-patches"]);
    }

    #[test]
    fn verbs_and_fixed_values_are_offered() {
        assert_eq!(offered("etcd-scale se"), ["settle"]);
        assert_eq!(offered("etcd-scale check --via "), ["auto", "port-forward", "exec", "direct"]);
    }

    #[test]
    fn each_name_that_lives_in_the_cluster_is_looked_for() {
        let command = command(&[]);
        let completed = |verb: &str, arg: &str| {
            let verb = command.get_subcommands().find(|known| known.get_name() == verb).unwrap();
            let arg = verb.get_arguments().find(|known| known.get_id() == arg).unwrap();
            arg.get::<ArgValueCandidates>().is_some()
        };
        for verb in ["up", "down", "replace", "abort", "settle", "check", "status", "verify", "snapshot"] {
            for arg in ["context", "namespace", "sts"] {
                assert!(completed(verb, arg), "{verb} {arg}");
            }
        }
        for verb in ["up", "down", "replace", "abort", "settle"] {
            assert!(completed(verb, "pause_before"), "{verb}");
        }
        assert!(!completed("replace", "pod"), "without a StatefulSet nobody knows its pods");
    }

    #[test]
    fn kubectl_gets_a_line_of_flags_last() {
        let answer = for_kubectl(vec!["sta".into()]);
        assert!(answer.starts_with("status\tShow members"), "{answer}");
        assert!(answer.ends_with("\n:4\n"), "{answer}");
        assert!(for_kubectl(Vec::new()).contains("up\tGrow"));
        let values = for_kubectl(vec!["up".into(), "--rollout=".into()]);
        assert!(values.starts_with("guarded") && !values.contains("--rollout="), "{values}");
    }
}
