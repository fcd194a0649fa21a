//! The verbs on objects: get, list, create, update, patch, delete.

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::{Value, json};

use super::address::{Address, nothing_there};
use super::answer::{Form, json};
use super::patch::Patch;
use super::query::Query;
use super::selector::Selector;
use super::{events, scale, watch};
use crate::sandbox::kinds::{self, Kind};
use crate::sandbox::registry::{Deletion, Part, Propagation, Registry};
use crate::sandbox::status::{Cause, Status};

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
    pub(super) fn object(&self) -> Result<Value, Status> {
        if self.content_type.contains("protobuf") {
            // Newer kubectls send what they make up themselves (`kubectl create namespace`) so, and never a manifest.
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json; in the sandbox, give kubectl a manifest: --dry-run=client -o yaml | kubectl \
                           apply -f -";
            return Err(Status::new(415, "UnsupportedMediaType", message));
        }
        if self.content_type.contains("yaml") {
            let text = std::str::from_utf8(&self.body).unwrap_or_default();
            return serde_saphyr::from_str(text).map_err(|error| Status::bad_request(error.to_string()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Status::bad_request(format!("error decoding the object: {error}")))
    }

    pub(super) fn selector(&self) -> Result<Selector, Status> {
        let selector = Selector::parse(&self.query.label_selector, &self.query.field_selector)?;
        selector.suits(&self.address.kind)?;
        Ok(selector)
    }

    /// How to delete, from the query and the body, of which the body counts more.
    fn deletion(&self) -> Result<Deletion, Status> {
        let options = if self.body.is_empty() { Value::Null } else { self.object()? };
        let policy = options["propagationPolicy"].as_str().or(self.query.propagation_policy.as_deref());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(other) = policy.filter(|policy| !matches!(*policy, "Foreground" | "Orphan" | "Background")) {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            let cause = Cause::unsupported("propagationPolicy", other, &supported);
            return Err(Status::invalid_for("DeleteOptions.meta.k8s.io", "", &[cause]));
        }
        let dry_run = options["dryRun"] == json!(["All"]) || self.query.dry_run("DeleteOptions")?;
        Ok(Deletion {
            grace: options["gracePeriodSeconds"].as_u64().or(self.query.grace_period_seconds),
            propagation: match policy {
                Some("Foreground") => Propagation::Foreground,
                Some("Orphan") => Propagation::Orphan,
                _ => Propagation::Background,
            },
            uid: text(&options["preconditions"]["uid"]),
            version: text(&options["preconditions"]["resourceVersion"]),
            dry_run,
        })
    }
}

/// Whether an object that was sent is of the kind that lives at the address.
fn is_of_its_kind(kind: &Kind, object: &Value) -> Result<(), Status> {
    let given = |field: &str, own: String| object[field].as_str().map_or(own, str::to_owned);
    let (name, version) = (given("kind", kind.kind.clone()), given("apiVersion", kind.api_version()));
    let short = version.rsplit('/').next().unwrap_or_default();
    let why = if version != kind.api_version() {
        format!(
            "no kind \"{name}\" is registered for version \"{version}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
        )
    } else if name == kind.kind {
        return Ok(());
    } else {
        let package = kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        format!("converting ({short}.{name}) to ({package}.{}): unknown conversion", kind.kind)
    };
    Err(Status::bad_request(format!("{name} in version \"{short}\" cannot be handled as a {}: {why}", kind.kind)))
}

/// Whether an object bears the name that it is sent to.
fn is_at(object: &Value, namespace: &str, name: &str) -> Result<(), Status> {
    let given = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let named = given("name");
    if named != name {
        let message = format!("the name of the object ({named}) does not match the name on the URL ({name})");
        return Err(Status::bad_request(message));
    }
    let within = given("namespace");
    if !within.is_empty() && within != namespace {
        return Err(Status::bad_request(format!(
            "the namespace of the object ({within}) does not match the namespace on the request ({namespace})"
        )));
    }
    Ok(())
}

/// A writer that names a uid means that object and no other of its name.
fn is_the_same(registry: &Registry, address: &Address, object: &Value) -> Result<(), Status> {
    let Some(wanted) = object["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) else { return Ok(()) };
    let resource = address.kind.resource();
    let standing = registry.get(&resource, &address.namespace, &address.name);
    let uid = standing.as_ref().map_or("", |standing| standing["metadata"]["uid"].as_str().unwrap_or_default());
    if uid == wanted {
        return Ok(());
    }
    let path = [address.kind.plural.as_str(), &address.namespace, &address.name];
    let path: Vec<_> = path.into_iter().filter(|part| !part.is_empty()).collect();
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}, ResourceVersion: 0, AdditionalErrorMsg: \
         Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}",
        path.join("/")
    );
    Err(Status::conflict(&resource, &address.name, &why))
}

