//! Answers: objects, lists and errors, in the form that the client asked for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::table;
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;

/// The form of an answer that a client prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Objects as they are.
    Plain,
    /// Objects without all but their metadata.
    Metadata,
    /// Rows and columns, for `kubectl get`.
    Table,
}

impl Form {
    /// What the `Accept` header asks for first among what is served.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let first = accepted.split(',').find_map(|range| {
            let parts: Vec<&str> = range.split(';').map(str::trim).collect();
            let json = matches!(parts.first(), Some(&("application/json" | "application/*" | "*/*")));
            let asked = parts.iter().find_map(|part| part.strip_prefix("as="));
            match asked {
                _ if !json => None,
                Some("Table") => parts.contains(&"v=v1").then_some(Self::Table),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
                Some(_) => None,
                None => Some(Self::Plain),
            }
        });
        first.unwrap_or(Self::Plain)
    }

    /// One object in this form.
    pub(super) fn object(self, kind: &Kind, object: &Value) -> Value {
        match self {
            Self::Plain => object.clone(),
            Self::Metadata => metadata(object),
            Self::Table => table::of(kind, &[object], &object["metadata"]["resourceVersion"], true),
        }
    }

    /// A list in this form.
    pub(super) fn list(self, kind: &Kind, objects: &[Arc<Value>], version: u64) -> Value {
        let version = json!(version.to_string());
        let (api_version, list_kind, items): (_, _, Vec<Value>) = match self {
            Self::Table => {
                let objects: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
                return table::of(kind, &objects, &version, true);
            }
            Self::Metadata => (
                "meta.k8s.io/v1".to_owned(),
                "PartialObjectMetadataList".to_owned(),
                objects.iter().map(|object| metadata(object)).collect(),
            ),
            Self::Plain => {
                // The list says what its items are; only those of declared kinds say so themselves.
                let built_in = kind.is_built_in();
                let items = objects.iter().map(|object| {
                    let mut item = object.as_ref().clone();
                    if let Some(fields) = item.as_object_mut().filter(|_| built_in) {
                        fields.remove("apiVersion");
                        fields.remove("kind");
                    }
                    item
                });
                (kind.api_version(), format!("{}List", kind.kind), items.collect())
            }
        };
        json!({"apiVersion": api_version, "kind": list_kind, "metadata": {"resourceVersion": version}, "items": items})
    }
}

fn metadata(object: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
}

/// An answer with an object in it.
pub(super) fn json(code: u16, object: &Value) -> Response<Body> {
    respond(code, "application/json", Body::from(object.to_string()))
}

/// An answer that says why not.
pub(super) fn status(status: &Status) -> Response<Body> {
    json(status.code, &status.object())
}

/// An answer with any body.
pub(super) fn respond(code: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_is_taken() {
        let form = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, axum::http::HeaderValue::from_static(accept));
            Form::of(&headers)
        };
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(form(kubectl), Form::Table);
        assert_eq!(form("application/vnd.kubernetes.protobuf,application/json"), Form::Plain);
        assert_eq!(form("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"), Form::Metadata);
        assert_eq!(form("*/*"), Form::Plain);
    }
}
