//! What stands behind the question mark of an address.

use serde::Deserialize;

use crate::sandbox::status::{Cause, Status};

/// The parameters that the API server knows; others are left alone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Query {
    pub(super) label_selector: String,
    pub(super) field_selector: String,
    pub(super) resource_version: String,
    watch: String,
    allow_watch_bookmarks: String,
    send_initial_events: String,
    timeout_seconds: String,
    dry_run: String,
    pub(super) grace_period_seconds: Option<u64>,
    pub(super) propagation_policy: Option<String>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// When a number is none.
    pub(super) fn parse(query: &str) -> Result<Self, Status> {
        serde_urlencoded::from_str(query).map_err(|error| Status::bad_request(error.to_string()))
    }

    pub(super) fn watches(&self) -> bool {
        is_true(&self.watch)
    }

    pub(super) fn bookmarks(&self) -> bool {
        is_true(&self.allow_watch_bookmarks)
    }

    pub(super) fn initial(&self) -> bool {
        is_true(&self.send_initial_events)
    }

    pub(super) fn seconds(&self) -> Option<u64> {
        self.timeout_seconds.parse().ok()
    }

    /// The version to watch from; none for "whatever there is".
    ///
    /// # Errors
    /// When it is not a version.
    pub(super) fn since(&self) -> Result<Option<u64>, Status> {
        match self.resource_version.as_str() {
            "" | "0" => Ok(None),
            version => version
                .parse()
                .map(Some)
                .map_err(|_| Status::bad_request(format!("Invalid value: \"{version}\": not a resource version"))),
        }
    }

    /// Whether nothing is to be changed. `options` is what Kubernetes calls the parameters of the verb.
    ///
    /// # Errors
    /// When it says something else than `All`.
    pub(super) fn dry_run(&self, options: &str) -> Result<bool, Status> {
        match self.dry_run.as_str() {
            "" => Ok(false),
            "All" => Ok(true),
            other => {
                let mut cause = Cause::unsupported("dryRun", other, &["All"]);
                cause.message = cause.message.replacen(&format!("\"{other}\""), &format!("[]string{{\"{other}\"}}"), 1);
                Err(Status::invalid_for(&format!("{options}.meta.k8s.io"), "", &[cause]))
            }
        }
    }
}

/// As Go's query parameters have it: present is true, unless it says otherwise.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true")
}
