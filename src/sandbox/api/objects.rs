//! The verbs on objects: get, list, create, update, patch, delete.

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::address::{Address, nothing_there};
use super::answer::{Form, json};
use super::patch::Patch;
use super::query::Query;
use super::selector::Selector;
use super::{scale, watch};
use crate::sandbox::kinds;
use crate::sandbox::registry::{Deletion, Part, Propagation, Registry};
use crate::sandbox::status::Status;

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) address: Address,
    pub(super) query: Query,
    pub(super) form: Form,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Call {
    fn object(&self) -> Result<Value, Status> {
        if self.content_type.contains("protobuf") {
            let message =
                "the body of the request was in an unknown format - accepted media types include: application/json";
            return Err(Status::new(415, "UnsupportedMediaType", message));
        }
        if self.content_type.contains("yaml") {
            let text = std::str::from_utf8(&self.body).unwrap_or_default();
            return serde_saphyr::from_str(text).map_err(|error| Status::bad_request(error.to_string()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Status::bad_request(format!("error decoding the object: {error}")))
    }

    fn selector(&self) -> Result<Selector, Status> {
        Selector::parse(&self.query.label_selector, &self.query.field_selector)
    }

    /// How to delete, from the query and the body, of which the body counts more.
    fn deletion(&self) -> Result<Deletion, Status> {
        let options = if self.body.is_empty() { Value::Null } else { self.object()? };
        let policy = options["propagationPolicy"].as_str().or(self.query.propagation_policy.as_deref());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Deletion {
            grace: options["gracePeriodSeconds"].as_u64().or(self.query.grace_period_seconds),
            propagation: match policy {
                Some("Foreground") => Propagation::Foreground,
                Some("Orphan") => Propagation::Orphan,
                Some("Background") | None => Propagation::Background,
                Some(other) => return Err(Status::bad_request(format!("invalid propagationPolicy: {other}"))),
            },
            uid: text(&options["preconditions"]["uid"]),
            version: text(&options["preconditions"]["resourceVersion"]),
            dry_run: options["dryRun"] == json!(["All"]) || self.query.dry_run()?,
        })
    }
}

/// Does what a request asks.
///
/// # Errors
/// With the `Status` that tells why not.
pub(super) fn answer(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { method, address, form, .. } = call;
    match (method, address.name.is_empty(), address.subresource.as_str()) {
        (&Method::GET | &Method::HEAD, true, "") if call.query.watches() => begin_watch(registry, call),
        (&Method::GET | &Method::HEAD, true, "") => list(registry, call),
        (&Method::GET | &Method::HEAD, false, "" | "status") => {
            let object = registry.get(&address.kind.resource(), &address.namespace, &address.name)?;
            Ok(json(200, &form.object(&address.kind, &object)))
        }
        (&Method::POST, true, "") => create(registry, call),
        (&Method::PUT | &Method::PATCH, false, "" | "status" | "finalize") => update(registry, call),
        (&Method::GET | &Method::PUT | &Method::PATCH, false, "scale") => scale::answer(registry, call),
        (&Method::POST, false, "eviction") if address.kind.resource() == kinds::PODS => {
            registry.delete(kinds::PODS, &address.namespace, &address.name, &Deletion::default())?;
            Ok(json(201, &success(None)))
        }
        (&Method::DELETE, false, "") => delete(registry, call),
        (&Method::DELETE, true, "") => delete_all(registry, call),
        (_, _, "" | "status" | "scale") => {
            Err(Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"))
        }
        _ => Err(nothing_there()),
    }
}

fn begin_watch(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { address, query, form, .. } = call;
    let request = watch::Request {
        kind: address.kind.clone(),
        namespace: address.scope().map(str::to_owned),
        selector: call.selector()?,
        form: *form,
        since: query.since()?,
        initial: query.initial(),
        bookmarks: query.bookmarks() || query.initial(),
        seconds: query.seconds(),
    };
    Ok(watch::follow(registry, request))
}

fn list(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { address, form, .. } = call;
    let selector = call.selector()?;
    let (mut objects, version) = registry.list(&address.kind.resource(), address.scope());
    objects.retain(|object| selector.selects(object));
    Ok(json(200, &form.list(&address.kind, &objects, version)))
}

fn create(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { address, query, form, .. } = call;
    let object = call.object()?;
    let kind = &address.kind;
    for (field, expected) in [("kind", kind.kind.clone()), ("apiVersion", kind.api_version())] {
        if object[field].as_str().is_some_and(|given| given != expected) {
            let given = &object[field];
            return Err(Status::bad_request(format!(
                "the {field} in the data ({given}) does not match the expected {expected}"
            )));
        }
    }
    if let Some(namespace) = object["metadata"]["namespace"].as_str()
        && namespace != address.namespace
    {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let created = registry.create(&kind.resource(), &address.namespace, object, query.dry_run()?)?;
    Ok(json(201, &form.object(kind, &created)))
}

fn update(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { method, address, query, form, .. } = call;
    let part = if address.subresource == "status" { Part::Status } else { Part::Whole };
    let resource = address.kind.resource();
    let (namespace, name) = (&address.namespace, &address.name);
    let updated = if method == Method::PATCH {
        let patch = Patch::parse(&call.content_type, &call.body)?;
        registry.update(&resource, namespace, name, part, query.dry_run()?, |object| patch.apply(object))?
    } else {
        let object = call.object()?;
        let named = object["metadata"]["name"].as_str().unwrap_or_default();
        if named != name {
            let message = format!("the name of the object ({named}) does not match the name on the URL ({name})");
            return Err(Status::bad_request(message));
        }
        registry.update(&resource, namespace, name, part, query.dry_run()?, |standing| {
            *standing = object;
            Ok(())
        })?
    };
    Ok(json(200, &form.object(&address.kind, &updated)))
}

fn delete(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { address, .. } = call;
    let resource = address.kind.resource();
    let deletion = call.deletion()?;
    let deleted = registry.delete(&resource, &address.namespace, &address.name, &deletion)?;
    // Where it stays for a while the object is the answer, otherwise that it is gone.
    let stays = registry.get(&resource, &address.namespace, &address.name).is_ok();
    Ok(json(200, &if stays { deleted.as_ref().clone() } else { success(Some((address, &deleted))) }))
}

fn delete_all(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { address, form, .. } = call;
    let resource = address.kind.resource();
    let (selector, deletion) = (call.selector()?, call.deletion()?);
    let (mut objects, version) = registry.list(&resource, address.scope());
    objects.retain(|object| selector.selects(object));
    for object in &objects {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        match registry.delete(&resource, text("namespace"), text("name"), &deletion) {
            // Somebody else was quicker.
            Ok(_) | Err(Status { code: 404, .. }) => {}
            Err(status) => return Err(status),
        }
    }
    Ok(json(200, &form.list(&address.kind, &objects, version)))
}

fn success(about: Option<(&Address, &Value)>) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some((address, object)) = about {
        let (name, uid) = (&address.name, &object["metadata"]["uid"]);
        status["details"] = json!({"name": name, "kind": address.kind.plural, "uid": uid});
        if !address.kind.group.is_empty() {
            status["details"]["group"] = json!(address.kind.group);
        }
    }
    status
}
