//! Answers without a stream: a `Status` as the HTTP response that carries it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::sandbox::status::Status;

/// The response that carries a `Status`.
pub(super) fn refusal(status: &Status) -> Response {
    let mut response = Response::new(Body::from(status.object().to_string()));
    *response.status_mut() = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
