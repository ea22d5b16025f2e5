//! Why a connection is over.

use std::time::Duration;

use parlor_protocol::{BadServerMessage, CloseCode};

/// Why a connection is over.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Closed {
    /// The server closed it.
    #[error("closed by the server with {code} ({reason})")]
    ByServer {
        /// The close code; see [`CloseCode`].
        code: u16,
        /// What the server said to it.
        reason: String,
    },
    /// This client closed it or was dropped.
    #[error("closed by this client")]
    ByClient,
    /// The socket broke.
    #[error("lost: {0}")]
    Lost(String),
    /// The server fell silent: it was asked for a sign of life after a heartbeat without one, or for
    /// an answer, and gave none in time.
    #[error("nothing heard from the server")]
    Silent,
    /// More events waited to be taken than [`Options::events_max`](crate::Options::events_max).
    /// A session goes on where the last one was taken.
    #[error("too many events were left unread")]
    EventsUnread,
    /// The server sent something that is not of this protocol.
    #[error("the server does not keep to the protocol: {0}")]
    BadMessage(BadServerMessage),
}

impl Closed {
    /// The close code that stands for it. `None` for one that the protocol does not know.
    pub fn code(&self) -> Option<CloseCode> {
        match self {
            Self::ByServer { code, .. } => CloseCode::from_u16(*code),
            Self::ByClient => Some(CloseCode::Normal),
            Self::Lost(_) | Self::Silent => Some(CloseCode::Abnormal),
            Self::EventsUnread => Some(CloseCode::SlowConsumer),
            Self::BadMessage(_) => Some(CloseCode::ProtocolError),
        }
    }

    /// Whether connecting again and resuming the session makes sense.
    ///
    /// Not at once where the code says to [wait](CloseCode::wait_first).
    pub fn may_reconnect(&self) -> bool {
        // A code that is not known is a fault of the server.
        self.code().is_none_or(CloseCode::may_reconnect)
    }
}

/// How long closing in good order may take, on either side's wish.
pub(crate) const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);
