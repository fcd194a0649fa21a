//! Patches, by their content types.

use serde_json::Value;

use super::strategic;
use crate::sandbox::status::Status;

/// A patch that was sent.
#[derive(Debug)]
pub(super) enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    /// When its content type is not served, or it cannot be read.
    pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Self, Status> {
        let unreadable = |error: serde_json::Error| Status::bad_request(format!("error decoding patch: {error}"));
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => Ok(Self::Json(serde_json::from_slice(body).map_err(unreadable)?)),
            "application/merge-patch+json" => Ok(Self::Merge(serde_json::from_slice(body).map_err(unreadable)?)),
            "application/strategic-merge-patch+json" => {
                Ok(Self::Strategic(serde_json::from_slice(body).map_err(unreadable)?))
            }
            other => {
                let message = format!(
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, \
                     application/strategic-merge-patch+json; it was {other}"
                );
                Err(Status::new(415, "UnsupportedMediaType", message))
            }
        }
    }

    /// Changes an object.
    ///
    /// # Errors
    /// When it does not fit the object: a `test` that fails, a path that is not there.
    pub(super) fn apply(&self, object: &mut Value) -> Result<(), Status> {
        match self {
            Self::Json(patch) => json_patch::patch(object, patch).map_err(|error| {
                tracing::debug!(%error, "a patch does not fit");
                // kube-apiserver keeps the cause to itself.
                Status::new(422, "Invalid", "the server rejected our request due to an error in our request")
            }),
            Self::Merge(patch) => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Self::Strategic(patch) => strategic::apply(object, patch),
        }
    }
}
