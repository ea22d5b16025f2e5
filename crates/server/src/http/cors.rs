//! Which other sites' pages may read what the API answers: those that may open a socket.

use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
    },
};

use super::Answer;
use crate::live::Live;

/// The site that asks, if its pages may read the answer.
pub(super) fn origin(headers: &HeaderMap, live: &Live) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    let named = origin.to_str().ok()?;
    live.allowed_origins.iter().any(|allowed| allowed.is(named)).then(|| origin.clone())
}

/// Whether a browser asks what it may ask.
pub(super) fn is_preflight<B>(request: &Request<B>, path: &str) -> bool {
    request.method() == Method::OPTIONS
        && is_api(path)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Says what may be asked. For sites that may not, [`allow`] leaves it without effect.
pub(super) fn preflight() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(ACCESS_CONTROL_ALLOW_METHODS, "DELETE, GET, HEAD, POST");
    set(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type");
    set(ACCESS_CONTROL_MAX_AGE, "600");
    answer
}

/// Lets pages of `origin` read an answer of the API.
pub(super) fn allow(mut answer: Answer, path: &str, origin: Option<HeaderValue>) -> Answer {
    if is_api(path) {
        let headers = answer.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
    answer
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}
