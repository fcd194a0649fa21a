//! `kubectl`, for everything that the program under test must not be asked about itself.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs kubectl and returns its standard output, or what it said on standard error.
pub(crate) fn try_kubectl(arguments: &[&str], input: Option<&str>) -> Result<String, String> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl must be on the PATH");
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).expect("kubectl reads its input");
    }
    let output = child.wait_with_output().expect("kubectl ends");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Runs kubectl, which must succeed.
#[track_caller]
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    try_kubectl(arguments, None).unwrap_or_else(|said| panic!("kubectl {}: {said}", arguments.join(" ")))
}

/// Creates an object.
#[track_caller]
pub(crate) fn kubectl_create(object: &Value) {
    try_kubectl(&["create", "-f", "-"], Some(&object.to_string()))
        .unwrap_or_else(|said| panic!("kubectl create: {said}\n{object:#}"));
}
