//! Asking: one request, one answer, or the reason why there is none.

use std::sync::Arc;

use parlor_protocol::{EncodeError, ErrorCode, ErrorDetail, FieldErrors, RawData, RequestType};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::closed::Closed;
use crate::player::Ended;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The server refused it. Its code and `retryable` say what helps.
    #[error("refused: {0}")]
    Refused(ErrorDetail),
    /// The connection is over. Whether the server handled the request is not known.
    #[error("the connection is over: {0}")]
    Closed(#[from] Closed),
    /// No answer came within [`Options::request_time_max`](crate::Options::request_time_max). Whether the
    /// server handled the request is not known.
    #[error("no answer came in time")]
    Timeout,
    /// It is larger than the server takes, and was not sent.
    #[error("the request has {bytes} bytes, the server takes {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The server's bound.
        bytes_max: u64,
    },
    /// It cannot be encoded, and was not sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The server did it, but its answer does not have the shape that was asked for.
    #[error("the answer has another shape: {0}")]
    Unexpected(FieldErrors),
    /// The player's game is over for it. Whether the server handled the request is not known.
    #[error("the player is gone: {0}")]
    Ended(Ended),
    /// As many requests wait behind the unanswered as may, and it was not sent.
    #[error("{waiting_max} requests wait already")]
    TooMany {
        /// [`PlayerOptions::requests_waiting_max`](crate::PlayerOptions::requests_waiting_max).
        waiting_max: usize,
    },
}

impl RequestError {
    /// The code of a refusal.
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Refused(detail) => Some(&detail.code),
            Self::Closed(_)
            | Self::Timeout
            | Self::TooLarge { .. }
            | Self::Encode(_)
            | Self::Unexpected(_)
            | Self::Ended(_)
            | Self::TooMany { .. } => None,
        }
    }
}

impl Client {
    /// Sends a request and waits for its answer. Every request has a method of its own, named
    /// after it; this is what they have in common.
    ///
    /// Dropping the future does not take back a request that was sent.
    pub async fn request<T: DeserializeOwned + Send + 'static>(
        &self,
        kind: RequestType,
        data: &(impl Serialize + Sync + ?Sized),
    ) -> Result<T, RequestError> {
        self.ask(kind, data, |data| data.decode().map_err(RequestError::Unexpected)).await
    }

    /// The same, where the answer is read by `read`: on the connection's task, before anything
    /// that comes after the answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        kind: RequestType,
        data: &(impl Serialize + Sync + ?Sized),
        read: impl FnOnce(RawData<'_>) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<T, RequestError> {
        let asking = async {
            let permit = self.shared.permit().await?;
            let (reply, answer) = oneshot::channel();
            self.shared.send(kind, data, permit, move |outcome| {
                // Nobody listens any more when the future was dropped or took too long.
                let _ = reply.send(outcome.and_then(read));
            })?;
            // Every waiting reply is called, by the answer or by the end of the connection.
            answer.await.unwrap_or(Err(RequestError::Closed(Closed::ByClient)))
        };
        timeout(self.request_time_max, asking).await.unwrap_or(Err(RequestError::Timeout))
    }

    /// Asks for a seat. The session is there, and events count for it, from the answer on.
    pub(crate) async fn ask_for_seat<T: DeserializeOwned + Send + 'static>(
        &self,
        kind: RequestType,
        data: &(impl Serialize + Sync),
        known: Known,
    ) -> Result<T, RequestError> {
        let shared = Arc::clone(&self.shared);
        self.ask(kind, data, move |data| {
            let seated = data.decode().map_err(RequestError::Unexpected)?;
            shared.sit_down(seated, known);
            data.decode().map_err(RequestError::Unexpected)
        })
        .await
    }
}

/// What a client knows of its seat before the server answers: nothing, unless it comes back.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) token: Option<parlor_protocol::Secret>,
    pub(crate) attempt: u64,
}
