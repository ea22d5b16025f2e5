//! Answers in JSON, errors among them.

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use parlor_protocol::{ErrorCode, ErrorDetail};
use serde::Serialize;

use super::Answer;

/// `body` as JSON, never cached.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("our own types are valid JSON");
    let mut answer = Response::new(Bytes::from(body).into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// `{"error": …}`.
pub(super) fn detail(status: StatusCode, error: ErrorDetail) -> Answer {
    #[derive(Serialize)]
    struct Body {
        error: ErrorDetail,
    }
    json(status, &Body { error })
}

/// A JSON error without details.
pub(super) fn error(status: StatusCode, code: ErrorCode, message: &'static str) -> Answer {
    detail(status, ErrorDetail::new(code, message))
}
