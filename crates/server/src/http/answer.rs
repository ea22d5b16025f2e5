//! Answers in JSON, errors among them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use parlor_protocol::{ErrorCode, ErrorDetail, Refused};
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

/// `{"error": …}`. Where waiting helps, `Retry-After` says how long in seconds.
pub(super) fn detail(status: StatusCode, error: ErrorDetail) -> Answer {
    let wait_ms = error.details.as_ref().and_then(|details| details.get("retryAfterMs")?.as_u64());
    let mut answer = json(status, &Refused { error });
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = wait_ms.map_or(RETRY_AFTER_SECONDS, |wait| wait.div_ceil(1000));
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// `{"error": …}` with the status that goes with the error's code.
pub(super) fn refusal(error: ErrorDetail) -> Answer {
    Refusal::from(error).answer()
}

/// Why something is refused, and with which status if that is not the code's.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: ErrorDetail,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: ErrorDetail) -> Self {
        Self { status, error }
    }

    pub(super) fn answer(self) -> Answer {
        detail(self.status, self.error)
    }
}

impl From<ErrorDetail> for Refusal {
    fn from(error: ErrorDetail) -> Self {
        let status = StatusCode::from_u16(error.code.http_status());
        Self { status: status.expect("the codes have statuses of HTTP"), error }
    }
}

/// Nothing to say.
pub(super) fn no_content() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A JSON error without details.
pub(super) fn error(status: StatusCode, code: ErrorCode, message: &'static str) -> Answer {
    detail(status, ErrorDetail::new(code, message))
}

/// When a client may try again that met a server which can do no more just now.
const RETRY_AFTER_SECONDS: u64 = 5;
