//! `kustomization.yaml`: which patches are enabled, and the same text with more of them, all else as it stands.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// A patch that has to be enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    /// Its path from the kustomization.
    pub(super) path: String,
    /// Whether it is a JSON patch, which does not say itself what it is for.
    pub(super) operations: bool,
}

/// Names under which kustomize looks for its file, in its order.
pub(super) const FILES: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The text with all `patches` enabled. `name` is what the overlay's own patches call the StatefulSet, made from what it
/// is called in the cluster.
///
/// # Errors
/// Why they cannot be, as the end of a sentence that begins with the file.
pub(super) fn enable(text: &str, patches: &[Patch], name: &str) -> Result<String, String> {
    let before = parsed(text)?;
    if !before.is_object() {
        return Err("is no mapping of keys to values".to_owned());
    }
    let missing: Vec<&Patch> = patches.iter().filter(|patch| !enabled(&before, &patch.path)).collect();
    if missing.is_empty() {
        return Ok(text.to_owned());
    }
    let name = own_name(&before, name);
    let mut wanted = before.clone();
    if wanted["patches"].is_null() {
        wanted["patches"] = json!([]);
    }
    let Some(list) = wanted["patches"].as_array_mut() else {
        return Err("has a field patches that is no list".to_owned());
    };
    for patch in &missing {
        list.push(if patch.operations {
            json!({"path": patch.path, "target": {"kind": "StatefulSet", "name": name}})
        } else {
            json!({"path": patch.path})
        });
    }
    let entries = |indent: &str| {
        let mut entries = String::new();
        for patch in &missing {
            // A string takes everything.
            let _ = writeln!(entries, "{indent}- path: {}", patch.path);
            if patch.operations {
                let _ = writeln!(entries, "{indent}  target:\n{indent}    kind: StatefulSet\n{indent}    name: {name}");
            }
        }
        entries
    };
    let after = insert(text, entries);
    // The proof that nothing else has changed.
    match parsed(&after) {
        Ok(document) if document == wanted => Ok(after),
        _ => {
            let paths: Vec<_> = missing.iter().map(|patch| patch.path.as_str()).collect();
            Err(format!("is written in a way that {} cannot be added to by itself", paths.join(" and ")))
        }
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let said = error.to_string();
        format!(
            "is no YAML that can be read: {}",
            said.lines().next().unwrap_or_default().trim_start_matches("error: ")
        )
    })
}

/// Whether the kustomization has a patch already, in whichever of its fields.
fn enabled(kustomization: &Value, path: &str) -> bool {
    let plain = |path: &str| path.trim_start_matches("./").to_owned();
    let named =
        |entry: &Value| entry.as_str().or(entry["path"].as_str()).is_some_and(|other| plain(other) == plain(path));
    ["patches", "patchesStrategicMerge", "patchesJson6902"]
        .iter()
        .filter_map(|field| kustomization[*field].as_array())
        .flatten()
        .any(named)
}

/// What the kustomization's own patches call an object: they are applied before it adds to names.
fn own_name(kustomization: &Value, name: &str) -> String {
    let own = |field: &str| kustomization[field].as_str().unwrap_or_default();
    let name = name.strip_prefix(own("namePrefix")).unwrap_or(name);
    name.strip_suffix(own("nameSuffix")).unwrap_or(name).to_owned()
}

