//! Patches, by their content types.

use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;

use super::strategic;
use crate::sandbox::status::{Cause, Status};

/// A patch that was sent.
#[derive(Debug)]
pub(super) enum Patch {
    Json(Vec<PatchOperation>),
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
            "application/json-patch+json" => match serde_json::from_slice(body).map_err(unreadable)? {
                Value::Array(operations) => {
                    let operations: Result<Vec<_>, _> = operations.into_iter().map(serde_json::from_value).collect();
                    operations.map(Self::Json).map_err(|error| does_not_fit(&error))
                }
                _ => Err(Status::bad_request(
                    "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch",
                )),
            },
            "application/merge-patch+json" => Ok(Self::Merge(serde_json::from_slice(body).map_err(unreadable)?)),
            "application/strategic-merge-patch+json" => {
                Ok(Self::Strategic(serde_json::from_slice(body).map_err(unreadable)?))
            }
            _ => Err(Status::bare(415, "UnsupportedMediaType", "415: Unsupported Media Type")),
        }
    }

    /// Changes an object.
    ///
    /// # Errors
    /// When it does not fit the object: a `test` that fails, a path that is not there.
    pub(super) fn apply(&self, object: &mut Value) -> Result<(), Status> {
        match self {
            Self::Json(operations) => operations.iter().try_for_each(|operation| one(object, operation)),
            Self::Merge(patch) if patch.is_object() => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Self::Merge(patch) => {
                let cause = Cause::invalid("patch", format!("\"{patch}\""), "couldn't get version/kind");
                Err(Status::invalid_for("", "", &[cause]))
            }
            Self::Strategic(patch) => strategic::apply(object, patch),
        }
    }
}

/// One operation of a JSON patch. kube-apiserver's library is more lenient than the RFC: a field that is not there can be
/// replaced, and is null to a `test`.
fn one(object: &mut Value, operation: &PatchOperation) -> Result<(), Status> {
    let is_missing = |path: &str| {
        let parent = path.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
        parent.is_some_and(Value::is_object) && object.pointer(path).is_none()
    };
    let meant = match operation {
        PatchOperation::Replace(replace) if is_missing(replace.path.as_str()) => {
            PatchOperation::Add(AddOperation { path: replace.path.clone(), value: replace.value.clone() })
        }
        PatchOperation::Test(test) if test.value.is_null() && is_missing(test.path.as_str()) => return Ok(()),
        other => other.clone(),
    };
    json_patch::patch(object, &[meant]).map_err(|error| does_not_fit(&error))
}

/// kube-apiserver keeps the cause to itself.
fn does_not_fit(error: &impl std::fmt::Display) -> Status {
    tracing::debug!(%error, "a patch does not fit");
    Status::bare(422, "Invalid", "the server rejected our request due to an error in our request")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_can_be_replaced_and_is_null_to_a_test() {
        let patched = |patch: Value| {
            let mut object = json!({"data": {"a": "1"}});
            let patch = Patch::parse("application/json-patch+json", patch.to_string().as_bytes())?;
            patch.apply(&mut object).map(|()| object)
        };
        let replaced = patched(json!([{"op": "replace", "path": "/data/b", "value": "2"}])).unwrap();
        assert_eq!(replaced, json!({"data": {"a": "1", "b": "2"}}));
        patched(json!([{"op": "test", "path": "/data/b", "value": null}])).unwrap();
        for wrong in [
            json!([{"op": "replace", "path": "/none/b", "value": "2"}]),
            json!([{"op": "test", "path": "/data/b", "value": "2"}]),
            json!([{"op": "test", "path": "/data/a", "value": null}]),
            json!([{"op": "remove", "path": "/data/b"}]),
            json!([{"op": "dance"}]),
        ] {
            assert_eq!(patched(wrong.clone()).unwrap_err().code, 422, "{wrong}");
        }
    }
}
