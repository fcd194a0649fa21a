//! How an HTTP request becomes a stream: the handshakes of WebSocket and of SPDY.

use std::future::Future;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::answer::refusal;
use crate::sandbox::status::Status;

/// The header in which a SPDY client names what it wants to speak.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// An upgraded connection.
pub(super) type Raw = TokioIo<Upgraded>;
/// An upgraded connection that speaks WebSocket.
pub(super) type Socket = WebSocketStream<Raw>;

/// What a client asks the connection to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    WebSocket,
    Spdy,
    Nothing,
}

/// What a request asks its connection to become.
pub(super) fn wanted(headers: &HeaderMap) -> Wanted {
    let has = |name: HeaderName, word: &str| listed(headers, &name).any(|value| value.eq_ignore_ascii_case(word));
    if !has(header::CONNECTION, "upgrade") {
        Wanted::Nothing
    } else if has(header::UPGRADE, "websocket") {
        Wanted::WebSocket
    } else if has(header::UPGRADE, "spdy/3.1") {
        Wanted::Spdy
    } else {
        Wanted::Nothing
    }
}

/// The values of a header that is a list, in however many lines it comes.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

/// The first protocol of the client's that the server speaks too; nothing where the client has no wish.
///
/// # Errors
/// When it has wishes and none can be met.
pub(super) fn websocket_protocol(headers: &HeaderMap, known: &[&'static str]) -> Result<Option<&'static str>, Status> {
    let asked: Vec<&str> = listed(headers, &header::SEC_WEBSOCKET_PROTOCOL).collect();
    let found = asked.iter().find_map(|asked| known.iter().find(|known| *known == asked));
    match found {
        Some(found) => Ok(Some(found)),
        None if asked.is_empty() => Ok(None),
        None => Err(Status::bad_request(format!(
            "unable to negotiate a WebSocket subprotocol: client supports {asked:?}, server accepts {known:?}"
        ))),
    }
}

/// The first protocol of the client's that the server speaks too.
///
/// # Errors
/// When there is none.
pub(super) fn spdy_protocol(headers: &HeaderMap, known: &[&'static str]) -> Result<&'static str, Status> {
    let asked: Vec<&str> = listed(headers, &STREAM_PROTOCOL).collect();
    let found = asked.iter().find_map(|asked| known.iter().find(|known| *known == asked));
    found.copied().ok_or_else(|| {
        let why = format!(
            "unable to upgrade: unable to negotiate protocol: client supports {asked:?}, server accepts {known:?}"
        );
        Status::new(403, "Forbidden", why)
    })
}

/// Answers a WebSocket handshake, and hands the socket over once the answer is on its way.
pub(super) fn websocket<F: Future<Output = ()> + Send + 'static>(
    mut request: Request,
    protocol: Option<&'static str>,
    then: impl FnOnce(Socket) -> F + Send + 'static,
) -> Response {
    let headers = request.headers();
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| version.is_some_and(|it| it == "13")) else {
        return refusal(&Status::bad_request("not a WebSocket handshake of version 13"));
    };
    let accept = derive_accept_key(key.as_bytes());
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else { return cannot() };
    tokio::spawn(async move {
        match upgrade.await {
            // Small chunks are flushed one by one, large ones in batches of this size.
            Ok(upgraded) => {
                let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
                let raw = TokioIo::new(upgraded);
                then(WebSocketStream::from_raw_socket(raw, Role::Server, Some(config)).await).await;
            }
            Err(error) => tracing::debug!(%error, "a client went before its WebSocket began"),
        }
    });
    let mut response = switching("websocket");
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept).expect("base64 is plain ASCII"));
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    response
}

/// Answers an upgrade to SPDY, and hands the connection over once the answer is on its way.
pub(super) fn spdy<F: Future<Output = ()> + Send + 'static>(
    mut request: Request,
    protocol: &'static str,
    then: impl FnOnce(Raw) -> F + Send + 'static,
) -> Response {
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else { return cannot() };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => then(TokioIo::new(upgraded)).await,
            Err(error) => tracing::debug!(%error, "a client went before its SPDY session began"),
        }
    });
    let mut response = switching("SPDY/3.1");
    response.headers_mut().insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    response
}

fn switching(to: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(to));
    response
}

/// The answer where the connection is not one that can become something else.
fn cannot() -> Response {
    refusal(&Status::new(500, "InternalError", "unable to upgrade: this connection cannot be upgraded"))
}

/// The answer to a request that asks for no stream where nothing else is served.
pub(super) fn required() -> Response {
    refusal(&Status::bad_request("Upgrade request required"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_a_client_wants_is_read_from_lists_in_any_case() {
        let asks = |upgrade| wanted(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", upgrade)]));
        assert_eq!(asks("WebSocket"), Wanted::WebSocket);
        assert_eq!(asks("SPDY/3.1"), Wanted::Spdy);
        assert_eq!(asks("h2c"), Wanted::Nothing);
        assert_eq!(wanted(&headers(&[("upgrade", "websocket")])), Wanted::Nothing);
    }

    #[test]
    fn the_clients_first_wish_that_can_be_met_is_met() {
        let known = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
        let chosen = |asked| websocket_protocol(&headers(&[("sec-websocket-protocol", asked)]), known);
        assert_eq!(chosen("v6.channel.k8s.io, v4.channel.k8s.io,v5.channel.k8s.io"), Ok(Some("v4.channel.k8s.io")));
        assert_eq!(chosen("base64.channel.k8s.io").unwrap_err().code, 400);
        assert_eq!(websocket_protocol(&HeaderMap::new(), known), Ok(None));
        assert_eq!(spdy_protocol(&HeaderMap::new(), known).unwrap_err().code, 403);
    }
}
