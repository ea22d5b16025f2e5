//! One connection to a server, and how it is set up.
//!
//! The [`Client`] owns the task that carries its socket, which ends when the connection does;
//! dropping the client ends it at once. What can be asked is in `requests`.

use std::sync::Arc;
use std::time::Duration;

use parlor_protocol::{Codec, Secret, Welcome};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_util::task::AbortOnDropHandle;

use crate::closed::{CLOSE_TIME_MAX, Closed};
use crate::connect::{ConnectError, authority, open, parse};
use crate::event::Events;
use crate::pump;
use crate::session::Session;
use crate::shared::Shared;

/// A connection to a server.
///
/// Requests take `&self`, and any number of tasks may ask at the same time; they leave in the order
/// in which they were asked. At most [`UNANSWERED_REQUESTS_MAX`] wait for an answer, and
/// one more waits to be sent.
///
/// Dropping the client cuts the connection. The seat, if there is one, is held for the game's
/// grace period.
///
/// [`UNANSWERED_REQUESTS_MAX`]: crate::protocol::limits::UNANSWERED_REQUESTS_MAX
#[derive(Debug)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
    pub(crate) request_time_max: Duration,
    welcome: Welcome,
    task: AbortOnDropHandle<()>,
}

/// How a client connects and how much it holds.
#[derive(Clone, Debug)]
pub struct Options {
    /// How messages are encoded. Defaults to JSON; MessagePack is smaller and faster.
    pub codec: Codec,
    /// Who the player is, as an account service says it: sent in the handshake. Defaults to nobody in particular.
    pub access_token: Option<Secret>,
    /// How long connecting may take, up to the server's greeting. Defaults to 10 s.
    pub connect_time_max: Duration,
    /// How long a request may wait to be sent and answered. Defaults to 10 s.
    pub request_time_max: Duration,
    /// Events that may wait to be taken. Defaults to 1024. One more ends the connection with
    /// [`Closed::EventsUnread`]: nothing is dropped in silence, and answers do not wait behind events.
    pub events_max: usize,
    /// Bytes of one message from the server. Defaults to 1 MiB; a larger one ends the connection.
    pub message_bytes_max: usize,
}

impl Client {
    /// Connects to `url`, such as `ws://127.0.0.1:8080/ws`.
    pub async fn connect(url: &str, options: Options) -> Result<(Self, Events), ConnectError> {
        let uri = parse(url)?;
        let connecting = async {
            let stream = TcpStream::connect(authority(&uri)).await?;
            // A move should not wait for the acknowledgement of the one before.
            stream.set_nodelay(true)?;
            Self::greet(stream, uri, &options).await
        };
        timeout(options.connect_time_max, connecting).await.unwrap_or(Err(ConnectError::Timeout))
    }

    /// The same over a stream that is connected already: a pipe, a tunnel. `url` is what the
    /// server is asked for.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        url: &str,
        options: Options,
    ) -> Result<(Self, Events), ConnectError> {
        let connecting = Self::greet(stream, parse(url)?, &options);
        timeout(options.connect_time_max, connecting).await.unwrap_or(Err(ConnectError::Timeout))
    }

    /// What the server said first.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// What brings the player back to its seat, when there is one. It changes with every event
    /// that is taken, so ask when it is needed.
    pub fn session(&self) -> Option<Session> {
        self.shared.session()
    }

    /// Why the connection is over, if it is.
    pub fn closed(&self) -> Option<Closed> {
        self.shared.closed()
    }

    /// Closes the connection in good order, once what was asked has been sent.
    ///
    /// The seat stays held for the game's grace period; leave the room first to give it up.
    pub async fn close(self) {
        let closing = async {
            self.shared.say_goodbye().await;
            // However the task ends, the connection is over.
            let _ = self.task.await;
        };
        // Past this the socket is cut, as by dropping.
        let _ = timeout(CLOSE_TIME_MAX, closing).await;
    }

    async fn greet(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        uri: Uri,
        options: &Options,
    ) -> Result<(Self, Events), ConnectError> {
        let (socket, welcome) = open(stream, uri, options).await?;
        let (shared, outgoing) = Shared::new(options.codec, &welcome.limits);
        let (queue, queued) = mpsc::channel(options.events_max.max(1));
        let heartbeat = Duration::from_millis(welcome.heartbeat_ms);
        let task = pump::run(socket, outgoing, queue, Arc::clone(&shared), heartbeat);
        let events = Events::new(queued, Arc::clone(&shared));
        let client = Self {
            shared,
            request_time_max: options.request_time_max,
            welcome,
            task: AbortOnDropHandle::new(tokio::spawn(task)),
        };
        Ok((client, events))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            codec: Codec::Json,
            access_token: None,
            connect_time_max: Duration::from_secs(10),
            request_time_max: Duration::from_secs(10),
            events_max: 1024,
            message_bytes_max: 1024 * 1024,
        }
    }
}
