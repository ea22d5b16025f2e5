//! WebSocket connections: from accepted sockets to messages and back.
//!
//! Owns the listener, the handshake, framing, heartbeats, closing and the tasks that do it. It
//! does not know what a message means: behind every socket stands a [`Session`], which an
//! [`Endpoint`] makes. The server's sessions belong to the gateway; an echo server is a few lines.
//!
//! ```text
//! listen ── accepts ──▶ handshake task: HTTP, checks, 101 ── socket ──▶ connection task
//!                                                                        decode ▶ Session
//!                                                                        write  ◀ Outbox
//! ```
//!
//! Every task is owned by the listener's, which ends them all.

mod connection;
mod decode;
pub(crate) mod handshake;
mod input;
mod listen;
mod proxy_protocol;
mod pulse;
mod write;

use std::{sync::Arc, time::Duration};

use parlor_gateway::{Caller, Handled, outbox::Outbox};
use parlor_protocol::FrameKind;

pub use self::{
    connection::run,
    listen::{Listening, Stopped},
};

/// Where sessions come from.
pub trait Endpoint: Send + Sync + 'static {
    /// What stands behind each socket.
    type Session: Session;

    /// The subprotocols that can be spoken. A client that offers only others is refused.
    const SUBPROTOCOLS: &'static [&'static str];

    /// Makes the session of a socket that has just been opened. `subprotocol` is one of
    /// [`SUBPROTOCOLS`](Self::SUBPROTOCOLS), or `None` when the client offered none. The `caller` is to be kept
    /// for as long as the session: it holds a place among those that its address has.
    ///
    /// Runs on the handshake's task, and must not block.
    fn connect(&self, subprotocol: Option<&'static str>, caller: Caller) -> Self::Session;
}

/// What stands behind one socket.
///
/// Dropping it says that the socket is lost, whatever the reason.
pub trait Session: Send + 'static {
    /// Handles one message. The next is handed over when this one is done with, so that the
    /// requests of one socket run strictly one after another; what was pushed to the outbox
    /// leaves meanwhile.
    fn message(&mut self, kind: FrameKind, payload: &[u8]) -> Handled<'_>;

    /// What is to be written to this socket: the same one each time.
    fn outbox(&self) -> &Arc<Outbox>;

    /// How long the client may go without a message before the connection is closed with 1000.
    /// `None` while it may be silent for as long as it answers pings.
    fn idle_max(&self) -> Option<Duration>;

    /// Says how the connection ended, before the session is dropped. Not called when the task is
    /// cut short.
    fn closed(&mut self, ending: Ending);
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The client sent a close frame, with this code if it had one.
    ByClient(Option<u16>),
    /// The server sent a close frame with this code.
    ByServer(u16),
    /// The socket broke without a close frame from either side.
    Lost,
}

/// How each connection is kept. The fields' defaults and costs are those of the fields of the same
/// names in [`ServerConfig`](crate::ServerConfig) and its `gateway`.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// Bytes of a client's message, over all its fragments. One that sends more is closed with
    /// 1009.
    pub message_bytes_max: usize,
    /// Frames of a client's message. One that sends more is closed with 1009.
    pub fragments_max: u32,
    /// Silence before the server pings a client; after twice that it closes with 4005. Each
    /// connection takes its own, up to a fifth more or less, so that the pings of clients that
    /// came together do not stay together.
    pub heartbeat: Duration,
    /// How long a close frame may take to be sent and answered before the socket is cut.
    pub close_time_max: Duration,
}
