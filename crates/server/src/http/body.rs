//! Bodies of requests: JSON, bounded in bytes and depth.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{HeaderMap, StatusCode, body::Body, header::CONTENT_TYPE};
use mime_guess::Mime;
use parlor_protocol::{ErrorCode, ErrorDetail, limits::FrameLimits, read_body};
use serde::de::DeserializeOwned;
use validator::Validate;

use super::answer::Refusal;

/// The request's body as a `T`. Refused with 415 for another type than JSON, 413 for too much, 400 for what cannot be
/// read.
pub(super) async fn json<T, B>(
    headers: &HeaderMap,
    body: B,
    limits: &FrameLimits,
) -> Result<T, Refusal>
where
    T: DeserializeOwned + Validate,
    B: Body<Error: std::error::Error + Send + Sync + 'static>,
{
    let refuse = |status, message: String| {
        Refusal::new(status, ErrorDetail::new(ErrorCode::BAD_REQUEST, message))
    };
    if !is_json(headers) {
        let message = "the body must be application/json".to_owned();
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let bytes = match Limited::new(body, limits.message_bytes_max).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("a body is at most {} bytes", limits.message_bytes_max);
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Err(_) => {
            return Err(refuse(StatusCode::BAD_REQUEST, "the body was cut short".to_owned()));
        }
    };
    Ok(read_body(&bytes, limits)?)
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type
        .and_then(|text| text.parse::<Mime>().ok())
        .is_some_and(|mime| mime.essence_str() == "application/json")
}