/// What a patch has made of an object cannot be read as one. kube-apiserver shows the whole of it, which is left out here.
fn unfit(status: Status) -> Status {
    if !status.message.contains("cannot be handled as a") {
        return status;
    }
    let cause = Cause::invalid("patch", "\"\"", &status.message);
    Status::invalid_for("", "", &[cause])
}

/// Does what a request asks.
///
/// # Errors
/// With the `Status` that tells why not.
pub(super) fn answer(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { method, address, form, .. } = call;
    if address.kind.resource() == kinds::NEWER_EVENTS {
        return events::answer(registry, call);
    }
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
        (_, _, "" | "status" | "scale") => Err(Status::bare(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
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
    is_of_its_kind(kind, &object)?;
    if let Some(namespace) = object["metadata"]["namespace"].as_str()
        && namespace != address.namespace
    {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let created = registry.create(&kind.resource(), &address.namespace, object, query.dry_run("CreateOptions")?)?;
    Ok(json(201, &form.object(kind, &created)))
}

fn update(registry: &Registry, call: &Call) -> Result<Response<Body>, Status> {
    let Call { method, address, query, form, .. } = call;
    let part = if address.subresource == "status" { Part::Status } else { Part::Whole };
    let resource = address.kind.resource();
    let (namespace, name) = (&address.namespace, &address.name);
    let updated = if method == Method::PATCH {
        let patch = Patch::parse(&call.content_type, &call.body)?;
        let dry_run = query.dry_run("PatchOptions")?;
        let patched = registry.update(&resource, namespace, name, part, dry_run, |object| {
            let uid = object["metadata"]["uid"].clone();
            patch.apply(object)?;
            is_at(object, namespace, name)?;
            let wanted = &object["metadata"]["uid"];
            if wanted.is_string() && *wanted != uid {
                let cause = Cause::invalid("metadata.uid", wanted, "field is immutable");
                return Err(Status::invalid_for(&address.kind.qualified(), name, &[cause]));
            }
            Ok(())
        });
        patched.map_err(|status| if status.code == 400 { unfit(status) } else { status })?
    } else {
        let object = call.object()?;
        is_of_its_kind(&address.kind, &object)?;
        is_at(&object, namespace, name)?;
        let dry_run = query.dry_run("UpdateOptions")?;
        is_the_same(registry, address, &object)?;
        registry.update(&resource, namespace, name, part, dry_run, |standing| {
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
    let stays = if deletion.dry_run {
        !deleted["metadata"]["deletionTimestamp"].is_null()
    } else {
        registry.get(&resource, &address.namespace, &address.name).is_ok()
    };
    Ok(json(
        200,
        &if stays || shows_what_went(&resource) {
            deleted.as_ref().clone()
        } else {
            success(Some((address, &deleted)))
        },
    ))
}

/// Whether the answer to a deletion is what was deleted, even where it is gone at once. A list in kube-apiserver, too.
fn shows_what_went(resource: &str) -> bool {
    matches!(resource, kinds::PODS | kinds::CLAIMS | kinds::VOLUMES | kinds::QUOTAS | kinds::SERVICE_ACCOUNTS)
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
