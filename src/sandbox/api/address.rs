//! Addresses: which object, or which list of them, a request is about.

use std::sync::Arc;

use axum::http::Method;

use crate::sandbox::kinds::Kind;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

/// What a request is about.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) kind: Arc<Kind>,
    /// Empty for what belongs to no namespace, and for lists across all.
    pub(super) namespace: String,
    /// Empty for a list.
    pub(super) name: String,
    /// `status`, `scale`, `exec`, ...; empty for the object itself.
    pub(super) subresource: String,
}

impl Address {
    /// Reads a path such as `/apis/apps/v1/namespaces/NAMESPACE/statefulsets/NAME/scale`.
    ///
    /// # Errors
    /// When nothing is served there.
    pub(super) fn parse(registry: &Registry, path: &str) -> Result<Self, Status> {
        let decoded = form_urlencoded_path(path);
        let parts: Vec<&str> = decoded.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(nothing_there()),
        };
        let (namespace, rest) = match rest {
            // `namespaces/NAME` and what is below it are about the namespace itself.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] | ["namespaces"] => ("", rest),
            ["namespaces", namespace, rest @ ..] => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", String::new()),
            [plural, name] => (*plural, *name, String::new()),
            [plural, name, subresource @ ..] => (*plural, *name, subresource.join("/")),
            [] => return Err(nothing_there()),
        };
        let served = registry.kinds().into_iter();
        let kind = served
            .filter(|kind| kind.group == group && kind.version == version && kind.plural == plural)
            .find(|kind| kind.namespaced || namespace.is_empty())
            .ok_or_else(nothing_there)?;
        if kind.namespaced && namespace.is_empty() && !name.is_empty() {
            return Err(nothing_there());
        }
        Ok(Self { kind, namespace: namespace.to_owned(), name: name.to_owned(), subresource })
    }

    /// The word that roles have for what a request does here.
    pub(super) fn verb(&self, method: &Method, watches: bool) -> &'static str {
        match (method, self.name.is_empty()) {
            (&Method::GET | &Method::HEAD, true) if watches => "watch",
            (&Method::GET | &Method::HEAD, true) => "list",
            (&Method::GET | &Method::HEAD, false) => "get",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, true) => "deletecollection",
            (&Method::DELETE, false) => "delete",
            _ => "",
        }
    }

    /// The namespace to look in; none for all of them.
    pub(super) fn scope(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(self.namespace.as_str())
    }
}

/// kube-apiserver's answer for an address that it does not know.
pub(super) fn nothing_there() -> Status {
    Status::bare(404, "NotFound", "the server could not find the requested resource")
}

/// Names cannot contain what needs an escape, but clients may escape more than they have to.
fn form_urlencoded_path(path: &str) -> String {
    // A plus stands for itself in a path.
    let path = path.replace('+', "%2B");
    form_urlencoded::parse(path.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}
