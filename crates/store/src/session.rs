//! Where a returning player's room is found.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::BoxFuture;

/// Finds the room of a session token.
///
/// A locator and nothing more: whether the seat is still the player's is the room's to say. Expiry
/// is the store's job; deciding what an expired session means is the server's.
///
/// Each backend passes the checks in `conformance`, which test these sentences.
pub trait SessionStore: Send + Sync + 'static {
    /// The session, or `None` if it was never saved, was removed, or has expired.
    fn load(
        &self,
        key: SessionKey,
    ) -> impl Future<Output = Result<Option<Session>, StoreError>> + Send;

    /// Saves `session` for `ttl` from now, replacing what was there.
    ///
    /// If the future is dropped the save may or may not have happened; saving again is safe.
    fn save(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Saves `session` for `ttl` from now unless there is one, which is then given and stays as it is.
    ///
    /// Of several who try at once exactly one is given nothing. If the future is dropped it may or may not have been
    /// saved.
    fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> impl Future<Output = Result<Option<Session>, StoreError>> + Send;

    /// Forgets the session. Removing one that is already gone succeeds.
    fn remove(&self, key: SessionKey) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The SHA-256 of a session token. The token itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub [u8; 32]);

/// Hides the digest: in a log it would let its reader recognise a token.
impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// What a token leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The code of the room that holds the seat.
    pub room: String,
}

/// Why a store did not do its work. Trying again later may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or did not answer in time.
    #[error("the store is away: {0}")]
    Unavailable(String),
    /// The store holds as much as it may.
    #[error("the store is full")]
    Full,
}

/// [`SessionStore`] behind a pointer, for whoever is given one at run time.
pub trait DynSessionStore: Send + Sync + 'static {
    /// See [`SessionStore::load`].
    fn load(&self, key: SessionKey) -> BoxFuture<'_, Result<Option<Session>, StoreError>>;

    /// See [`SessionStore::save`].
    fn save(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// See [`SessionStore::save_new`].
    fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Session>, StoreError>>;

    /// See [`SessionStore::remove`].
    fn remove(&self, key: SessionKey) -> BoxFuture<'_, Result<(), StoreError>>;
}

impl<S: SessionStore> DynSessionStore for S {
    fn load(&self, key: SessionKey) -> BoxFuture<'_, Result<Option<Session>, StoreError>> {
        Box::pin(SessionStore::load(self, key))
    }

    fn save(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(SessionStore::save(self, key, session, ttl))
    }

    fn save_new(
        &self,
        key: SessionKey,
        session: Session,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Session>, StoreError>> {
        Box::pin(SessionStore::save_new(self, key, session, ttl))
    }

    fn remove(&self, key: SessionKey) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(SessionStore::remove(self, key))
    }
}
