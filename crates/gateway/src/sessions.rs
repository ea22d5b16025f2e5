//! Where the holder of a token finds its seat again.
//!
//! This node's own rooms are looked up first, in memory, so that players come back while the store
//! is away. The store remembers longer: it tells a room that has closed from a token that never
//! was.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parlor_core::Digest;
use parlor_protocol::RoomCode;
use parlor_store::{DynSessionStore, Session, SessionKey, StoreError};
use tokio::sync::mpsc;

use crate::metrics::StoreMetrics;
use crate::secrets;
use crate::sharded::Sharded;

pub(crate) struct Sessions {
    store: Arc<dyn DynSessionStore>,
    ttl: Duration,
    /// The rooms of this node by the tokens that hold a seat in them.
    local: Sharded<Digest, RoomCode>,
    chores: mpsc::Sender<Chore>,
    metrics: StoreMetrics,
}

/// What the store is to be told when there is time, and nobody waits for.
pub(crate) enum Chore {
    /// The token holds no seat any more.
    Remove(Digest),
    /// The token was used.
    Prolong(Digest, RoomCode),
}

impl Sessions {
    /// The sessions, and what [`do_chores`](Self::do_chores) works on.
    pub(crate) fn new(
        store: Arc<dyn DynSessionStore>,
        ttl: Duration,
        metrics: StoreMetrics,
    ) -> (Self, mpsc::Receiver<Chore>) {
        let (chores, waiting) = mpsc::channel(CHORES_MAX);
        (Self { store, ttl, local: Sharded::new(), chores, metrics }, waiting)
    }

    /// Saves where the token will lead. Done before sitting down, so that a seat is never without.
    pub(crate) async fn save(&self, token: Digest, room: RoomCode) -> Result<(), StoreError> {
        let save = self.store.save(SessionKey(token.0), session_in(room), self.ttl);
        self.metrics.call("save", save).await
    }

    /// The room that the token leads to, which may have closed.
    pub(crate) async fn find(&self, token: Digest) -> Result<Option<RoomCode>, StoreError> {
        if let Some(room) = self.local.get(&token) {
            return Ok(Some(room));
        }
        let session = self.metrics.call("load", self.store.load(SessionKey(token.0))).await?;
        Ok(session.and_then(|session| RoomCode::parse(&session.room)))
    }

    /// Remembers for all nodes that a joining key leads to `room`, unless it is known to lead to another, which is given.
    pub(crate) async fn lead_key(
        &self,
        key: Digest,
        room: RoomCode,
    ) -> Result<Option<RoomCode>, StoreError> {
        let save = self.store.save_new(key_of_key(key), session_in(room), JOINING_KEY_TTL);
        let known = self.metrics.call("save_new", save).await?;
        // What was saved at the first try, and not heard of, is no other.
        let other = known.and_then(|session| RoomCode::parse(&session.room));
        Ok(other.filter(|other| *other != room))
    }

    /// The same, whatever it is known to lead to.
    pub(crate) async fn lead_key_anew(
        &self,
        key: Digest,
        room: RoomCode,
    ) -> Result<(), StoreError> {
        let save = self.store.save(key_of_key(key), session_in(room), JOINING_KEY_TTL);
        self.metrics.call("save", save).await
    }

    /// Saves the sessions of this node's seats anew, a few at once: what is used but never by way of the store would
    /// expire there, and a store that has lost its memory is to have it back. Those that fail are left to the next
    /// time; says whether there were any.
    pub(crate) async fn save_all(&self) -> bool {
        let mut sessions = Vec::new();
        self.local.for_each_pair(|token, room| sessions.push((*token, *room)));
        let mut is_complete = true;
        for some in sessions.chunks(SAVED_AT_ONCE) {
            let saves = some.iter().map(|(token, room)| self.save(*token, *room));
            for saved in join_all(saves).await {
                is_complete &= saved.is_ok();
            }
        }
        is_complete
    }

    /// Seats of this node.
    pub(crate) fn seat_count(&self) -> usize {
        self.local.len()
    }

    /// Asks the store for a token that nobody has.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        self.metrics.call("load", self.store.load(SessionKey([0; 32]))).await.map(|_| ())
    }

    /// The token holds a seat in a room of this node.
    pub(crate) fn seated(&self, token: Digest, room: RoomCode) {
        self.local.insert(token, room);
    }

    /// The room of the token's seat has closed. The store goes on to say so for a while.
    pub(crate) fn room_closed(&self, token: &Digest) {
        self.local.remove(token);
    }

    /// The token holds no seat any more. It is removed from the store soon, at best effort: when
    /// too many wait it expires there by itself, and the room would refuse it anyway.
    pub(crate) fn forget(&self, token: Digest) {
        self.local.remove(&token);
        let _full_or_stopped = self.chores.try_send(Chore::Remove(token));
    }

    /// The token was used: it lives on from now, at best effort, for its seat is found in memory.
    pub(crate) fn prolong(&self, token: Digest, room: RoomCode) {
        let _full_or_stopped = self.chores.try_send(Chore::Prolong(token, room));
    }

    /// Tells the store what it is to know, in order, until the sessions are dropped.
    pub(crate) async fn do_chores(
        store: Arc<dyn DynSessionStore>,
        ttl: Duration,
        mut chores: mpsc::Receiver<Chore>,
        metrics: StoreMetrics,
    ) {
        while let Some(chore) = chores.recv().await {
            let done = match chore {
                Chore::Remove(token) => {
                    metrics.call("remove", store.remove(SessionKey(token.0))).await
                }
                Chore::Prolong(token, room) => {
                    let save = store.save(SessionKey(token.0), session_in(room), ttl);
                    metrics.call("save", save).await
                }
            };
            if let Err(error) = done {
                tracing::debug!(%error, "a session stays in the store as it was");
            }
        }
    }
}

/// A joining key is kept beside the sessions, as something that no token is the digest of.
fn key_of_key(key: Digest) -> SessionKey {
    SessionKey(secrets::digest_of(&["joining key".as_bytes(), &key.0]).0)
}

fn session_in(room: RoomCode) -> Session {
    Session { room: room.as_str().to_owned() }
}

/// How long all nodes remember where a joining key has led: as long as seats are held, by most games.
const JOINING_KEY_TTL: Duration = Duration::from_secs(120);
/// Sessions that are saved at once where all of them are.
const SAVED_AT_ONCE: usize = 64;

/// Chores that may wait for the store.
const CHORES_MAX: usize = 10_000;
