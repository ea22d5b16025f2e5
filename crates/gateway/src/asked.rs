//! Asking the program around the rooms, whose code may panic or never answer.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use parlor_protocol::{ErrorCode, ErrorDetail};

use crate::secrets;

/// What `who` answers. Refused with `INTERNAL` when it panics, and with `STORE_UNAVAILABLE` when it takes longer
/// than `time_max`.
pub(crate) async fn asked<T>(
    who: &'static str,
    time_max: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, ErrorDetail> {
    match tokio::time::timeout(time_max, unless_it_panics(answer)).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => {
            let reference = secrets::new_reference();
            tracing::error!(reference, "{who} panicked");
            Err(ErrorDetail::internal(&reference))
        }
        Err(_) => {
            tracing::warn!("{who} took too long");
            Err(unavailable())
        }
    }
}

pub(crate) fn unavailable() -> ErrorDetail {
    let message = "it cannot be found out just now who you are";
    ErrorDetail::new(ErrorCode::STORE_UNAVAILABLE, message)
}

/// What comes of `future`, or `None` when it panics: then it is never polled again.
async fn unless_it_panics<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}
