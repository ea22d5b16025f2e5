//! Where a player stands between its program and its seat.

use std::sync::Arc;

use parlor_protocol::FieldErrors;

use crate::closed::Closed;
use crate::connect::ConnectError;
use crate::request::RequestError;

/// Where a player stands.
#[derive(Clone, Debug)]
pub enum Status {
    /// On the way to its seat for the first time.
    Connecting,
    /// At its seat, and connected.
    Open,
    /// The connection is lost; on the way back.
    Resuming,
    /// It will not come back.
    Closed(Ended),
}

/// Why a player does not come back.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Ended {
    /// This program closed the player or dropped it.
    #[error("closed by this program")]
    ByClient,
    /// The server gives it no seat, or none any more.
    #[error("no seat: {0}")]
    NoSeat(Arc<RequestError>),
    /// The connection ended in a way that forbids another: kicked, taken over, the room closed.
    #[error("{0}")]
    Connection(Closed),
    /// There is no server there that speaks this protocol.
    #[error("cannot connect: {0}")]
    NoServer(Arc<ConnectError>),
    /// The server sent a state that is not of the type that the program expects.
    #[error("the state has another shape: {0}")]
    Unexpected(FieldErrors),
}
