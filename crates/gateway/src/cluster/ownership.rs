//! Which rooms this node owns, and how the directory gets to know.
//!
//! A room is claimed before anyone can find it, and released when it has closed. In between its record is renewed now
//! and then. After the directory was out of reach, or has lost its memory, each room is claimed again, with a fence above
//! any that it had. A room that another node has by then is let go of: there cannot be two.

use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use parlor_protocol::{ErrorCode, ErrorDetail, RoomCode};
use parlor_store::{Claim, Ownership, StoreError};
use tokio::sync::{Notify, mpsc};

use super::Cluster;
use crate::gateway::Gateway;
use crate::room::AnyRoom;
use crate::sharded::Sharded;
use crate::to_wire;

pub(super) struct Ownerships {
    /// By which fence this node has each of its rooms.
    fences: Sharded<RoomCode, u64>,
    closed: mpsc::Sender<RoomCode>,
    /// Everything is to be registered again.
    due: Notify,
}

impl Ownerships {
    /// And what [`Cluster::release_closed`] works on.
    pub(super) fn new() -> (Self, mpsc::Receiver<RoomCode>) {
        let (closed, receiver) = mpsc::channel(CLOSED_MAX);
        (Self { fences: Sharded::new(), closed, due: Notify::new() }, receiver)
    }

    /// Everything is to be registered again, soon.
    pub(super) fn register_all(&self) {
        self.due.notify_one();
    }
}

impl Cluster {
    /// Makes a new room this node's, before anyone knows of it. Refused with `STORE_UNAVAILABLE`, or with
    /// `ROOM_UNAVAILABLE` when another node has a room with this code.
    pub(crate) async fn claim(&self, code: RoomCode) -> Result<(), ErrorDetail> {
        match self.claim_again(code).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let message = "the room's code was taken in this moment; try again";
                Err(ErrorDetail::new(ErrorCode::ROOM_UNAVAILABLE, message))
            }
            Err(error) => Err(to_wire::store_error(&error)),
        }
    }

    /// The room has closed. It is released soon, at best effort: when too many wait its record expires by itself.
    pub(crate) fn give_back(&self, code: RoomCode) {
        let _full_or_stopped = self.ownerships.closed.try_send(code);
    }

    /// Releases rooms that have closed, for ever.
    pub(super) async fn release_closed(self: Arc<Self>, mut closed: mpsc::Receiver<RoomCode>) {
        while let Some(code) = closed.recv().await {
            let Some(fence) = self.ownerships.fences.remove(&code) else { continue };
            let owned = Ownership { node: self.node.to_string(), fence };
            if let Err(error) = self.in_time(self.directory.release(code.as_str(), &owned)).await {
                tracing::debug!(%error, room = %code, "a closed room's record is left to expire");
            }
        }
    }

    /// Renews the records of all rooms and sessions in time, and claims and saves them again when that is due, for ever.
    pub(super) async fn keep_registered(self: Arc<Self>, gateway: Weak<Gateway>) {
        let every = self.config.record_ttl / RENEWALS_PER_TTL;
        loop {
            // Losing the race loses nothing: a notification is kept, and the time begins anew.
            let is_lost = tokio::select! {
                () = self.ownerships.due.notified() => true,
                () = tokio::time::sleep(every) => false,
            };
            let Some(gateway) = gateway.upgrade() else { return };
            if !self.register(&gateway, is_lost).await {
                // The directory is away again; when it is back there is another beat, and if not, this.
                tokio::time::sleep(TRIES_AGAIN_AFTER).await;
                if is_lost {
                    self.ownerships.register_all();
                }
            }
        }
    }

    /// Registers all rooms, claiming them anew if that is needed, and all sessions. Says whether all of it is done.
    async fn register(&self, gateway: &Gateway, claims: bool) -> bool {
        let shared = &gateway.shared;
        let mut rooms: Vec<Arc<dyn AnyRoom>> = Vec::new();
        shared.rooms.for_each_shared(|room| rooms.push(Arc::clone(room)));
        let mut is_complete = true;
        for some in rooms.chunks(ROOMS_AT_ONCE) {
            let outcomes = some.iter().map(|room| async move {
                let is_ours = if claims {
                    self.claim_again(room.code()).await
                } else {
                    self.renew(room.code()).await
                };
                (room, is_ours)
            });
            for (room, is_ours) in join_all(outcomes).await {
                match is_ours {
                    // It has closed meanwhile, and was released by the claim that it had before.
                    Ok(true) if shared.rooms.get(room.code()).is_none() => {
                        self.give_back(room.code());
                    }
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::error!(room = %room.code(), "another node has a room of this one");
                        self.metrics.rooms_lost.inc();
                        room.lose(shared.clock.now());
                        self.ownerships.fences.remove(&room.code());
                    }
                    Err(_) => is_complete = false,
                }
            }
        }
        shared.sessions.save_all().await && is_complete
    }

    /// Claims a room with a fence above the one that this node has. Says whether it is this node's.
    async fn claim_again(&self, code: RoomCode) -> Result<bool, StoreError> {
        let own = self.ownerships.fences.get(&code).unwrap_or(0);
        let ttl = self.config.record_ttl;
        let claim = self.directory.claim(code.as_str(), &self.node, own, ttl);
        match self.in_time(claim).await? {
            Claim::Granted { fence } => {
                self.ownerships.fences.insert(code, fence);
                Ok(true)
            }
            Claim::Refused(_) => Ok(false),
        }
    }

    /// Renews a room's record, claiming the room if there is none any more. Says whether it is this node's.
    async fn renew(&self, code: RoomCode) -> Result<bool, StoreError> {
        if let Some(fence) = self.ownerships.fences.get(&code) {
            let owned = Ownership { node: self.node.to_string(), fence };
            let renew = self.directory.renew(code.as_str(), &owned, self.config.record_ttl);
            if self.in_time(renew).await? {
                return Ok(true);
            }
        }
        self.claim_again(code).await
    }
}

/// Closed rooms that may wait to be released.
const CLOSED_MAX: usize = 10_000;
/// Rooms that are registered at once.
const ROOMS_AT_ONCE: usize = 64;
const RENEWALS_PER_TTL: u32 = 4;
const TRIES_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
