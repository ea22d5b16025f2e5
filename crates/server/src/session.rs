//! What stands behind the sockets of a game server: the gateway's connections.

use std::{sync::Arc, time::Duration};

use parlor_gateway::{Caller, Connection, Gateway, Handled, outbox::Outbox};
use parlor_protocol::{Codec, FrameKind};
use tracing::debug;

use crate::transport::{Ending, Endpoint, Session};

/// Leads every socket to one gateway.
#[derive(Debug)]
pub(crate) struct GatewayEndpoint(pub(crate) Arc<Gateway>);

impl Endpoint for GatewayEndpoint {
    type Session = GatewaySession;
    const SUBPROTOCOLS: &'static [&'static str] =
        &[Codec::Json.subprotocol(), Codec::MsgPack.subprotocol()];

    fn connect(&self, subprotocol: Option<&'static str>, caller: Caller) -> GatewaySession {
        let codec = subprotocol.and_then(Codec::from_subprotocol).unwrap_or(Codec::Json);
        GatewaySession(self.0.connect_as(codec, caller))
    }
}

/// One socket's connection.
#[derive(Debug)]
pub(crate) struct GatewaySession(Connection);

impl Session for GatewaySession {
    fn message(&mut self, kind: FrameKind, payload: &[u8]) -> Handled<'_> {
        self.0.handle(kind, payload)
    }

    fn outbox(&self) -> &Arc<Outbox> {
        self.0.outbox()
    }

    fn idle_max(&self) -> Option<Duration> {
        self.0.idle_max()
    }

    fn closed(&mut self, ending: Ending) {
        debug!(?ending, totals = ?self.0.outbox().totals(), "connection closed");
    }
}