/// The text with entries put at the end of its list of patches, or with a list of its own at its end.
fn insert(text: &str, entries: impl Fn(&str) -> String) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_key = |line: &str| line.starts_with("patches:");
    let Some(key) = lines.iter().position(|line| is_key(line)) else {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{end}patches:\n{}", entries("  "));
    };
    let content = |line: &str| {
        let line = line.trim_end();
        !line.trim_start().is_empty() && !line.trim_start().starts_with('#')
    };
    let inside = |line: &&&str| !content(line) || line.starts_with([' ', '-']);
    let count = lines[key + 1..].iter().take_while(inside).count();
    let block = &lines[key + 1..key + 1 + count];
    let last = block.iter().rposition(|line| content(line));
    let indent: String = block
        .iter()
        .find(|line| line.trim_start().starts_with('-'))
        .map_or_else(|| "  ".to_owned(), |line| line.chars().take_while(|c| *c == ' ').collect());
    let at = key + 1 + last.map_or(0, |last| last + 1);
    let mut head: String = lines[..at].concat();
    if last.is_none() {
        // An empty list may be written out.
        let key_line = lines[key];
        let emptied = key_line.replacen("[]", "", 1).replacen("null", "", 1);
        head = format!("{}{}\n", lines[..key].concat(), emptied.trim_end());
    } else if !head.ends_with('\n') {
        head.push('\n');
    }
    format!("{head}{}{}", entries(&indent), lines[at..].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size() -> Patch {
        Patch { path: "patches/cluster-size.yaml".into(), operations: true }
    }

    fn state() -> Patch {
        Patch { path: "patches/cluster-state.yaml".into(), operations: false }
    }

    #[test]
    fn what_is_enabled_already_is_left_alone() {
        let guide = "# Rok's.\npatches:\n- path: patches/cluster-size.yaml\n  target:\n    kind: StatefulSet\n    name: etcd\n\
                     - path: ./patches/cluster-state.yaml\n";
        assert_eq!(enable(guide, &[size(), state()], "rok-etcd").unwrap(), guide);
        let old = "patchesStrategicMerge: [patches/cluster-state.yaml]\npatchesJson6902:\n- path: patches/cluster-size.yaml\n";
        assert_eq!(enable(old, &[size(), state()], "rok-etcd").unwrap(), old);
    }

    #[test]
    fn comments_and_order_stay() {
        let text = "# Ours.\nresources:\n  - ../../base # all of it\nnamePrefix: rok-\npatches:\n  # The image.\n  - path: patches/image.yaml\n  \
                    # - path: patches/cluster-state.yaml\n\n# The end.\nimages: []\n";
        let after = enable(text, &[size(), state()], "rok-etcd").unwrap();
        assert_eq!(
            after,
            text.replace(
                "image.yaml\n",
                "image.yaml\n  - path: patches/cluster-size.yaml\n    target:\n      kind: StatefulSet\n      name: etcd\n  \
                 - path: patches/cluster-state.yaml\n"
            )
        );
        assert_eq!(enable(&after, &[size(), state()], "rok-etcd").unwrap(), after);
    }

    #[test]
    fn a_list_that_is_not_there_is_made() {
        for (before, after) in [
            ("resources: [x]", "resources: [x]\npatches:\n  - path: patches/cluster-state.yaml\n"),
            ("patches: []\nresources: [x]\n", "patches:\n  - path: patches/cluster-state.yaml\nresources: [x]\n"),
            (
                "patches:\n# none yet\nresources: [x]\n",
                "patches:\n  - path: patches/cluster-state.yaml\n# none yet\nresources: [x]\n",
            ),
            ("patches:\n- path: a\n", "patches:\n- path: a\n- path: patches/cluster-state.yaml\n"),
            ("patches:\n- path: a", "patches:\n- path: a\n- path: patches/cluster-state.yaml\n"),
        ] {
            assert_eq!(enable(before, &[state()], "etcd").unwrap(), after);
        }
    }

    #[test]
    fn what_cannot_be_changed_alone_is_not_changed() {
        for text in ["patches: [{path: a}]\n", "{patches: []}\n", "patches: &here\n  - path: a\nother: *here\n", "a: ["]
        {
            assert!(enable(text, &[state()], "etcd").is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(
            text in "\\PC*|([-a-c:#'\"|>&*!~{}\\[\\], \\t\\r\\n]|patches:|- path: |resources: ){0,20}",
            name in "\\PC{0,8}",
        ) {
            if let Ok(enabled) = enable(&text, &[size(), state()], &name) {
                prop_assert_eq!(enable(&enabled, &[size(), state()], &name).unwrap(), enabled);
            }
        }
    }
}
