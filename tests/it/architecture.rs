//! Imports go one way, and each library has one place: what `src/lib.rs` promises about the code, checked on its text.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the outside in. A layer may use those after it in its own row, and itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("cli", &["report", "cluster", "gitops", "sandbox", "steps", "runbook", "model"]),
    ("report", &["runbook", "model"]),
    ("cluster", &["runbook", "model"]),
    ("gitops", &["runbook", "model"]),
    ("sandbox", &[]),
    ("steps", &["runbook", "model"]),
    ("runbook", &["model"]),
    ("model", &[]),
];

/// What only one place may name, and where that is.
const PLACES: &[(&str, &[&str])] = &[
    ("etcd_client", &["cluster/etcd/"]),
    ("tonic::", &["cluster/etcd/"]),
    ("kube::", &["cluster/k8s/", "cluster/etcd/channel.rs", "cluster/etcd/client.rs", "cluster/etcd/etcdctl/mod.rs"]),
    (
        "k8s_openapi::",
        &["cluster/k8s/", "cluster/etcd/channel.rs", "cluster/etcd/client.rs", "cluster/etcd/etcdctl/mod.rs"],
    ),
    ("indicatif::", &["report/"]),
    ("anstream::", &["report/"]),
    ("axum::", &["sandbox/"]),
    ("use nix::", &["sandbox/"]),
    (
        "stdin(",
        &[
            "report/",
            "cluster/k8s/exec.rs",
            "gitops/process.rs",
            "gitops/apply_command.rs",
            "sandbox/node/",
            "sandbox/launch.rs",
        ],
    ),
    ("stdout(", &["report/", "cluster/k8s/exec.rs", "gitops/apply_command.rs", "sandbox/node/", "sandbox/launch.rs"]),
    ("io::stderr", &["report/"]),
    ("dup2_", &["report/"]),
    ("println!", &[]),
    ("clap::", &["cli/"]),
    ("clap_complete::", &["cli/"]),
    ("clap_mangen::", &["cli/"]),
    ("minijinja::", &["gitops/", "report/run_report/"]),
    ("\"git\"", &["gitops/git.rs"]),
    ("serde_saphyr::", &["cli/", "gitops/", "sandbox/", "model/config_text.rs"]),
    ("Instant::now", &["cluster/", "report/", "sandbox/"]),
    ("SystemTime::now", &[]),
];

fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    assert!(paths.len() > 30, "the sources were not found");
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The text without comments and unit tests.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let Some((layer, _)) = name.split_once('/') else { continue };
        let (_, below) = LAYERS.iter().find(|(known, _)| *known == layer).expect("a layer that is not known");
        let code = code(&text);
        assert!(!code.contains("use crate::{"), "{name} imports from several layers in one line");
        for (other, _) in LAYERS.iter().filter(|(other, _)| *other != layer && !below.contains(other)) {
            if code.contains(&format!("crate::{other}")) {
                wrong.push(format!("{name} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_library_has_one_place() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let code = code(&text);
        for (what, places) in PLACES {
            if code.contains(what) && !places.iter().any(|place| name.starts_with(place)) {
                wrong.push(format!("{name} names {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
