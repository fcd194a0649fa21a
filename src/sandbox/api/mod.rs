//! The API server: from a request to its answer.

mod address;
mod answer;
mod discovery;
mod faults;
mod objects;
mod patch;
mod query;
mod scale;
mod selector;
mod strategic;
mod table;
mod tls;
mod watch;

use std::future::pending;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::{Router, serve};

use super::registry::Registry;
use super::status::Status;
use address::Address;
use answer::Form;
use faults::Trouble;
use objects::Call;
use query::Query;
use tls::{Caller, Door};

/// The largest object that is taken: etcd's own limit for one, and so Kubernetes'.
const LARGEST: usize = 3 * 1024 * 1024 / 2;

/// What every request needs.
#[derive(Clone)]
struct Server {
    registry: Arc<Registry>,
}

/// Serves until the task is dropped. Gives back the kubeconfig.
///
/// # Errors
/// When no port can be opened.
pub(super) async fn start(registry: Arc<Registry>, _node: super::node::Node) -> anyhow::Result<String> {
    let token = uuid::Uuid::new_v4().simple().to_string();
    let (door, kubeconfig) = Door::open(&token).await?;
    let server = Server { registry };
    let router = Router::new().fallback(answer_request).with_state(server);
    tokio::spawn(async move { serve(door, router.into_make_service_with_connect_info::<Caller>()).await });
    Ok(kubeconfig)
}

async fn answer_request(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    tracing::debug!(method = %request.method(), uri = %request.uri(), "request");
    if let Some(answer) = discovery::answer(&server.registry, &path) {
        return answer;
    }
    match server.answer(&path, &caller, request).await {
        Ok(response) => response,
        Err(status) => answer::status(&status),
    }
}

impl Server {
    async fn answer(&self, path: &str, caller: &Caller, request: Request) -> Result<Response<Body>, Status> {
        let address = Address::parse(&self.registry, path)?;
        let query = Query::parse(request.uri().query().unwrap_or_default())?;
        let verb = address.verb(request.method(), query.watches());
        let trouble = faults::met(&self.registry, &address, verb);
        match &trouble {
            Some(Trouble::Error(status)) => return Err(status.clone()),
            Some(Trouble::Silence) => return pending().await,
            Some(Trouble::Cut) => return cut(caller).await,
            Some(Trouble::CutAfter) | None => {}
        }
        let response = self.serve(address, query, request).await;
        match trouble {
            Some(_) => cut(caller).await,
            None => response,
        }
    }

    async fn serve(&self, address: Address, query: Query, request: Request) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST)
            .await
            .map_err(|error| Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: {error}")))?;
        let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let call = Call {
            form: Form::of(&parts.headers),
            content_type: header(CONTENT_TYPE).unwrap_or("application/json").to_owned(),
            method: parts.method.clone(),
            address,
            query,
            body: body.to_vec(),
        };
        objects::answer(&self.registry, &call)
    }
}

/// Ends the connection without an answer.
async fn cut(caller: &Caller) -> Result<Response<Body>, Status> {
    caller.cut();
    pending().await
}
