//! The API server: from a request to its answer.
//!
//! - `tls`: the door; `access`: who comes in, and may do what;
//! - `address`, `query`: what a request is about; `discovery`: the server itself;
//! - `objects`: the verbs, with `patch`, `strategic`, `selector`, `scale`, `events` and `watch`; `answer` and `table` are their forms;
//! - `streams`: into pods, which `pods` reaches through the node;
//! - `faults`: what a request meets instead.

mod access;
mod address;
mod answer;
mod discovery;
mod events;
mod faults;
mod objects;
mod patch;
mod pods;
mod query;
mod scale;
mod selector;
mod strategic;
mod streams;
mod table;
mod tls;
mod watch;

use std::future::pending;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Response};
use axum::{Router, serve};
use serde_json::Value;

use super::kinds;
use super::node::Node;
use super::registry::Registry;
use super::status::Status;
use access::User;
use address::Address;
use answer::Form;
use discovery::Review;
use faults::{Met, Trouble};
use objects::Call;
use query::Query;
use tls::{Caller, Door};

use streams::Calls;
pub(super) use streams::Tunnels;

/// The largest object that is taken: etcd's own limit for one, and so Kubernetes'.
const LARGEST: usize = 3 * 1024 * 1024 / 2;

/// What every request needs.
struct Server {
    registry: Arc<Registry>,
    node: Arc<Node>,
    tunnels: Arc<Tunnels>,
    token: String,
}

/// Serves for as long as this process lives. Gives back the kubeconfig.
///
/// # Errors
/// When no port can be opened.
pub(super) async fn start(registry: Arc<Registry>, node: Arc<Node>, tunnels: Arc<Tunnels>) -> anyhow::Result<String> {
    access::create(&registry).map_err(|status| anyhow::anyhow!(status.message))?;
    let token = uuid::Uuid::new_v4().simple().to_string();
    let (door, kubeconfig) = Door::open(&token).await?;
    let server = Arc::new(Server { registry, node, tunnels, token });
    let router = Router::new().fallback(answer_request).with_state(server);
    tokio::spawn(async move { serve(door, router.into_make_service_with_connect_info::<Caller>()).await });
    Ok(kubeconfig)
}

async fn answer_request(
    State(server): State<Arc<Server>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
) -> Response<Body> {
    tracing::debug!(method = %request.method(), uri = %request.uri(), "request");
    match server.answer(&caller, request).await {
        Ok(response) => response,
        Err(status) => answer::status(&status),
    }
}

impl Server {
    async fn answer(&self, caller: &Caller, request: Request) -> Result<Response<Body>, Status> {
        let user = access::authenticate(request.headers(), &self.token)?;
        let path = request.uri().path().to_owned();
        if let Some(answer) = discovery::answer(&self.registry, &path) {
            return Ok(answer);
        }
        if let Some(review) = discovery::review(&path) {
            return self.review(review, &user, request).await;
        }
        let address = Address::parse(&self.registry, &path)?;
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        let verb = address.verb(request.method(), query.watches());
        self.may(&user, &address, verb)?;
        let Some(met) = self.meets(&user, &address, verb) else {
            return self.serve(address, query, &user, request).await;
        };
        match &met.trouble {
            Trouble::Error(status) => {
                met.carried_out(&self.registry);
                Err(status.clone())
            }
            Trouble::Silence => {
                met.carried_out(&self.registry);
                pending().await
            }
            Trouble::SilenceAfter => {
                // What is served may be a stream, which must not end.
                let _held = self.serve(address, query, &user, request).await;
                met.carried_out(&self.registry);
                pending().await
            }
            Trouble::Cut => {
                met.carried_out(&self.registry);
                cut(caller).await
            }
            Trouble::CutAfter => {
                drop(self.serve(address, query, &user, request).await);
                met.carried_out(&self.registry);
                cut(caller).await
            }
            Trouble::Delay => {
                met.ended(&self.registry).await;
                self.serve(address, query, &user, request).await
            }
        }
    }

    /// The fault that a request meets.
    fn meets(&self, user: &User, address: &Address, verb: &str) -> Option<Met> {
        let resource = address.kind.plural.as_str();
        if address.kind.resource() == kinds::FAULTS {
            return None; // or none could ever be ended
        }
        let (subresource, namespace) = (address.subresource.as_str(), address.namespace.as_str());
        let call = faults::Call { user: &user.name, verb, resource, subresource, namespace, name: &address.name };
        faults::met(&self.registry, &call)
    }

    /// # Errors
    /// When no role lets the user do it.
    fn may(&self, user: &User, address: &Address, verb: &str) -> Result<(), Status> {
        let asked = access::Request {
            verb,
            group: &address.kind.group,
            resource: &address.kind.plural,
            subresource: &address.subresource,
            namespace: &address.namespace,
            name: &address.name,
            path: "",
        };
        if access::allowed(&self.registry, user, &asked).allowed { Ok(()) } else { Err(asked.refused(user)) }
    }

    async fn serve(
        &self,
        address: Address,
        query: Query,
        user: &User,
        request: Request,
    ) -> Result<Response<Body>, Status> {
        let Self { registry, node, tunnels, .. } = self;
        if address.kind.resource() == kinds::PODS {
            let (namespace, pod) = (&address.namespace, &address.name);
            match address.subresource.as_str() {
                "exec" => return Ok(streams::exec(request, registry, node, namespace, pod).await),
                "attach" => return Ok(streams::attach(request, registry, node, namespace, pod).await),
                "portforward" => {
                    let calls = Calls { registry: Arc::clone(registry), user: user.name.clone() };
                    return Ok(streams::port_forward(request, calls, node, tunnels, namespace, pod).await);
                }
                "log" => return Ok(streams::log(request, registry, node, namespace, pod).await),
                _ => {}
            }
        }
        let form = Form::of(request.headers());
        let (method, content_type, body) = read(request).await?;
        objects::answer(registry, &Call { method, address, query, form, content_type, body })
    }

    /// Answers what a user asks about itself.
    async fn review(&self, review: Review, user: &User, request: Request) -> Result<Response<Body>, Status> {
        let (method, _, body) = read(request).await?;
        if method != Method::POST {
            let message = "the server does not allow this method on the requested resource";
            return Err(Status::new(405, "MethodNotAllowed", message));
        }
        let asked: Value = serde_json::from_slice(&body)
            .map_err(|error| Status::bad_request(format!("error decoding the review: {error}")))?;
        let answered = match review {
            Review::Access => access::access_review(&self.registry, user, &asked)?,
            Review::Rules => access::rules_review(&self.registry, user, &asked)?,
        };
        Ok(answer::json(201, &answered))
    }
}

/// Method, content type and body of a request.
async fn read(request: Request) -> Result<(Method, String, Vec<u8>), Status> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST)
        .await
        .map_err(|error| Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: {error}")))?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value: &HeaderValue| value.to_str().ok());
    Ok((parts.method, content_type.unwrap_or("application/json").to_owned(), body.to_vec()))
}

/// Ends the connection without an answer.
async fn cut(caller: &Caller) -> Result<Response<Body>, Status> {
    caller.cut();
    pending().await
}
